"""Intervals for what was measured. Few assumptions, a fixed seed, no means without a spread.

Quantiles interpolate linearly between order statistics (Hyndman & Fan 1996, type 7: numpy's default).

Intervals of medians, quantiles and paired differences are percentile bootstrap intervals (Efron &
Tibshirani 1993, ch. 13): resample with replacement, take the statistic of each resample, cut the
outer (1 - level) / 2 on both sides. They rest on independent samples, and with fewer than about ten
they are too narrow; every estimate therefore carries its n, and below three samples no interval is given.

A share of successes gets Wilson's score interval (Wilson 1927), which stays inside [0, 1] and does
not collapse at 0 of n:

    centre = (p + z^2 / 2n) / (1 + z^2 / n)
    half   = z / (1 + z^2 / n) * sqrt(p (1 - p) / n + z^2 / 4n^2)

The largest of n samples stands, on the mean, at the n / (n + 1) quantile (Gumbel 1958, ch. 1.2): a quantile
beyond it is not in the data, and what is printed as the p99 of 20 samples is their maximum. So a tail's
quantile q takes 1 / (1 - q) samples, 20 for a p95 and 100 for a p99, and with fewer there is none. Until 59
and 299 (Wilks 1941: 1 - q^n > 0.95) the upper end of its interval is the largest sample, and tends to be too low.

Over many samples a bootstrap is slow and needs no luck: `order_quantile` takes two order statistics as its ends
(Conover 1999, sec. 3.2; Hahn & Meeker 1991, sec. 5.2). How many of n independent samples lie below the q-quantile is
binomial (n, q) whatever their distribution is, so, 1-based, with B that binomial:

    low  = x(l), l the largest  with P(B < l)  <= (1 - level) / 2
    high = x(u), u the smallest with P(B < u)  >= (1 + level) / 2

The interval holds the quantile with a chance of at least `level`, ties or not. Where no order statistic will do, that end
is not covered and there is none: below 6 samples a median has neither, below 72 a p95 has no upper end.

The ratio of two means has a percentile bootstrap interval too, each side resampled by itself; so has whatever else is
computed from means of several figures, which are resampled together, row by row.

Jain's fairness index (Jain, Chiu, Hawe 1984): (sum x)^2 / (n sum x^2); 1 is equal shares, 1/n is one
taking all.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
FEWEST = 3

Floats = NDArray[np.float64]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95 % interval, in the unit of the field that holds it. None: too few samples."""

    value: float
    low: float | None
    high: float | None
    n: int


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """`successes` of `n`, with Wilson's 95 % interval of the share behind it."""

    successes: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.successes / self.n


def quantile(values: Sequence[float], q: float, *, seed: int = 0) -> Estimate | None:
    """The q-quantile with its bootstrap interval; None for no values."""
    if not values:
        return None
    data = np.asarray(values, dtype=np.float64)
    point = float(np.quantile(data, q))
    if len(data) < FEWEST:
        return Estimate(value=point, low=None, high=None, n=len(data))
    low, high = _interval(np.quantile(_resamples(data, _generator(seed)), q, axis=1))
    return Estimate(value=point, low=low, high=high, n=len(data))


def median(values: Sequence[float], *, seed: int = 0) -> Estimate | None:
    """The median with its bootstrap interval; None for no values."""
    return quantile(values, 0.5, seed=seed)


def samples_for(q: float) -> int:
    """The fewest samples that the tail's quantile `q` is told from; see the top of the file."""
    return round(1 / (1 - q))


def tail(values: Sequence[float], q: float, *, seed: int = 0) -> Estimate | None:
    """The q-quantile of the upper tail; None where there are too few values to have one."""
    return quantile(values, q, seed=seed) if len(values) >= samples_for(q) else None


def order_quantile(values: Sequence[float], q: float, *, level: float = LEVEL) -> Estimate | None:
    """The q-quantile with its distribution-free interval; None for no values.

    An end that the samples don't cover is None. O(n log n), and no resampling: made for thousands of values.
    """
    if not values:
        return None
    data = np.sort(np.asarray(values, dtype=np.float64))
    low, high = _ranks(len(data), q, level)
    return Estimate(
        value=float(np.quantile(data, q)),
        low=float(data[low - 1]) if low >= 1 else None,
        high=float(data[high - 1]) if high <= len(data) else None,
        n=len(data),
    )


def order_tail(values: Sequence[float], q: float) -> Estimate | None:
    """`order_quantile` of the upper tail; None where there are too few values to have one."""
    return order_quantile(values, q) if len(values) >= samples_for(q) else None


@lru_cache(maxsize=64)
def _ranks(n: int, q: float, level: float) -> tuple[int, int]:
    """The 1-based ranks of an interval's ends; 0 and n + 1 are the ends that n samples don't cover."""
    # In logarithms: the chance of no sample below is far under the least double when n is large.
    counts = np.arange(1, n + 1)
    steps = np.log((n - counts + 1) / counts) + np.log(q / (1 - q))
    below = np.cumsum(np.exp(n * np.log1p(-q) + np.concatenate(([0.0], np.cumsum(steps)))))
    # below[k] is P(B <= k) = P(B < k + 1).
    low = int(np.searchsorted(below, (1 - level) / 2, side="right"))
    high = int(np.searchsorted(below, (1 + level) / 2, side="left")) + 1
    return low, high


def ratio_of_means(
    above: Sequence[float], below: Sequence[float], *, scale: float = 1.0, seed: int = 0
) -> Estimate | None:
    """`scale` times the mean of `above` over that of `below`, which are independent samples above zero.

    None where either is empty; without an interval where either has fewer than three.
    """
    if not above or not below:
        return None
    over, under = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    point, n = scale * float(over.mean() / under.mean()), min(len(over), len(under))
    if n < FEWEST:
        return Estimate(value=point, low=None, high=None, n=n)
    generator = _generator(seed)
    means = _resamples(over, generator).mean(axis=1) / _resamples(under, generator).mean(axis=1)
    low, high = _interval(scale * means)
    return Estimate(value=point, low=low, high=high, n=n)


def bootstrapped_means(rows: Floats, *, seed: int = 0) -> Floats:
    """Means of the columns of `rows` (samples, figures): of all rows first, then of each resample of them.

    Shape (1 + RESAMPLES, figures), and (1, figures) below three samples.
    """
    samples = len(rows)
    point = rows.mean(axis=0, keepdims=True)
    if samples < FEWEST:
        return point
    generator, means = _generator(seed), [point]
    for _ in range(RESAMPLES):
        # How often each row was drawn; a product with that is far cheaper than gathering the rows.
        drawn = np.bincount(generator.integers(0, samples, size=samples), minlength=samples)
        means.append((drawn / samples)[None, :] @ rows)
    return np.concatenate(means)


def bootstrapped_estimate(figures: Floats, n: int) -> Estimate:
    """A figure that was computed from `bootstrapped_means` of `n` samples, with the interval of its resamples.

    Resamples in which the figure is not defined (NaN) are left out.
    """
    resampled = figures[1:][np.isfinite(figures[1:])]
    low, high = _interval(resampled) if len(resampled) else (None, None)
    return Estimate(value=float(figures[0]), low=low, high=high, n=n)


def paired_difference(pairs: Sequence[tuple[float, float]], *, seed: int = 0) -> Estimate | None:
    """Median of (first - second) over the pairs, resampled as pairs; None for no pairs."""
    return median([first - second for first, second in pairs], seed=seed)


def slope_of_medians(groups: Mapping[float, Sequence[float]], *, seed: int = 0) -> Estimate | None:
    """Least-squares slope of the groups' medians over their keys; None with fewer than two groups.

    Medians first, so that one hiccup does not tilt the line; each resample draws within its group.
    """
    filled = {x: np.asarray(ys, dtype=np.float64) for x, ys in sorted(groups.items()) if len(ys) > 0}
    if len(filled) < 2:
        return None
    xs = np.asarray(list(filled), dtype=np.float64)
    weights = (xs - xs.mean()) / float(np.sum((xs - xs.mean()) ** 2))
    point = float(weights @ np.asarray([float(np.median(ys)) for ys in filled.values()]))
    n = min(len(ys) for ys in filled.values())
    if n < FEWEST:
        return Estimate(value=point, low=None, high=None, n=n)
    generator = _generator(seed)
    medians = np.stack([np.median(_resamples(ys, generator), axis=1) for ys in filled.values()])
    low, high = _interval(weights @ medians)
    return Estimate(value=point, low=low, high=high, n=n)


def wilson(successes: int, n: int, *, level: float = LEVEL) -> Share | None:
    """The share of successes with Wilson's interval of `level`; None for n = 0."""
    if n == 0:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, z2 = successes / n, z**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * float(np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Share(successes=successes, n=n, low=low, high=high)


def jain(values: Sequence[float]) -> float | None:
    """Jain's fairness index of the values; None for none, or when all are zero."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares > 0 else None


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _resamples(data: Floats, generator: np.random.Generator) -> Floats:
    return data[generator.integers(0, len(data), size=(RESAMPLES, len(data)))]


def _interval(statistics: Floats) -> tuple[float, float]:
    low, high = np.quantile(statistics, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
