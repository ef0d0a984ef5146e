"""N agents on one endpoint: a queueing simulation, held against the audit's measured curve.

Theory. N agents in a closed loop think, call, think again, so the load falls when the endpoint slows. A call beside n - 1 others takes
longer by the laws of its first token and of its decoding (beside.py), so with n in service each proceeds at

    1 / slow(n - 1),    slow = (TTFT * slow of TTFT + decode * slow of decode) / (TTFT + decode)     of a call alone

which is processor sharing at a rate that depends on n. The simulation goes from event to event: a call's work is exponential with the
mean of a call alone, an agent's pause with its mean, and what comes out is how many times as long each part of a call takes.

Exponential work and pauses make the means those of the product-form network with the same means, whatever the real distributions
(Baskett et al. 1975), so means are all that is asked of it, and of the measured curve. A test holds it against that network's exact
solution. It knows no memory that runs out and no scheduler's limits: how far it is from the measured curve is told with each use.
"""

import functools
import heapq
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tithe.core.statistics import Floats
from tithe.whatif.beside import Beside
from tithe.whatif.profile import Profile

if TYPE_CHECKING:
    from tithe.whatif.change import Change
    from tithe.whatif.table import Table

CALLS = 4000
_SETTLING = 0.1


class Stage(NamedTuple):
    """A part of a call: what it takes alone, in seconds, and what others do to it."""

    seconds: float
    law: Beside


@functools.lru_cache(maxsize=1024)
def crowded(agents: int, stages: tuple[Stage, ...], pause_s: float, *, seed: int = 0) -> tuple[float, ...]:
    """How many times as long each stage of a call takes where `agents` share the endpoint and pause `pause_s` on average between calls."""
    lone_s = sum(stage.seconds for stage in stages)
    laws = np.asarray([[stage.law.slowdown(float(n)) for n in range(agents)] for stage in stages])
    slow = [float(one) for one in np.asarray([stage.seconds for stage in stages]) @ laws / lone_s]
    chance = random.Random(seed)
    calls = max(CALLS, 20 * agents)
    pausing = [chance.expovariate(1.0) * pause_s for _ in range(agents)]
    heapq.heapify(pausing)
    # Work is told on a clock that runs as fast as each call proceeds: a call ends when that clock shows so much.
    served: list[float] = []
    now = progress = 0.0
    done = 0
    work = np.zeros(agents)  # by the others that there were
    while done < calls:
        count = len(served)
        pace = slow[count - 1] if served else 1.0
        ends = now + (served[0] - progress) * pace if served else float("inf")
        begins = pausing[0] if pausing else float("inf")
        until = min(ends, begins)
        if served and done >= _SETTLING * calls:
            work[count - 1] += count * (until - now) / pace
        if ends <= begins:
            progress = heapq.heappop(served)
            done += 1
            heapq.heappush(pausing, until + chance.expovariate(1.0) * pause_s)
        else:
            progress += (until - now) / pace
            heapq.heappop(pausing)
            heapq.heappush(served, progress + chance.expovariate(1.0) * lone_s)
        now = until
    return tuple(float(one) for one in laws @ work / work.sum())


def slowdowns(change: "Change", table: "Table", ttft: Floats, decode: Floats) -> tuple[float, float]:
    """How many times as long TTFT and decode take for each of the change's agents as for one alone; 1 for one agent.

    `ttft`, `decode`: seconds by draw and call, as they are without others; the task's pauses are all else that it does.
    """
    known = table.answered & ~np.isnan(ttft + decode).any(axis=0)
    if change.agents == 1 or change.profile is None or not known.any():
        return 1.0, 1.0
    first, rest = (float(part[:, known].mean()) / change.speedup for part in (ttft, decode))
    stages = _stages(change.profile, first, rest)
    pause = float(table.fixed.sum() + table.tools.sum() * change.tools) / int(table.answered.sum())
    if stages is None or first + rest <= 0:
        return 1.0, 1.0
    ttft_slow, decode_slow = crowded(change.agents, stages, pause)
    return ttft_slow, decode_slow


def _stages(profile: Profile, first_s: float, rest_s: float) -> tuple[Stage, Stage] | None:
    laws = (profile.times.ttft_beside, profile.times.decode_beside)
    if not isinstance(laws[0], Beside) or not isinstance(laws[1], Beside):
        return None
    return Stage(first_s, laws[0]), Stage(rest_s, laws[1])


def measured_error(profile: Profile) -> Sequence[tuple[int, float, float]]:
    """(agents, simulated, measured) mean seconds of a call for every level of the audit, with the pauses that its agents made."""
    levels = profile.capacity.levels if profile.capacity is not None else ()
    lone = next((level for level in levels if level.agents == 1), None)
    stages = _stages(profile, lone.ttft_s, lone.decode_s) if lone is not None else None
    if stages is None:
        return ()
    found: list[tuple[int, float, float]] = []
    for level in levels:
        slow = crowded(level.agents, stages, level.pause_s)
        simulated = sum(stage.seconds * times for stage, times in zip(stages, slow, strict=True))
        found.append((level.agents, simulated, level.call_s))
    return found
