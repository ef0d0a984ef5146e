import pytest

from tithe.audit.prediction import CallTimes, call_times


def test_a_linear_endpoint_is_told_exactly_and_so_are_its_tasks(bench):
    prices = {"base_s": 0.03, "uncached_token_s": 0.0004, "cached_token_s": 0.00001, "decode_s": 0.002}
    truth = prices | {"block": 1}
    report = bench(**truth).audit()
    fitted = report.prediction.call_times
    assert fitted.base_s == pytest.approx(0.03, rel=1e-6)
    assert fitted.uncached_token_s == pytest.approx(0.0004, rel=1e-6)
    assert fitted.cached_token_s == pytest.approx(0.00001, rel=1e-6)
    assert fitted.token_s == pytest.approx(0.002, rel=1e-6)
    assert fitted.caches_from == 0
    assert [run.repeat for run in report.prediction.runs] == [0, 1, 2]
    for predicted in report.prediction.runs:
        # The known endpoint does not cache what it wrote itself; the prediction takes it for cached.
        assert predicted.error == pytest.approx(0.0, abs=0.1)
    assert abs(report.prediction.error.value) < 0.1


def test_where_nothing_is_cached_the_whole_prompt_is_paid_for(bench):
    report = bench(base_s=0.03, uncached_token_s=0.0004, caches=False).audit()
    assert report.prediction.call_times.caches_from is None
    for predicted in report.prediction.runs:
        assert predicted.error == pytest.approx(0.0, abs=0.01)


def test_a_prefix_too_short_for_the_cache_is_paid_for(bench):
    """Blocks of 400 tokens: of the three lengths, 128 is not cached, and no task's prompt is."""
    report = bench(base_s=0.03, uncached_token_s=0.0004, block=400).audit()
    assert report.prediction.call_times.caches_from == 512
    for predicted in report.prediction.runs:
        assert predicted.error == pytest.approx(0.0, abs=0.05)


def test_without_usage_nothing_is_predicted(bench):
    report = bench(reports_usage=False).audit()
    assert report.prediction is None


def test_no_price_is_below_zero(bench):
    """A cached prompt that is quicker the longer it is cannot be: the fit says that a cached token is free."""
    measured = bench(base_s=0.05, uncached_token_s=0.0001, cached_token_s=-0.00001).audit().measured
    fitted = call_times(measured.pairs, measured.totals, tail=50)
    assert fitted.cached_token_s == 0.0
    assert fitted.base_s > 0


def test_prices_add_up():
    times = CallTimes(base_s=1.0, uncached_token_s=0.1, cached_token_s=0.01, token_s=0.2, caches_from=None)
    assert times.ttft(30, 20) == pytest.approx(1.0 + 1.0 + 0.2)
    assert times.decode(6) == pytest.approx(1.0)
    assert times.decode(0) == 0.0
