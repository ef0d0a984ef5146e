"""Robust regression of times on sizes, with no price below zero.

Theory. A time y is a sum of prices b times sizes x, and what is random in it is a factor: y = (x b) e. So errors count
relative to what was expected, and the fit is by iteratively reweighted least squares with Huber's weights (Huber 1964;
Holland & Welsch 1977 for the algorithm and the constant):

    r = y / (x b) - 1,  s = median |r| / 0.6745,  weight = min(1, 1.345 s / |r|) / (x b)^2

until the prices stand still. A slow outlier so loses its pull. A price that comes out negative is taken out and the rest
fitted anew; so is a size that hardly varies, whose price the data cannot tell from the constant, and a price of which nothing is known
but that it may be nothing. That is told by the standard error of such a fit (Huber 1981, sec. 7.6): with X = x / (x b), psi the
residuals cut off at 1.345 s, m the share of those that are not, n samples and p prices,

    cov b = sum psi^2 / (n - p) / m^2 * (X' X)^-1,   kept where  b > t(0.975, n - p) * standard error

so fewer samples carry fewer prices. Half of that has to hold without the sample that pulls at the line most, lest one call alone set a price (a
task's first one, say, whose prompt alone is new). What was taken out is noted.

How far a fit is off is told out of sample: each time from a fit to the others. With the weights as they are that takes no second fit: the
residual over 1 - h, h being the sample's own pull on it (the diagonal of X (X' X)^-1 X'; Allen 1974).

Of few samples neither the line nor the scatter is known well. The scatter of times that are yet to come is wider than that of the samples,
by sqrt(n / (n - p)) for the prices that lean to them, and by t(0.9) / z(0.9) for its own size being a guess. The line as a whole may lie off by
scatter * sqrt(p / n), the same for all calls that are told from it (`location`).

The residuals are kept as log(y / (x b)). A projection multiplies by resampled exp(residual): a distribution comes out with the spread of
what was measured, and since the mean of those factors is in it, sums are not biased by the fit's being one of medians
(Duan's smearing estimate, 1983).

A call that took several times as long as any such scatter explains has stalled: what held it up was there for so many seconds,
not for so many times its size. Its excess is kept in seconds, and is resampled as often as it was seen.
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

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
# A price is kept where the 95 % interval around it holds more than nothing; projections have intervals of 80 %.
_TOLD, _PROJECTED = 0.975, 0.9
# Without the sample that pulls most a price has to be so much of t standard errors still.
_WITHOUT = 0.5


class Range(msgspec.Struct, frozen=True, array_like=True):
    """The least and the most of a size that the fit has seen."""

    low: float
    high: float


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted time. `prices`: seconds for one of each size, `constant` among them. `residuals`: log(measured / fitted), widened for the
    prices that were fitted and for how few told them, 0 for a call that stalled; `stalls`: by how many seconds, sample for sample.

    `error`: the median of |told / measured - 1|, each time told from all others. `location`: the standard deviation of log(fitted / true) that
    all calls have in common. `ranges`: of each size, what was seen. `notes`: what was left out, and why.
    """

    what: str
    prices: dict[str, float]
    residuals: tuple[float, ...]
    stalls: tuple[float, ...]
    error: float
    n: int
    ranges: dict[str, Range]
    location: float = 0.0
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
        worst, why = _worst(np.column_stack([table[name] for name in kept]), y, prices, kept)
        if worst is None:
            return _fit(
                what, dict(zip(kept, map(float, prices), strict=True)), table, y, ranges, tuple(notes)
            )
        notes.append(f"{kept[worst]}: {why}")
        kept.pop(worst)
    return NoFit(what, "no size explains it: every price came out negative")


def _worst(x: Floats, y: Floats, prices: Floats, names: Sequence[str]) -> tuple[int | None, str]:
    """The place of the price that is to go first, and why; None: all are told. The last of them stays unless it is negative."""
    place = int(np.argmin(prices))
    if prices[place] < 0:
        return place, "its price came out negative, and was left out"
    told = _told(x, y, prices)
    others = np.arange(len(y)) != int(np.argmax(_pull(x / np.maximum(x @ prices, 0.01 * y)[:, None])))
    if len(y) > max(FEWEST, 2 * len(names)):
        without = _irls(x[others], y[others])
        told = (
            np.zeros_like(told)
            if without is None
            else np.minimum(told, _told(x[others], y[others], without) / _WITHOUT)
        )
    of_sizes = [place for place, name in enumerate(names) if name != "constant"]
    if len(names) < 2 or not of_sizes:
        return None, ""
    place = min(of_sizes, key=lambda one: float(told[one]))
    if told[place] > student(_TOLD, len(y) - len(names)):
        return None, ""
    return place, "its price may as well be nothing, by what was seen, and was left out"


def _told(x: Floats, y: Floats, prices: Floats) -> Floats:
    """Each price over its standard error."""
    errors = _standard_errors(x, y, prices)
    return np.where(errors > 0, prices / np.maximum(errors, 1e-300), np.where(prices > 0, np.inf, 0.0))


def _standard_errors(x: Floats, y: Floats, prices: Floats) -> Floats:
    """Of each price, from the relative residuals; see the top of the file."""
    fitted = np.maximum(x @ prices, 0.01 * y)
    relative = y / fitted - 1
    degrees = max(1, len(y) - x.shape[1])
    bound = _HUBER * float(np.median(np.abs(relative))) / _MAD * np.sqrt(len(y) / degrees)
    inside = max(0.1, float((np.abs(relative) <= bound).mean()))
    variance = float(np.sum(np.clip(relative, -bound, bound) ** 2)) / degrees / inside**2
    rows, scale = _scaled(x / fitted[:, None])
    spread = np.linalg.pinv(rows.T @ rows).diagonal() / scale**2
    return np.sqrt(variance * np.maximum(spread, 0.0))


def _pull(x: Floats) -> Floats:
    """Of each sample, how much of it the line goes along with."""
    rows, _ = _scaled(x)
    return np.einsum("ij,jk,ik->i", rows, np.linalg.pinv(rows.T @ rows), rows)


def _scaled(x: Floats) -> tuple[Floats, Floats]:
    scale = np.abs(x).max(axis=0)
    return x / scale, scale


def student(q: float, degrees: int) -> float:
    """The quantile `q` of Student's t, by its expansion around the normal's (Abramowitz & Stegun 1964, 26.7.5): within 1 % from three
    degrees of freedom up."""
    z, n = NormalDist().inv_cdf(q), max(1, degrees)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / n**power for power, term in enumerate(terms, start=1))


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
    x = np.column_stack([table[name] for name in prices])
    fitted = x @ np.asarray(list(prices.values()))
    if np.any(fitted <= 0):
        return NoFit(what, "the fitted time is zero for some samples")
    residuals = np.log(y / fitted)
    degrees = max(1, len(y) - len(prices))
    wider = np.sqrt(len(y) / degrees) * student(_PROJECTED, degrees) / NormalDist().inv_cdf(_PROJECTED)
    deviation = float(np.median(np.abs(residuals - np.median(residuals)))) / _MAD
    stalled = residuals > max(np.log(_STALLED), float(np.median(residuals)) + _STALL_DEVIATIONS * deviation)
    kept = np.where(stalled, 0.0, residuals * wider)
    others = np.maximum(1 - _pull(x / fitted[:, None]), 1e-3)
    return Fit(
        what=what,
        prices=prices,
        residuals=tuple(map(float, kept)),
        stalls=tuple(map(float, np.where(stalled, y - fitted, 0.0))),
        error=float(np.median(np.abs((fitted / y - 1) / others))),
        n=len(y),
        ranges=ranges,
        location=float(np.std(kept)) * float(np.sqrt(len(prices) / len(y))),
        notes=notes,
    )
