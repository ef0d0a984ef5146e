"""The knee: how many agents an endpoint serves before they begin to wait for each other.

Theory. N agents in a closed loop take R(N) seconds a step and pause Z between steps, and together they
take X(N) = N / (R(N) + Z) steps a second. Whatever the endpoint is inside, two lines bound that curve
(Denning & Buzen 1978; Lazowska et al. 1984, ch. 5): with no waiting at all X = N / (R(1) + Z), and never
more than its capacity, the steps a second that it ends with at most. They cross at

    knee = capacity * (R(1) + Z)

Below it an agent is served nearly as if it were alone; beyond it each further agent makes all of them
slower. The capacity is known only where it was reached: the steps a second grew by less than a tenth
while the agents doubled. Before that there is no knee to tell, only that it lies higher.

X(N) is taken as the sum over agents of steps / seconds from an agent's beginning to its end, pauses
included, so that agents which end early do not count as waiting. Steps of one agent depend on each other, so
an agent's rate is one sample: the interval resamples agents, and takes three of them at both ends
(statistics.py). That is why a lone agent runs at least three times wherever numbers are visited again
(`AuditPlan.visits`).
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from tithe.audit.observation import Observation
from tithe.core.statistics import Estimate, ratio_of_means

GREW = 1.1
"""The capacity is reached where twice the agents take less than this many times the steps a second."""


class Cycles(msgspec.Struct, frozen=True, kw_only=True):
    """The agents that ran `agents` at once: for each one its `rates` of steps a second."""

    agents: int
    rates: tuple[float, ...]

    @property
    def steps_per_s(self) -> float:
        """Of all of them together, at one time: as many as run at once, at their mean rate."""
        return self.agents * float(np.mean(self.rates)) if self.rates else 0.0


class Knee(msgspec.Struct, frozen=True, kw_only=True):
    """`agents` is the knee; None: the capacity was not reached, and `beyond` agents were served.

    `capacity_steps_per_s` is the most steps a second that were seen.
    """

    agents: Estimate | None
    beyond: int
    capacity_steps_per_s: float


def rate(start: float, end: float, observations: Sequence[Observation]) -> float | None:
    """Steps a second of one agent from its `start` to its `end`; None where a call of it failed."""
    if not observations or not all(seen.answered for seen in observations) or end <= start:
        return None
    return len(observations) / (end - start)


def saturated(levels: Sequence[Cycles]) -> bool:
    """Whether the last level reached the capacity: see `GREW`. Levels rise; two are needed."""
    if len(levels) < 2:
        return False
    before, last = levels[-2], levels[-1]
    grew = GREW ** float(np.log2(last.agents / before.agents))
    return last.steps_per_s < grew * before.steps_per_s


def find_knee(levels: Sequence[Cycles], *, seed: int) -> Knee | None:
    """The knee of levels in rising order; None when they have no answered step of a lone agent."""
    known = [level for level in levels if level.rates]
    if not known or known[0].agents != 1:
        return None
    most = max(known, key=lambda level: level.steps_per_s)
    knee = _knee(most, known[0], seed) if any(map(saturated, _prefixes(known))) else None
    return Knee(agents=knee, beyond=known[-1].agents, capacity_steps_per_s=most.steps_per_s)


def _prefixes(levels: Sequence[Cycles]) -> list[Sequence[Cycles]]:
    return [levels[: end + 1] for end in range(len(levels))]


def _knee(most: Cycles, alone: Cycles, seed: int) -> Estimate | None:
    """capacity * (R(1) + Z): as many agents as ran, times their mean rate over that of a lone one."""
    return ratio_of_means(most.rates, alone.rates, scale=most.agents, seed=seed)
