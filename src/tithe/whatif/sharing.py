"""N agents on one endpoint: a queueing simulation, held against the audit's measured curve.

Theory. An endpoint serves up to `shared` calls at once as fast as one alone; beyond that they share it equally (processor sharing:
batched decoding is that, nearly). N agents in a closed loop think, call, think again, so the load falls when the endpoint
slows. From the audit come a lone call's seconds R(1) and the capacity X in steps a second, and from these

    shared = X * R(1)                     calls that X keeps in service at full speed (Little 1961)

The simulation goes from event to event: a call's work is exponential with mean R(1), an agent's pause with mean Z, and each of n calls
in service proceeds at min(1, shared / n). What comes out is R(N), the mean seconds of a call, and so the slowdown R(N) / R(1).
Exponential work makes the mean that of the product-form network with the same means, whatever the real distributions (Baskett et
al. 1975): means are all that is asked of it. It knows no memory that runs out and no scheduler's limits: how far it is from the
measured curve is told with each use.
"""

import functools
import heapq
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tithe.core.statistics import Floats
from tithe.whatif.profile import Capacity

if TYPE_CHECKING:
    from tithe.whatif.change import Change
    from tithe.whatif.table import Table

CALLS = 4000
_SETTLING = 0.1


@functools.lru_cache(maxsize=1024)
def crowded_s(agents: int, lone_s: float, shared: float, pause_s: float, *, seed: int = 0) -> float:
    """The mean seconds of a call where `agents` share the endpoint and pause `pause_s` on average between calls."""
    chance = random.Random(seed)
    calls = max(CALLS, 20 * agents)
    pausing = [chance.expovariate(1.0) * pause_s for _ in range(agents)]
    heapq.heapify(pausing)
    # Work is told on a clock that runs as fast as each call proceeds: a call ends when that clock shows so much.
    served: list[tuple[float, float]] = []
    now = progress = 0.0
    taken: list[float] = []
    while len(taken) < calls:
        rate = min(1.0, shared / len(served)) if served else 1.0
        ends = now + (served[0][0] - progress) / rate if served else float("inf")
        begins = pausing[0] if pausing else float("inf")
        if ends <= begins:
            progress, now = served[0][0], ends
            _, began = heapq.heappop(served)
            taken.append(now - began)
            heapq.heappush(pausing, now + chance.expovariate(1.0) * pause_s)
        else:
            progress += (begins - now) * rate
            now = heapq.heappop(pausing)
            heapq.heappush(served, (progress + chance.expovariate(1.0) * lone_s, now))
    return float(np.mean(taken[int(_SETTLING * calls) :]))


def slowdown(change: "Change", table: "Table", alone: Floats) -> float:
    """How many times as long a call takes for each of the change's agents as for one alone; 1 for one agent.

    `alone`: seconds of the task's calls by draw and call, as they are without others; its pauses are all else that it does.
    """
    capacity = change.profile.capacity if change.profile is not None else None
    if change.agents == 1 or capacity is None or not table.answered.any():
        return 1.0
    lone = float(np.nanmean(alone[:, table.answered])) / change.speedup
    pause = float(table.fixed.sum() + table.tools.sum() * change.tools) / int(table.answered.sum())
    if lone <= 0:
        return 1.0
    return max(1.0, crowded_s(change.agents, lone, capacity.shared, pause) / lone)


def measured_error(capacity: Capacity) -> Sequence[tuple[int, float, float]]:
    """(agents, simulated, measured) seconds of a call for every level of the audit; its agents' pause is what its lone one had."""
    lone = next((level for level in capacity.levels if level.agents == 1), None)
    if lone is None or lone.steps_per_s <= 0:
        return ()
    pause = max(0.0, 1 / lone.steps_per_s - lone.step_s)
    return [
        (level.agents, crowded_s(level.agents, lone.step_s, capacity.shared, pause), level.step_s)
        for level in capacity.levels
    ]
