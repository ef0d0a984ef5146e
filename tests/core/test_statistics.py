from bisect import bisect_left, bisect_right
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.core.statistics import (
    bootstrapped_estimate,
    bootstrapped_means,
    jain,
    median,
    order_quantile,
    order_tail,
    paired_difference,
    quantile,
    ratio_of_means,
    slope_of_medians,
    tail,
    wilson,
)

FLOATS = st.floats(min_value=0, max_value=1e6)


def test_median_and_quantile_interpolate():
    estimate = median([1.0, 2.0, 3.0, 4.0])
    assert estimate is not None
    assert (estimate.value, estimate.n) == (2.5, 4)
    p95 = quantile(list(range(101)), 0.95)
    assert p95 is not None
    assert p95.value == 95.0


def test_nothing_measured_is_nothing_estimated():
    assert median([]) is None
    assert wilson(0, 0) is None
    assert jain([]) is None
    assert slope_of_medians({1.0: [1.0], 2.0: []}) is None


def test_two_samples_have_no_interval():
    estimate = median([1.0, 2.0])
    assert estimate is not None
    assert (estimate.low, estimate.high) == (None, None)


@given(st.lists(FLOATS, min_size=3, max_size=30), st.sampled_from([0.05, 0.5, 0.95]))
def test_an_interval_lies_within_the_samples_and_holds_its_median(values, q):
    estimate = quantile(values, q)
    assert estimate is not None
    assert min(values) <= estimate.low <= estimate.high <= max(values)
    assert estimate == quantile(values, q)


def test_the_bootstrap_interval_of_a_median_has_its_known_coverage():
    """Of 200 samples of 25 normal deviates, about 95 % of the intervals hold the true median 0."""
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        estimate = median(generator.normal(size=25).tolist())
        held += estimate.low <= 0 <= estimate.high
    assert 0.90 <= held / 200 <= 0.99


def test_differences_are_resampled_as_pairs():
    """A difference that is the same in every pair has no spread, however wide the samples spread."""
    estimate = paired_difference([(10.0, 8.0), (1000.0, 998.0), (50.0, 48.0)])
    assert (estimate.value, estimate.low, estimate.high) == (2.0, 2.0, 2.0)


def test_slope_of_a_line_is_its_slope_and_a_hiccup_does_not_tilt_it():
    groups = {x: [3.0 + 0.5 * x] * 5 for x in (1.0, 2.0, 8.0)}
    groups[8.0][0] = 1e6
    estimate = slope_of_medians(groups)
    assert estimate.value == pytest.approx(0.5)
    assert estimate.n == 5


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe 1998, table I, method 3; the last two rows by the formula's closed forms z2/(n+z2).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)],
)
def test_wilson_matches_published_values(successes, n, low, high):
    share = wilson(successes, n)
    assert share.low == pytest.approx(low, abs=5e-5)
    assert share.high == pytest.approx(high, abs=5e-5)
    assert share.value == successes / n


def test_jain_of_equal_shares_is_one_and_of_one_taker_one_nth():
    assert jain([5.0, 5.0, 5.0]) == pytest.approx(1.0)
    assert jain([8.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)
    assert jain([0.0, 0.0]) is None


@pytest.mark.parametrize(("q", "fewest"), [(0.95, 20), (0.99, 100)])
def test_a_tail_takes_samples_that_reach_into_it(q, fewest):
    """With fewer, the largest sample would be printed under another name."""
    assert tail([1.0] * (fewest - 1), q) is None
    told = tail([*range(fewest)], q)
    assert told is not None
    assert told.value < fewest - 1


def test_a_ratio_of_means_covers_the_true_ratio():
    draw = np.random.default_rng(3)
    covered = 0
    for seed in range(200):
        above, below = draw.normal(8.0, 1.0, 30), draw.normal(4.0, 1.0, 30)
        told = ratio_of_means(above.tolist(), below.tolist(), scale=3.0, seed=seed)
        assert told is not None
        covered += told.low <= 6.0 <= told.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_ratio_of_two_samples_has_no_interval():
    assert ratio_of_means([], [1.0]) is None
    told = ratio_of_means([2.0, 4.0], [1.0, 1.0, 1.0])
    assert told is not None
    assert (told.value, told.low, told.high, told.n) == (3.0, None, None, 2)


@given(st.lists(FLOATS, min_size=1, max_size=200, unique=True), st.sampled_from([0.05, 0.5, 0.95]))
def test_an_interval_by_order_statistics_covers_its_quantile_whatever_the_samples(values, q):
    """Its ends are samples, and the binomial's chance of holding the quantile is the level or more."""
    estimate = order_quantile(values, q)
    assert estimate is not None
    n, ranked = len(values), sorted(values)
    low = 0 if estimate.low is None else bisect_right(ranked, estimate.low)
    high = n + 1 if estimate.high is None else bisect_left(ranked, estimate.high) + 1
    assert sum(comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(low, high)) >= 0.95 - 1e-9
    if estimate.low is not None:
        assert estimate.low in values
        assert estimate.low <= estimate.value
    if estimate.high is not None:
        assert estimate.high in values
        assert estimate.high >= estimate.value


@pytest.mark.parametrize(
    ("n", "q", "ranks"),
    [
        (5, 0.5, (None, None)),
        (6, 0.5, (1, 6)),  # 1 - 2 / 2^6 > 0.95
        (10, 0.5, (2, 9)),
        (100, 0.5, (40, 61)),
        (71, 0.95, (63, None)),  # 0.95^71 > 0.025
        (72, 0.95, (64, 72)),
        (10_000, 0.5, (4902, 5099)),
    ],
)
def test_known_ranks_of_order_statistics(n, q, ranks):
    estimate = order_quantile([float(value) for value in range(1, n + 1)], q)
    assert estimate is not None
    assert (estimate.low, estimate.high) == ranks


def test_intervals_by_order_statistics_have_their_coverage():
    generator = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        estimate = order_quantile(generator.exponential(size=200).tolist(), 0.95)
        held += estimate.low <= -np.log(0.05) <= estimate.high
    assert held / 400 >= 0.93


def test_a_p95_by_order_statistics_takes_twenty_values():
    assert order_tail([1.0] * 19, 0.95) is None
    assert order_tail([1.0] * 20, 0.95) is not None


def test_means_are_resampled_row_by_row():
    rows = np.array([[value, 2 * value] for value in (1.0, 2.0, 3.0, 4.0)])
    means = bootstrapped_means(rows)
    assert means.shape == (2001, 2)
    assert means[0].tolist() == [2.5, 5.0]
    assert np.allclose(2 * means[:, 0], means[:, 1])
    estimate = bootstrapped_estimate(means[:, 1] / means[:, 0], 4)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((2.0, 2.0, 2.0))
    assert bootstrapped_means(rows[:2]).shape == (1, 2)
    assert bootstrapped_estimate(np.array([3.0]), 2).low is None
