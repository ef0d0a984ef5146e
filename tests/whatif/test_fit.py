"""The fit finds the prices that times were made with, whatever a few of them suffered, and refuses what carries none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.whatif.fit import Fit, NoFit, fit_times, student


def made(prices: tuple[float, float, float], n: int, seed: int, outliers: int = 0):
    chance = np.random.default_rng(seed)
    uncached, cached = chance.uniform(50, 4000, n), chance.uniform(0, 20_000, n)
    times = (prices[0] + prices[1] * uncached + prices[2] * cached) * np.exp(chance.normal(0, 0.03, n))
    times[:outliers] *= 12
    return {"uncached": list(uncached), "cached": list(cached)}, list(times)


@given(
    st.floats(0.05, 1.0), st.floats(1e-4, 1e-3), st.floats(1e-5, 1e-4), st.integers(0, 1000), st.integers(0, 6)
)  # fmt: skip
def test_it_finds_the_prices_beside_outliers(constant, uncached, cached, seed, outliers):
    fit = fit_times("TTFT", *made((constant, uncached, cached), 60, seed, outliers))
    assert isinstance(fit, Fit)
    assert fit.prices["uncached"] == pytest.approx(uncached, rel=0.15)
    assert fit.prices["cached"] == pytest.approx(cached, rel=0.2, abs=1e-5)
    assert fit.error < 0.06
    assert sum(stall > 0 for stall in fit.stalls) == outliers


def test_exact_times_give_exact_prices():
    fit = fit_times("whole", {"tokens": [10, 20, 30, 40, 50, 60]}, [1.1, 1.2, 1.3, 1.4, 1.5, 1.6])
    assert isinstance(fit, Fit)
    assert fit.prices == pytest.approx({"constant": 1.0, "tokens": 0.01})
    assert fit.error == pytest.approx(0, abs=1e-9)


def test_the_mean_has_scatter_and_stalls_in_it():
    sizes, times = made((0.5, 1e-4, 1e-5), 50, 3)
    times[7] += 60.0
    fit = fit_times("TTFT", sizes, times)
    assert isinstance(fit, Fit)
    predicted = fit.mean_seconds({name: np.asarray(values) for name, values in sizes.items()})
    assert float(predicted.sum()) == pytest.approx(sum(times), rel=0.02)
    assert max(fit.factors) < 1.2


def test_a_price_below_zero_and_a_size_without_spread_are_left_out_and_said():
    chance = np.random.default_rng(0)
    falling = list(chance.uniform(0, 100, 40))
    fit = fit_times("TTFT", {"a": falling, "b": [500.0] * 40}, [2.0 - 0.01 * one for one in falling])
    assert isinstance(fit, Fit)
    assert list(fit.prices) == ["constant"]
    assert any("negative" in note for note in fit.notes)
    assert any("hardly varies" in note for note in fit.notes)


@pytest.mark.parametrize(
    ("sizes", "times", "reason"),
    [
        ({"a": [1, 2, 3]}, [1, 2, 3], "3 samples; it takes 5"),
        ({"a": range(1, 6), "b": [9, 2, 7, 1, 5], "c": [4, 8, 1, 9, 2]}, [1, 2, 3, 4, 5], "5 samples for 4 prices"),
    ],
)  # fmt: skip
def test_too_little_is_refused_with_the_reason(sizes, times, reason):
    fit = fit_times("TTFT", sizes, times)
    assert isinstance(fit, NoFit)
    assert reason in fit.reason


def test_a_price_that_may_as_well_be_nothing_is_left_out_and_said():
    kept = 0
    for seed in range(100):
        chance = np.random.default_rng(seed)
        sizes = {"a": list(chance.integers(15, 500, 6)), "b": list(np.cumsum(chance.integers(50, 200, 6)))}
        fit = fit_times("TTFT", sizes, list(0.6 * np.exp(chance.normal(0, 0.1, 6))))
        assert isinstance(fit, Fit)
        kept += len(fit.prices) > 1
        assert len(fit.notes) == 3 - len(fit.prices)
    assert kept < 20


def test_the_error_is_of_times_that_the_fit_has_not_seen():
    chance = np.random.default_rng(4)
    sizes = list(chance.uniform(100, 4000, 8))
    times = [(0.3 + 1e-3 * size) * float(np.exp(chance.normal(0, 0.2))) for size in sizes]
    fit = fit_times("TTFT", {"a": sizes}, times)
    assert isinstance(fit, Fit)
    told = fit.seconds({"a": np.asarray(sizes)})
    assert fit.error > float(np.median(np.abs(told / np.asarray(times) - 1)))
    left = [
        fit_times(
            "TTFT", {"a": sizes[:one] + sizes[one + 1 :]}, times[:one] + times[one + 1 :]
        ).seconds({"a": np.asarray(sizes[one : one + 1])})[0]  # pyright: ignore[reportAttributeAccessIssue]
        / times[one] - 1
        for one in range(8)
    ]  # fmt: skip
    assert fit.error == pytest.approx(float(np.median(np.abs(left))), rel=0.35)


def test_of_fewer_samples_the_scatter_is_wider_and_the_line_less_certain():
    def spread(n: int) -> tuple[float, float]:
        # Medians over many samples of one scatter, so that chance does not rule.
        fits = [
            fit_times("d", {}, list(np.exp(np.random.default_rng(seed).normal(0, 0.1, n))))
            for seed in range(200)
        ]
        found = [
            (float(np.mean(np.square(fit.residuals))) ** 0.5, fit.location)
            for fit in fits
            if isinstance(fit, Fit)
        ]
        return float(np.median([one for one, _ in found])), float(np.median([one for _, one in found]))

    few, many = spread(6), spread(200)
    assert many == pytest.approx((0.1, 0.1 / 200**0.5), rel=0.05)
    assert few[0] > 1.05 * many[0]
    assert few[1] > 5 * many[1]


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(3, 3.182), (4, 2.776), (5, 2.571), (10, 2.228), (100, 1.984)]
)
def test_students_quantile_is_that_of_the_tables(degrees, quantile):
    assert student(0.975, degrees) == pytest.approx(quantile, rel=0.01)


def test_one_sample_alone_sets_no_price():
    chance = np.random.default_rng(2)
    sizes = [530.0, *chance.uniform(20, 60, 14)]
    times = [0.115, *(0.06 * np.exp(chance.normal(0, 0.01, 14)))]
    fit = fit_times("TTFT", {"uncached": sizes}, times)
    assert isinstance(fit, Fit)
    assert list(fit.prices) == ["constant"]
    several = fit_times("TTFT", {"uncached": sizes * 3}, times * 3)
    assert isinstance(several, Fit)
    assert "uncached" in several.prices
