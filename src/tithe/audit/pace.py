"""The audit in an agent's terms: steps a minute, and how many steps fit into a wait that a person accepts.

Theory. A step is one call of `step_out` tokens with its prefix cached, as the short generations timed it; the
agent's tools, its retries and other agents are not in it, and come on top. With T its time,

    steps a minute      = 60 / median T, and 60 / p95 T
    steps that fit in B = the most n whose total time stays within B: at p50 in half of all runs of n steps,
                          at p95 in 95 of 100

The total of n steps is drawn by resampling the measured times with replacement; beyond 200 steps it is as
good as normal (central limit), with mean n m and standard deviation s sqrt(n). Steps of one task are taken
to be independent: a slow minute strikes several in a row, and then fewer fit.

The waits: half a second is a turn of speech, 30 seconds are fine for a task, two minutes begin to feel
slow, and after five many have left.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from tithe.audit.totals import Totals
from tithe.core.statistics import Estimate, median, tail

BUDGETS_S = (0.5, 30.0, 120.0, 300.0)
_PATHS = 1000
_FEWEST = 5
_NORMAL_FROM = 200
_Z95_ONE_SIDED = 1.6448536269514722


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How many steps fit into `budget_s` seconds."""

    budget_s: float
    steps_p50: int
    steps_p95: int


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """See the top of the file. Times in seconds; `step_p95_s` None: too few steps to have one (statistics.py)."""

    step_tokens: int
    step_p50_s: Estimate
    step_p95_s: Estimate | None
    fits: tuple[Fit, ...]

    @property
    def steps_a_minute_p50(self) -> float:
        return 60 / self.step_p50_s.value

    @property
    def steps_a_minute_p95(self) -> float | None:
        """At the time that 95 of 100 steps stay within."""
        return 60 / self.step_p95_s.value if self.step_p95_s is not None else None


def pace(totals: Totals, *, seed: int) -> Pace | None:
    """The pace of the step's generation length; None with too few answers for sums of them to mean anything."""
    step = totals.figures.chat.step_tokens
    times = [
        sample.observation.total
        for sample in totals.samples
        if not sample.chat
        and sample.wanted == step
        and sample.observation.answered
        and sample.observation.total
    ]
    middle, slow = median(times, seed=seed), tail(times, 0.95, seed=seed)
    if middle is None or len(times) < _FEWEST:
        return None
    return Pace(
        step_tokens=step,
        step_p50_s=middle,
        step_p95_s=slow,
        fits=tuple(fit(times, budget, seed=seed) for budget in BUDGETS_S),
    )


def fit(times: Sequence[float], budget_s: float, *, seed: int) -> Fit:
    """How many steps with times like these fit into the budget. `times` are seconds above zero."""
    data = np.asarray(times, dtype=np.float64)
    mean = float(data.mean())
    if budget_s / mean > _NORMAL_FROM:
        half = int(budget_s / mean)
        return Fit(budget_s=budget_s, steps_p50=half, steps_p95=_normal(mean, float(data.std()), budget_s))
    most = int(budget_s / float(data.min())) + 1
    draw = np.random.default_rng(seed)
    totals = np.cumsum(data[draw.integers(0, len(data), size=(_PATHS, most))], axis=1)
    fitting = np.sort(np.sum(totals <= budget_s, axis=1))
    # A run of n steps stays within the budget where at least n fit.
    return Fit(
        budget_s=budget_s,
        steps_p50=int(fitting[_PATHS // 2]),
        steps_p95=int(fitting[int(0.05 * _PATHS)]),
    )


def _normal(mean: float, deviation: float, budget_s: float) -> int:
    """The most n with n mean + z deviation sqrt(n) within the budget: a quadratic in sqrt(n)."""
    root = (
        -_Z95_ONE_SIDED * deviation + np.sqrt((_Z95_ONE_SIDED * deviation) ** 2 + 4 * mean * budget_s)
    ) / (2 * mean)
    return int(root**2)
