"""What follows from the runs of an evaluation.

Every answer owes a call. Of the calls owed, those are *unread* that the endpoint could not find in the
answer (idle answers, and what else in a text begins a call), *unfit* that it found and that do not
fit their tool's schema, and *sound* the rest. Shares have Wilson's interval; the calls of one run
hang together, so those of calls are somewhat too narrow.

pass@k (Chen et al. 2021, section 2.1): of n candidates of a task c succeeded, so that k of them drawn
without replacement hold none of these with the probability C(n - c, k) / C(n, k), and

    pass@k = mean over tasks of 1 - C(n - c, k) / C(n, k)

which is unbiased for k <= n. Its interval is a percentile bootstrap over tasks, drawn within each
family, since the families are given and the tasks are a sample. pass@k - pass@1 is taken task by
task and resampled so.
"""

import math
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation_runs import Arm, Design, Run
from tithe.core.statistics import LEVEL, RESAMPLES, Estimate, Share, quantile, wilson
from tithe.world import Family


class ArmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A family in an arm, or all families (`family` None). None: nothing to take it from.

    Steps are those of the runs that succeeded. `sound_of_made` is of the calls that were begun, read or not:
    of those owed, without the answers in prose.
    """

    arm: Arm
    family: Family | None
    success: Share | None
    steps_median: float | None
    steps_p90: float | None
    out_of_steps: int
    refused: int
    unread: Share | None
    unfit: Share | None
    sound: Share | None
    sound_of_made: Share | None


class PassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A family's tasks all of whose candidates were run, or all families' (`family` None).

    `at` has pass@k under k; `gain` is that of the largest k less pass@1, None without both.
    """

    family: Family | None
    tasks: int
    at: dict[int, Estimate | None]
    gain: Estimate | None


def arm_figures(runs: Sequence[Run], design: Design) -> list[ArmFigures]:
    """A row a family and one for all, arm by arm."""
    rows: list[ArmFigures] = []
    end = design.first_seed + design.tasks
    for arm in design.arms:
        here = [run for run in runs if run.arm == arm and run.candidate == 0 and run.seed < end]
        rows += [
            _arm_row(arm, family, [run for run in here if run.family == family]) for family in design.families
        ]
        rows.append(_arm_row(arm, None, here))
    return rows


def _arm_row(arm: Arm, family: Family | None, runs: Sequence[Run]) -> ArmFigures:
    steps = [float(run.steps) for run in runs if run.succeeded]
    middle, high = quantile(steps, 0.5), quantile(steps, 0.9)
    garbled = sum(run.idle_garbled + run.part_garbled for run in runs)
    unread = sum(run.idle + run.part_garbled for run in runs)
    unfit = sum(run.faults for run in runs)
    owed = sum(run.steps + run.part_garbled for run in runs)
    return ArmFigures(
        arm=arm,
        family=family,
        success=wilson(sum(run.succeeded for run in runs), len(runs)),
        steps_median=middle.value if middle is not None else None,
        steps_p90=high.value if high is not None else None,
        out_of_steps=sum(not run.finished and run.refused is None for run in runs),
        refused=sum(run.refused is not None for run in runs),
        unread=wilson(unread, owed),
        unfit=wilson(unfit, owed),
        sound=wilson(owed - unread - unfit, owed),
        sound_of_made=wilson(owed - unread - unfit, owed - unread + garbled),
    )


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate of pass@k from c successes of n candidates, 1 <= k <= n."""
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def pass_figures(runs: Sequence[Run], design: Design) -> list[PassFigures]:
    """A row a family and one for all; none when the design has no candidates."""
    if not design.pass_at:
        return []
    groups = [_successes(runs, design, family) for family in design.families]
    rows = [_pass_row(family, [group], design) for family, group in zip(design.families, groups, strict=True)]
    return [*rows, _pass_row(None, groups, design)]


def _successes(runs: Sequence[Run], design: Design, family: Family) -> list[int]:
    """How many candidates succeeded, for each task of which all were run."""
    tried, succeeded = Counter[int](), Counter[int]()
    end = design.first_seed + design.pass_tasks
    for run in runs:
        if run.family == family and run.arm == design.pass_arm and run.seed < end:
            tried[run.seed] += 1
            succeeded[run.seed] += run.succeeded
    return [succeeded[seed] for seed in sorted(tried) if tried[seed] == design.candidates]


def _pass_row(family: Family | None, counts: Sequence[Sequence[int]], design: Design) -> PassFigures:
    n, ks = design.candidates, design.pass_at
    at = {k: [[pass_at_k(n, c, k) for c in group] for group in counts] for k in ks}
    gain: Estimate | None = None
    if ks[0] == 1 and len(ks) > 1:
        pairs = zip(at[ks[-1]], at[1], strict=True)
        gain = mean_over_tasks([[many - one for many, one in zip(*pair, strict=True)] for pair in pairs])
    return PassFigures(
        family=family,
        tasks=sum(map(len, counts)),
        at={k: mean_over_tasks(groups) for k, groups in at.items()},
        gain=gain,
    )


def mean_over_tasks(groups: Sequence[Sequence[float]], *, seed: int = 0) -> Estimate | None:
    """The mean of all values, with the bootstrap interval that comes of resampling within the groups.

    None for no values; no interval for fewer than three, or when all are equal, of which no resample
    can differ.
    """
    filled = [np.asarray(group, dtype=np.float64) for group in groups if len(group)]
    if not filled:
        return None
    values = np.concatenate(filled)
    mean, n = float(values.mean()), len(values)
    if n < 3 or bool(np.all(values == values[0])):
        return Estimate(value=mean, low=None, high=None, n=n)
    generator = np.random.default_rng(seed)
    totals: NDArray[np.float64] = np.zeros(RESAMPLES)
    for group in filled:
        totals += group[generator.integers(0, len(group), size=(RESAMPLES, len(group)))].sum(axis=1)
    low, high = np.quantile(totals / n, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value=mean, low=float(low), high=float(high), n=n)


def decode_ms(runs: Sequence[Run]) -> tuple[float, float] | None:
    """Median and 90th percentile, over the runs without grammar, of milliseconds a decoded token."""
    rates = [
        1000 * run.decode_s / run.decoded
        for run in runs
        if run.decode_s is not None and run.decoded and not run.constrained
    ]
    middle, high = quantile(rates, 0.5), quantile(rates, 0.9)
    return (middle.value, high.value) if middle is not None and high is not None else None
