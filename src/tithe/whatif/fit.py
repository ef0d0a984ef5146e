"""Robust regression of times on sizes, with no price below zero.

Theory. A time y is a sum of prices b times sizes x, and what is random in it is a factor: y = (x b) e. So errors count
relative to what was expected, and the fit is by iteratively reweighted least squares with Huber's weights (Huber 1964;
Holland & Welsch 1977 for the algorithm and the constant):

    r = y / (x b) - 1,  s = median |r| / 0.6745,  weight = min(1, 1.345 s / |r|) / (x b)^2

until the prices stand still. A slow outlier so loses its pull. A price that comes out negative is taken out and the rest
fitted anew; so is a size that hardly varies, whose price the data cannot tell from the constant. What was taken out is noted.

The residuals are kept as log(y / (x b)). A projection multiplies by resampled exp(residual): a distribution comes out with the spread of
what was measured, and since the mean of those factors is in it, sums are not biased by the fit's being one of medians
(Duan's smearing estimate, 1983).

A call that took several times as long as any such scatter explains has stalled: what held it up was there for so many seconds,
not for so many times its size. Its excess is kept in seconds, and is resampled as often as it was seen.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from tithe.core.statistics import Floats

FEWEST = 5
"""The fewest samples that a line is fitted to, and at least two for each price."""
_HUBER, _MAD = 1.345, 0.6745
_ROUNDS = 50
# A stall takes more than twice what was expected, and lies beyond so many standard deviations of the scatter.
_STALLED, _STALL_DEVIATIONS = 2.0, 4.0
# A size has to vary so much of its median for its price to be told.
_LEAST_SPREAD = 0.1


class Range(msgspec.Struct, frozen=True, array_like=True):
    """The least and the most of a size that the fit has seen."""

    low: float
    high: float


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted time. `prices`: seconds for one of each size, `constant` among them. `residuals`: log(measured / fitted), widened for the
    prices that were fitted, 0 for a call that stalled; `stalls`: by how many seconds, sample for sample.

    `error`: the median of |fitted / measured - 1|. `ranges`: of each size, what was seen. `notes`: what was left out, and why.
    """

    what: str
    prices: dict[str, float]
    residuals: tuple[float, ...]
    stalls: tuple[float, ...]
    error: float
    n: int
    ranges: dict[str, Range]
    notes: tuple[str, ...] = ()

    def seconds(self, sizes: Mapping[str, Floats]) -> Floats:
        """The time of each, without what is random; `sizes` has an array for each price but the constant."""
        shape = np.broadcast_shapes(*(value.shape for value in sizes.values())) if sizes else ()
        found = np.full(shape, self.prices.get("constant", 0.0))
        for name, price in self.prices.items():
            if name != "constant":
                found = found + price * sizes[name]
        return found

    @property
    def factors(self) -> Floats:
        """What the fitted time was multiplied by, sample by sample."""
        return np.exp(np.asarray(self.residuals, dtype=np.float64))

    def mean_seconds(self, sizes: Mapping[str, Floats]) -> Floats:
        """The mean time of each, what is random in it included."""
        return self.seconds(sizes) * float(self.factors.mean()) + float(np.mean(self.stalls))


class NoFit(msgspec.Struct, frozen=True):
    """Why nothing was fitted."""

    what: str
    reason: str


def fit_times(
    what: str, sizes: Mapping[str, Sequence[float]], times: Sequence[float], *, constant: bool = True
) -> Fit | NoFit:
    """Fit `times`, in seconds, to their `sizes`."""
    y = np.asarray(times, dtype=np.float64)
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in sizes.items()}
    good = np.isfinite(y) & (y > 0)
    y, columns = y[good], {name: values[good] for name, values in columns.items()}
    if len(y) < FEWEST:
        return NoFit(what, f"{len(y)} sample{'' if len(y) == 1 else 's'}; it takes {FEWEST}")
    notes: list[str] = []
    ranges = {name: Range(float(values.min()), float(values.max())) for name, values in columns.items()}
    kept = ["constant"] if constant else []
    for name, values in columns.items():
        if constant and np.ptp(values) <= _LEAST_SPREAD * max(float(np.median(values)), 1.0):
            notes.append(f"{name}: hardly varies, so its price is part of the constant")
        else:
            kept.append(name)
    table = {"constant": np.ones(len(y)), **columns}
    while kept:
        if len(y) < 2 * len(kept):
            return NoFit(what, f"{len(y)} samples for {len(kept)} prices; it takes twice as many")
        prices = _irls(np.column_stack([table[name] for name in kept]), y)
        if prices is None:
            return NoFit(what, "its sizes cannot be told apart")
        worst = int(np.argmin(prices))
        if prices[worst] >= 0:
            return _fit(
                what, dict(zip(kept, map(float, prices), strict=True)), table, y, ranges, tuple(notes)
            )
        notes.append(f"{kept[worst]}: its price came out negative, and was left out")
        kept.pop(worst)
    return NoFit(what, "no size explains it: every price came out negative")


def _irls(x: Floats, y: Floats) -> Floats | None:
    scale = np.abs(x).max(axis=0)
    if np.any(scale == 0):
        return None
    x = x / scale
    weights = 1.0 / y**2
    prices = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        root = np.sqrt(weights)
        solved, _, rank, _ = np.linalg.lstsq(x * root[:, None], y * root, rcond=1e-9)
        if rank < x.shape[1]:
            return None
        # A line may dip below zero where it is far from any median; there it has no relative error.
        fitted = np.maximum(x @ solved, 0.01 * y)
        relative = np.abs(y / fitted - 1)
        spread = float(np.median(relative)) / _MAD
        if np.allclose(solved, prices, rtol=1e-9, atol=0) or spread == 0:
            prices = solved
            break
        prices = solved
        weights = np.minimum(1.0, _HUBER * spread / np.maximum(relative, 1e-300)) / fitted**2
    return prices / scale


def _fit(
    what: str,
    prices: dict[str, float],
    table: Mapping[str, Floats],
    y: Floats,
    ranges: dict[str, Range],
    notes: tuple[str, ...],
) -> Fit | NoFit:
    fitted = sum((price * table[name] for name, price in prices.items()), np.zeros(len(y)))
    if np.any(fitted <= 0):
        return NoFit(what, "the fitted time is zero for some samples")
    residuals = np.log(y / fitted)
    # Prices lean to the samples that they are fitted to: the scatter of others is wider by this (the usual degrees of freedom).
    wider = np.sqrt(len(y) / max(1, len(y) - len(prices)))
    deviation = float(np.median(np.abs(residuals - np.median(residuals)))) / _MAD
    stalled = residuals > max(np.log(_STALLED), float(np.median(residuals)) + _STALL_DEVIATIONS * deviation)
    return Fit(
        what=what,
        prices=prices,
        residuals=tuple(map(float, np.where(stalled, 0.0, residuals * wider))),
        stalls=tuple(map(float, np.where(stalled, y - fitted, 0.0))),
        error=float(np.median(np.abs(fitted / y - 1))),
        n=len(y),
        ranges=ranges,
        notes=notes,
    )
