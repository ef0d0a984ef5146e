"""The arms of the benchmarks' runs, held against each other on the same tasks, for tables.

Shares have Wilson's interval. The difference of two arms' shares on the same tasks has Newcombe's for pairs (1998, Stat. Med. 17:2635,
his method 10): the score intervals l, u of both shares p, and the correlation phi of the pairs, with b and c the tasks that one
arm alone solved, a both, d none,

    low  = p1 - p2 - sqrt((p1 - l1)^2 - 2 phi (p1 - l1)(u2 - p2) + (u2 - p2)^2)
    high = p1 - p2 + sqrt((u1 - p1)^2 - 2 phi (u1 - p1)(p2 - l2) + (p2 - l2)^2)
    phi  = (ad - bc) / sqrt((a+b)(c+d)(a+c)(b+d)), of which n / 2 is taken from a numerator above 0, down to 0 at the least

and that of wall clocks the percentile bootstrap of the median of the pairs' differences (`tithe.core.statistics`). Over several cells the
difference of shares is that of the tasks' means, by the percentile bootstrap over tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from agent_runs import Ran

from tithe.core.statistics import (
    Estimate,
    bootstrapped_estimate,
    bootstrapped_means,
    paired_difference,
    wilson,
)


def paired_shares(pairs: Sequence[tuple[bool, bool]]) -> Estimate | None:
    """First share less second, by Newcombe's method for pairs, see the top of the file."""
    n = len(pairs)
    one, two = wilson(sum(a for a, _ in pairs), n), wilson(sum(b for _, b in pairs), n)
    if one is None or two is None:
        return None
    a, b, c, d = (pairs.count(each) for each in ((True, True), (True, False), (False, True), (False, False)))
    product = (a + b) * (c + d) * (a + c) * (b + d)
    above = a * d - b * c
    above = max(above - n / 2, 0.0) if above > 0 else above
    phi = above / math.sqrt(product) if product else 0.0
    down1, up1, down2, up2 = (
        one.value - one.low,
        one.high - one.value,
        two.value - two.low,
        two.high - two.value,
    )
    point = one.value - two.value
    return Estimate(
        value=point,
        low=point - math.sqrt(max(0.0, down1**2 - 2 * phi * down1 * up2 + up2**2)),
        high=point + math.sqrt(max(0.0, up1**2 - 2 * phi * up1 * down2 + down2**2)),
        n=n,
    )


def matched(runs: Sequence[Ran], cell: str, one: str, two: str) -> list[tuple[Ran, Ran]]:
    """The runs of both arms of a cell, task by task."""
    by_arm: dict[str, dict[tuple[str, int], Ran]] = {one: {}, two: {}}
    for ran in runs:
        if ran.cell == cell and ran.arm in by_arm:
            by_arm[ran.arm][ran.family, ran.seed] = ran
    return [(first, by_arm[two][key]) for key, first in by_arm[one].items() if key in by_arm[two]]


def of(runs: Sequence[Ran], cell: str, arm: str) -> list[Ran]:
    """The runs of one arm of a cell."""
    return [ran for ran in runs if ran.cell == cell and ran.arm == arm]


def success(runs: Sequence[Ran]) -> str:
    """How many were solved, with the interval, for a table."""
    share = wilson(sum(ran.solved for ran in runs), len(runs))
    return (
        "-"
        if share is None
        else f"{100 * share.value:.0f} % [{100 * share.low:.0f} to {100 * share.high:.0f}]"
    )


def gained(pairs: Sequence[tuple[Ran, Ran]]) -> str:
    """Points of success that the first of each pair has over the second, with the interval."""
    found = paired_shares([(one.solved, two.solved) for one, two in pairs])
    return "-" if found is None else f"{100 * found.value:+.0f} {spread(found, 100, '+.0f')}"


def gained_in_all(cells: Sequence[Sequence[tuple[Ran, Ran]]]) -> str:
    """Points of success over several cells of the same tasks. The tasks are what is resampled, each with its mean over the cells: runs
    of one task say much the same."""
    by_task: dict[tuple[str, int], list[float]] = {}
    for one, two in (pair for pairs in cells for pair in pairs):
        by_task.setdefault((one.family, one.seed), []).append(float(one.solved) - float(two.solved))
    means = np.asarray([[sum(each) / len(each)] for each in by_task.values()])
    found = bootstrapped_estimate(bootstrapped_means(means)[:, 0], len(means))
    return f"{100 * found.value:+.1f} {spread(found, 100, '+.1f')}"


def slower(pairs: Sequence[tuple[float, float]], unit: float = 1.0, form: str = "+.2f") -> str:
    """The median by which the first of each pair is more than the second, with the interval."""
    found = paired_difference(pairs)
    return "-" if found is None else f"{found.value * unit:{form}} {spread(found, unit, form)}"


def spread(found: Estimate, unit: float = 1.0, form: str = ".2f") -> str:
    """The interval alone."""
    if found.low is None or found.high is None:
        return "[too few]"
    return f"[{found.low * unit:{form}} to {found.high * unit:{form}}]"


def no_answer(runs: Sequence[Ran]) -> str:
    """How many had no answer at all."""
    known = [ran.unanswered for ran in runs if ran.unanswered is not None]
    return str(sum(known)) if len(known) == len(runs) else "not kept"
