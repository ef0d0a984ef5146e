"""How a change of seconds is split among its factors.

Theory. Seconds on the wall clock are so many units, each of so many seconds: W = n w, with w = W / n whether or not something
ran beside them. The change from A to B is split at the midpoint (Marshall 1887, Edgeworth 1925; for two factors it is also
the Shapley value):

    W_B - W_A  =  (n_B - n_A) (w_A + w_B) / 2    more of them
               +  (n_A + n_B) / 2 (w_B - w_A)    each slower

The two sum to the change, and change their signs when A and B change places. What is said of each unit is split further, by

    w  =  (tokens / unit) x (busy seconds / token) x (wall seconds / busy second)

into more tokens in each, slower tokens (where there are none: slower units), and less of it hidden by what ran beside it: each
by its Shapley value among the three, times the mean of n. (Together these are the Owen value of the factors, Owen 1977:
what is said of n does not depend on whether tokens were reported.) Wall clock is counted once and sums over
buckets, and so do these parts, however much ran in parallel; more parallelism is less wall clock a busy second.

A side that has none of a unit lends the other's seconds a unit, so that all of the change is more or fewer of them. What
cannot be told (no tokens reported; seconds without a unit) is left out, and the next factor takes its part.

Every figure is an array: of the sides' means first, then of the same means in each resample.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from tithe.core.statistics import Floats

Factor = Literal["count", "each", "tokens", "speed", "overlap"]


class Link(NamedTuple):
    """A quantity on both sides; a factor is what one link is a unit of the link before."""

    factor: Factor
    a: Floats
    b: Floats


class Share(NamedTuple):
    """What a factor adds to B's seconds, and the factor itself on both sides. NaN: a side has nothing to tell it from."""

    seconds: Floats
    a: float
    b: float


def split(links: Sequence[Link]) -> dict[Factor, Share]:
    """The change of the last link among the factors that lead to it.

    Args:
        links: units, tokens (if any), busy seconds, wall seconds, in this order.

    Returns:
        `count` and `each`, which sum to the change, and the factors within `each`, which sum to it. Empty where
        there are no units to count by.
    """
    chain = _told(links)
    if len(chain) < 2 or chain[0].factor != "count":
        return {}
    units, wall = chain[0], chain[-1]
    a, b = _ratios(units, wall)
    mean = (units.a + units.b) / 2
    found: dict[Factor, Share] = {
        "count": Share((units.b - units.a) * (a + b) / 2, float(units.a[0]), float(units.b[0])),
        "each": Share(mean * (b - a), _own(units.a, wall.a), _own(units.b, wall.b)),
    }
    steps = list(itertools.pairwise(chain))
    ratios = [_ratios(before, after) for before, after in steps]
    busy = any(link.factor == "speed" for link in chain)
    for (before, after), seconds in zip(steps, shapley(ratios), strict=True):
        # Without busy seconds the wall clock's tell the speed.
        factor = after.factor if busy or after.factor != "overlap" else "speed"
        found[factor] = Share(mean * seconds, _own(before.a, after.a), _own(before.b, after.b))
    return found


def shapley(factors: Sequence[tuple[Floats, Floats]]) -> list[Floats]:
    """The change from A to B of a product, shared among its factors, each given on A and on B (Shapley 1953).

    A factor's share is what its own change adds, on the mean over all orders in which the factors may change. Computed with
    more digits where the machine has them: where a factor changes a hundred-thousandfold, shares are large and nearly cancel.
    """
    count, shares = len(factors), list[Floats]()
    for place, (a, b) in enumerate(factors):
        others = [pair for other, pair in enumerate(factors) if other != place]
        share = np.zeros_like(a, dtype=np.longdouble)
        for changed in itertools.product((0, 1), repeat=count - 1):
            first = sum(changed)
            orders = math.factorial(first) * math.factorial(count - 1 - first) / math.factorial(count)
            term = np.full_like(a, orders, dtype=np.longdouble)
            for pair, side in zip(others, changed, strict=True):
                term = term * pair[side]
            share += term
        shares.append((share * (b - a)).astype(np.float64))
    return shares


def _told(links: Sequence[Link]) -> list[Link]:
    """The links that a factor can be told by: reported on both sides, and not zero where a later one is not."""
    kept: list[Link] = []
    for place, link in enumerate(links):
        later = links[place + 1 :]
        reported = math.isfinite(link.a[0]) and math.isfinite(link.b[0])
        if not later or (
            reported
            and not (link.a[0] <= 0 and any(other.a[0] > 0 for other in later))
            and not (link.b[0] <= 0 and any(other.b[0] > 0 for other in later))
        ):
            kept.append(link)
    return kept


def _ratios(under: Link, over: Link) -> tuple[Floats, Floats]:
    """`over` a unit of `under` on both sides; a side that has nothing of either takes the other's."""
    a, b = _ratio(under.a, over.a), _ratio(under.b, over.b)
    none_a, none_b = (under.a <= 0) & (over.a <= 0), (under.b <= 0) & (over.b <= 0)
    neither = none_a & none_b
    return np.where(neither, 0.0, np.where(none_a, b, a)), np.where(neither, 0.0, np.where(none_b, a, b))


def _ratio(under: Floats, over: Floats) -> Floats:
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)


def _own(under: Floats, over: Floats) -> float:
    return float(over[0] / under[0]) if under[0] > 0 else math.nan
