"""Differences between two endpoints, with intervals that promise little and keep it.

Each compares `other` with `base`; a time's difference is other - base in seconds, and its ratio other / base.

pairs: both were measured in the same lap (turns.py), or are of one task or number of agents. The figure is the median of the pairs' differences,
    its interval that of the sign test (Thompson 1936; Hollander & Wolfe 1999, ch. 3.6): between the r-th lowest
    and the r-th highest difference, r the greatest with P(Binomial(n, 1/2) < r) <= (1 - level) / 2. Exact for any
    distribution; with fewer than 6 pairs there is none at 95 %, with fewer than 8 none at 99 %.
ranks: they were measured apart. The figure is the Hodges-Lehmann shift, the median of all differences between
    a sample of one and a sample of the other; its interval is Wilcoxon's rank sum test's (Hollander & Wolfe 1999,
    ch. 4.3, in its normal approximation; from 5 samples on each side). It knows how samples of one run scatter,
    and nothing of how two runs differ from each other.
shares: two shares of successes, by Newcombe's (1998) hybrid of their score intervals, his method 10.

An interval of the ratios is the same test's on the same samples' logarithms, so it excludes 1 when that of
the differences excludes 0 (by pairs always; by ranks too, since a rank is not changed by a logarithm).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import msgspec
import numpy as np

from tithe.core.statistics import Estimate, Floats, wilson

Method = Literal["pairs", "ranks", "shares"]

_FEWEST_BY_RANKS = 5


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure at two endpoints. `base` and `other` are medians in seconds, or shares; None: not measured.

    `difference` and `ratio` carry the interval of `level`; there is no ratio of shares. None: nothing to compare.
    """

    by: Method
    level: float
    base: float | None
    other: float | None
    difference: Estimate | None
    ratio: Estimate | None

    @property
    def detected(self) -> bool | None:
        """Whether the interval excludes no difference; None: too few samples to have one."""
        if self.difference is None or self.difference.low is None or self.difference.high is None:
            return None
        return not self.difference.low <= 0 <= self.difference.high


def by_pairs(pairs: Sequence[tuple[float, float]], *, level: float) -> Difference:
    """`pairs` are (base, other), both positive."""
    both = np.asarray(pairs, dtype=np.float64).reshape(len(pairs), 2)
    return Difference(
        by="pairs",
        level=level,
        base=_middle(both[:, 0]),
        other=_middle(both[:, 1]),
        difference=_signed(both[:, 1] - both[:, 0], level),
        ratio=_exponential(_signed(_logarithms(both[:, 1]) - _logarithms(both[:, 0]), level)),
    )


def by_ranks(base: Sequence[float], other: Sequence[float], *, level: float) -> Difference:
    """Samples of the two, positive, that were taken apart."""
    few, many = np.asarray(base, dtype=np.float64), np.asarray(other, dtype=np.float64)
    return Difference(
        by="ranks",
        level=level,
        base=_middle(few),
        other=_middle(many),
        difference=_shifted(few, many, level),
        ratio=_exponential(_shifted(_logarithms(few), _logarithms(many), level)),
    )


def by_shares(base: tuple[int, int], other: tuple[int, int], *, level: float) -> Difference:
    """Each is (successes, of how many)."""
    first, second = wilson(*base, level=level), wilson(*other, level=level)
    difference: Estimate | None = None
    if first is not None and second is not None:
        value = second.value - first.value
        down = math.hypot(second.value - second.low, first.high - first.value)
        up = math.hypot(second.high - second.value, first.value - first.low)
        difference = Estimate(value=value, low=value - down, high=value + up, n=min(base[1], other[1]))
    return Difference(
        by="shares",
        level=level,
        base=first.value if first is not None else None,
        other=second.value if second is not None else None,
        difference=difference,
        ratio=None,
    )


def _middle(values: Floats) -> float | None:
    return float(np.median(values)) if len(values) else None


def _logarithms(values: Floats) -> Floats:
    # A time of zero is below what the clock tells apart.
    logarithms: Floats = np.log(np.maximum(values, 1e-9))
    return logarithms


def _exponential(estimate: Estimate | None) -> Estimate | None:
    if estimate is None:
        return None
    low, high = (math.exp(end) if end is not None else None for end in (estimate.low, estimate.high))
    return Estimate(value=math.exp(estimate.value), low=low, high=high, n=estimate.n)


def _signed(values: Floats, level: float) -> Estimate | None:
    if not len(values):
        return None
    ordered, n = np.sort(values), len(values)
    rank = _rank(n, (1 - level) / 2)
    low, high = (float(ordered[rank - 1]), float(ordered[n - rank])) if rank else (None, None)
    return Estimate(value=float(np.median(ordered)), low=low, high=high, n=n)


def fewest_pairs(level: float) -> int:
    """The fewest pairs that have an interval of `level`: 2 (1/2)^n <= 1 - level."""
    return math.ceil(1 - math.log2(1 - level))


def _rank(n: int, tail: float) -> int:
    """The greatest r with P(Binomial(n, 1/2) < r) <= tail; 0 where there is none."""
    below, rank = 0, 0
    while rank < n // 2:
        below += math.comb(n, rank)
        if below > tail * 2**n:
            break
        rank += 1
    return rank


def _shifted(base: Floats, other: Floats, level: float) -> Estimate | None:
    m, n = len(base), len(other)
    if not m or not n:
        return None
    shifts = np.sort((other[:, None] - base[None, :]).ravel())
    low = high = None
    if min(m, n) >= _FEWEST_BY_RANKS:
        spread = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(m * n * (m + n + 1) / 12)
        rank = math.floor(m * n / 2 - spread)
        if rank >= 1:
            low, high = float(shifts[rank - 1]), float(shifts[m * n - rank])
    return Estimate(value=float(np.median(shifts)), low=low, high=high, n=min(m, n))
