"""How much longer a call takes beside others: what concurrency does to a first token, and to decoding.

Theory. An endpoint that decodes in batches takes for each step a time that grows with what is in it, so a call beside n others takes

    1 + share * max(0, n - free)

times what it takes alone: `free` others cost nothing, each further one adds `share`. With free = 0 that is a batch whose step is a
constant and so much a sequence; with free = c - 1 and share = 1 / c it is c servers that the calls share. n is the number of other calls
that were under way, on average over the time in question.

The share is fitted by least absolute errors through the origin, for each of a few `free`: the weighted median of (y / alone - 1) / z
with the weights z = n - free (Boscovich; Laplace 1793), where `alone` is what the call times say of a call alone, corrected by what calls alone
took among those that are looked at. Both kinds have to be there, calls alone and calls beside others. A share that comes out negative is 0.
"""

from collections.abc import Sequence
from typing import overload

import msgspec
import numpy as np

from tithe.core.statistics import Floats
from tithe.whatif.fit import NoFit

FEWEST = 8
"""The fewest calls alone, and the fewest beside others, that tell what others cost."""
ALONE = 0.05
"""A call beside so few others on average counts as alone."""
_FREE = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 11.0, 15.0, 23.0, 31.0, 47.0, 63.0)
# A law with calls that are served for free is taken only if it is so much nearer.
_NEARER = 0.8


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """The law. `n`: calls beside others that it was fitted to, and `most` the most others that one had. `error`: their median |fitted /
    measured - 1|."""

    what: str
    share: float
    free: float = 0.0
    n: int = 0
    most: float = 0.0
    error: float = 0.0

    @overload
    def slowdown(self, others: float) -> float: ...
    @overload
    def slowdown(self, others: Floats) -> Floats: ...
    def slowdown(self, others: float | Floats) -> float | Floats:
        """How many times as long it takes beside so many others."""
        return 1 + self.share * np.maximum(0.0, others - self.free)


def fit_beside(what: str, times: Sequence[float], alone: Floats, others: Sequence[float]) -> Beside | NoFit:
    """Fit the law to seconds that calls took, those that each takes alone, and the others that ran beside it."""
    many = np.asarray(others, dtype=np.float64)
    relative = np.asarray(times, dtype=np.float64) / alone
    beside = many > ALONE
    for found, kind in (
        (int(np.count_nonzero(~beside)), "alone"),
        (int(np.count_nonzero(beside)), "beside others"),
    ):
        if found < FEWEST:
            return NoFit(what, f"{found} calls ran {kind}; it takes {FEWEST}")
    many, relative = many[beside], relative[beside] / float(np.median(relative[~beside]))
    best: Beside | None = None
    least = np.inf
    for free in _FREE:
        over = np.maximum(0.0, many - free)
        if np.count_nonzero(over) < FEWEST:
            break
        share = max(0.0, _weighted_median((relative - 1)[over > 0] / over[over > 0], over[over > 0]))
        off = np.abs(1 + share * over - relative) / relative
        total = float(off.mean())
        if total < least * (_NEARER if best is not None else 1.0):
            least = total
            best = Beside(
                what=what,
                share=share,
                free=free if share else 0.0,
                n=len(many),
                most=float(many.max()),
                error=float(np.median(off)),
            )
    assert best is not None  # with nothing free all that ran beside others counts
    return best


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(sums, sums[-1] / 2)])
