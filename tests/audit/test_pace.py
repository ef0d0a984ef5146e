import numpy as np
import pytest

from tithe.audit.pace import fit


@pytest.mark.parametrize(("budget", "steps"), [(0.5, 2), (0.19, 0), (0.2, 1), (30.0, 150), (300.0, 1500)])
def test_steps_that_never_vary_fit_as_division_says(budget, steps):
    found = fit([0.2] * 10, budget + 1e-9, seed=0)
    assert (found.steps_p50, found.steps_p95) == (steps, steps)


def test_with_spread_fewer_fit_for_sure_than_on_the_middle():
    times = [0.1, 0.1, 0.1, 0.5]
    for budget in (2.0, 30.0, 300.0):
        found = fit(times, budget, seed=0)
        assert found.steps_p50 == pytest.approx(budget / 0.2, rel=0.1)
        assert found.steps_p95 < found.steps_p50


def test_resampled_and_normal_totals_agree_where_they_meet():
    times = list(np.random.default_rng(1).gamma(4, 0.05, size=40))
    mean = sum(times) / len(times)
    below, above = fit(times, 199 * mean, seed=0), fit(times, 201 * mean, seed=0)
    assert below.steps_p95 == pytest.approx(above.steps_p95, abs=5)
    assert below.steps_p50 == pytest.approx(above.steps_p50, abs=5)


def test_the_share_of_runs_that_stay_within_is_what_it_says():
    times = [0.05, 0.1, 0.3]
    found = fit(times, 5.0, seed=3)
    draw = np.random.default_rng(9)
    totals = draw.choice(times, size=(4000, found.steps_p95)).sum(axis=1)
    assert np.mean(totals <= 5.0) == pytest.approx(0.95, abs=0.04)


def test_the_pace_is_of_the_steps_own_length(bench):
    report = bench(repeats=6, base_s=0.02, uncached_token_s=0.0, decode_s=0.002).audit()
    step_s = 0.02 + 15 * 0.002
    assert report.pace.step_p50_s.value == pytest.approx(step_s)
    assert report.pace.steps_a_minute_p50 == pytest.approx(60 / step_s)
    assert [found.steps_p50 for found in report.pace.fits] == [
        pytest.approx(budget / step_s, abs=1.01) for budget in (0.5, 30, 120, 300)
    ]


def test_without_answers_enough_there_is_no_pace(bench):
    assert bench(fails_after=6).audit().pace is None
    assert bench(repeats=4).audit().pace is None


def test_a_p95_of_a_step_takes_20_of_them(bench):
    assert bench(repeats=6).audit().pace.step_p95_s is None
