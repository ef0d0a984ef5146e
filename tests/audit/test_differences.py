import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.audit.differences import Difference, by_pairs, by_ranks, by_shares


def test_pairs_by_hand():
    found = by_pairs([(1.0, 1.0 + 0.01 * k) for k in range(1, 11)], level=0.95)
    # Ten pairs: r = 2, since P(B < 2) = 11/1024 <= 0.025 < P(B < 3) = 56/1024.
    assert found.difference.value == pytest.approx(0.055)
    assert (found.difference.low, found.difference.high) == (pytest.approx(0.02), pytest.approx(0.09))
    assert found.ratio.low == pytest.approx(1.02)
    assert (found.base, found.detected) == (1.0, True)


@pytest.mark.parametrize(
    ("n", "level", "known"), [(5, 0.95, False), (6, 0.95, True), (7, 0.99, False), (8, 0.99, True)]
)
def test_too_few_pairs_have_no_interval(n: int, level: float, known: bool):
    found = by_pairs([(1.0, 2.0)] * n, level=level)
    assert (found.difference.low is not None) is known
    assert found.detected is (True if known else None)


def test_shares_as_newcombe_published():
    # Newcombe 1998, table II, method 10: 56/70 - 48/80 and 9/10 - 3/10.
    found = by_shares((48, 80), (56, 70), level=0.95)
    assert (found.difference.low, found.difference.high) == (
        pytest.approx(0.0524, abs=1e-4),
        pytest.approx(0.3339, abs=1e-4),
    )
    found = by_shares((3, 10), (9, 10), level=0.95)
    assert (found.difference.low, found.difference.high) == (
        pytest.approx(0.1705, abs=1e-4),
        pytest.approx(0.8090, abs=1e-4),
    )
    assert by_shares((0, 0), (3, 4), level=0.95).difference is None


def test_ranks_by_hand():
    # Hodges-Lehmann: the median of all nm differences.
    found = by_ranks([1.0, 2.0, 4.0], [3.0, 7.0], level=0.95)
    assert found.difference.value == np.median([2, 1, -1, 6, 5, 3])
    assert found.difference.low is None
    apart = by_ranks([1.0 + 0.01 * k for k in range(8)], [2.0 + 0.01 * k for k in range(8)], level=0.99)
    assert apart.detected
    assert apart.ratio.value == pytest.approx(2.0, rel=0.05)


def misses(level: float, n: int, by: str) -> float:
    """The share of comparisons of an endpoint with itself that detect a difference."""
    draw, wrong, runs = np.random.default_rng(3), 0, 1500
    for _ in range(runs):
        base, other = draw.lognormal(0.0, 0.6, n), draw.lognormal(0.0, 0.6, n)
        found = (
            by_pairs(list(zip(base, other, strict=True)), level=level)
            if by == "pairs"
            else by_ranks(base, other, level=level)
        )
        wrong += bool(found.detected)
    return wrong / runs


@pytest.mark.parametrize("n", [10, 40])
@pytest.mark.parametrize("by", ["pairs", "ranks"])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_intervals_cover_what_they_promise(level: float, n: int, by: str):
    chance = 1 - level
    allowed = chance + 4 * math.sqrt(chance * level / 1500)
    assert misses(level, n, by) <= allowed


@given(st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=1, max_size=40))
def test_a_ratio_excludes_one_where_the_difference_excludes_nothing(pairs: list[tuple[float, float]]):
    for found in (
        by_pairs(pairs, level=0.95),
        by_ranks([first for first, _ in pairs], [second for _, second in pairs], level=0.95),
    ):
        if found.detected:
            assert not found.ratio.low <= 1 - 1e-9 <= 1 + 1e-9 <= found.ratio.high
        mirrored: Difference = by_pairs([(second, first) for first, second in pairs], level=0.95)
        if found.by == "pairs":
            assert mirrored.difference.value == pytest.approx(-found.difference.value)
