import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tithe.ledger.factors import Link, shapley, split

QUANTITY = st.one_of(st.just(0.0), st.floats(min_value=1e-3, max_value=1e5))
TOKENS = st.one_of(st.just(math.nan), QUANTITY)


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


def chain(a: tuple[float, ...], b: tuple[float, ...]) -> list[Link]:
    return [
        Link(factor, one(left), one(right))
        for factor, left, right in zip(("count", "tokens", "speed", "overlap"), a, b, strict=True)
    ]


def added(found, *factors: str) -> float:
    return sum(float(found[factor].seconds[0]) for factor in factors if factor in found)


SECONDS = st.one_of(st.just(0.0), st.floats(min_value=1e-3, max_value=1e4))
SIDES = st.tuples(st.integers(0, 500), TOKENS, SECONDS, SECONDS)


@example((1, math.nan, 1024.0, 0.0), (142, math.nan, 0.001, 115.0))  # a factor that changes 115,000-fold
@given(SIDES, SIDES)
def test_parts_sum_to_the_change_whatever_is_missing(a, b):
    found = split(chain(a, b))
    if not found:
        # Nothing to count by: a side has seconds, tokens or work, and no units.
        assert any(side[0] == 0 and any(value > 0 for value in side[1:]) for side in (a, b))
        return
    change = b[3] - a[3]
    assert added(found, "count", "each") == pytest.approx(change, abs=1e-6)
    assert added(found, "tokens", "speed", "overlap") == pytest.approx(added(found, "each"), abs=1e-6)


@given(SIDES, SIDES)
def test_the_split_changes_its_sign_when_the_sides_change_places(a, b):
    there, back = split(chain(a, b)), split(chain(b, a))
    assert there.keys() == back.keys()
    for factor, share in there.items():
        assert share.seconds[0] == pytest.approx(-back[factor].seconds[0], abs=1e-6)
        assert (share.a, share.b) == pytest.approx((back[factor].b, back[factor].a), nan_ok=True)


def test_more_calls_and_slower_ones_are_split_at_the_midpoint():
    """2 calls of 3 s against 5 of 4 s: 3 more at 3.5 s, and 3.5 calls of 1 s more."""
    found = split([Link("count", one(2), one(5)), Link("overlap", one(6), one(20))])
    assert added(found, "count") == pytest.approx(3 * 3.5)
    assert added(found, "each") == pytest.approx(3.5 * 1)
    assert (found["each"].a, found["each"].b) == (3.0, 4.0)


def test_one_factor_that_changes_has_all_of_it():
    base = (4.0, 400.0, 8.0, 8.0)
    for place, factor in enumerate(("count", "tokens", "speed", "overlap")):
        other = tuple(value * (1.5 if at >= place else 1.0) for at, value in enumerate(base))
        found = split(chain(base, other))
        assert added(found, factor) == pytest.approx(4.0)
        assert added(found, "count", "tokens", "speed", "overlap") == pytest.approx(4.0)


def test_a_side_without_any_takes_the_others_seconds_a_unit():
    found = split(chain((0.0, 0.0, 0.0, 0.0), (3.0, 30.0, 6.0, 6.0)))
    assert added(found, "count") == pytest.approx(6.0)
    assert added(found, "each") == 0.0
    assert math.isnan(found["each"].a)


def test_without_tokens_units_are_slower_and_without_busy_time_too():
    nan = math.nan
    assert split(chain((2.0, nan, 4.0, 4.0), (2.0, 10.0, 6.0, 6.0))).keys() == {"count", "each", "speed", "overlap"}  # fmt: skip
    found = split(chain((2.0, nan, 0.0, 4.0), (2.0, nan, 0.0, 6.0)))
    assert added(found, "speed") == pytest.approx(2.0)
    assert "overlap" not in found


@given(st.lists(st.tuples(QUANTITY, QUANTITY), min_size=1, max_size=4))
def test_shapley_is_the_mean_over_all_orders(pairs):
    size = len(pairs)
    shares = shapley([(one(a), one(b)) for a, b in pairs])
    expected = [0.0] * size
    orders = list(itertools.permutations(range(size)))
    for order in orders:
        values = [a for a, _ in pairs]
        for place in order:
            before = math.prod(values)
            values[place] = pairs[place][1]
            expected[place] += (math.prod(values) - before) / len(orders)
    for share, wanted in zip(shares, expected, strict=True):
        assert share[0] == pytest.approx(
            wanted, rel=1e-6, abs=1e-6 * max(1.0, math.prod(max(p) for p in pairs))
        )
