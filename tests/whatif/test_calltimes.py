"""Call times are fitted by model and endpoint, from what each call reports."""

import pytest

from tithe.whatif.calltimes import CallSample, fit_call_times, own_call_times, source_of
from tithe.whatif.described import Description, described_graph
from tithe.whatif.fit import Fit, NoFit
from tithe.whatif.graph import Call, Graph, Segment, Work


def sample(number: int, *, cached: bool = True, apart: bool = True, concurrency: int = 1) -> CallSample:
    prompt, hit, decoded = 1000 + 500 * number, (700 * number) % 900, 20 + 13 * (number % 5)
    ttft = 0.2 + 4e-4 * (prompt - hit) + 2e-5 * hit
    decode = decoded / 50
    return CallSample(
        prompt=prompt,
        cached=hit if cached else None,
        decoded=decoded,
        concurrency=concurrency,
        ttft_s=ttft * concurrency**0.5 if apart else None,
        decode_s=decode if apart else None,
        total_s=ttft + decode,
    )


def test_ttft_and_decode_are_fitted_apart_and_the_cache_is_known():
    times = fit_call_times("m", [sample(number) for number in range(30)])
    assert isinstance(times.ttft, Fit)
    assert times.ttft.prices == pytest.approx(
        {"constant": 0.2, "uncached tokens": 4e-4, "cached tokens": 2e-5}
    )
    assert isinstance(times.decode, Fit)
    assert times.decode.prices == pytest.approx({"decoded tokens": 0.02})
    assert times.knows_cache()


def test_without_cached_tokens_the_whole_prompt_has_one_price():
    times = fit_call_times("m", [sample(number, cached=False) for number in range(30)])
    assert isinstance(times.ttft, Fit)
    assert set(times.ttft.prices) == {"constant", "prompt tokens"}
    assert not times.knows_cache()


def test_whole_times_alone_are_fitted_as_such():
    times = fit_call_times("m", [sample(number, apart=False) for number in range(30)])
    assert isinstance(times.ttft, NoFit)
    assert isinstance(times.whole, Fit)
    assert times.whole.prices["decoded tokens"] == pytest.approx(0.02)


def test_what_runs_beside_others_is_slower_by_a_power_of_their_number():
    samples = [sample(number, concurrency=1 + (number % 2) * 3) for number in range(60)]
    assert 0.2 < fit_call_times("m", samples).crowding < 0.8
    assert fit_call_times("m", [sample(number) for number in range(30)]).crowding == 0.0


def test_models_and_endpoints_are_fitted_by_themselves_and_descriptions_not_at_all():
    calls = [Call(endpoint="a", model="m", prompt=100, decoded=5, ttft_s=1.0, decode_s=1.0)] * 3
    calls += [Call(model="m", prompt=100, decoded=5, whole_s=2.0), Call(failures=1, failed_s=3.0)]
    works = tuple(Work(bucket="overhead", seconds=0.0, call=call) for call in calls)
    graph = Graph(task="t", name="t", wall_s=1.0, segments=(Segment((), works),))
    assert set(own_call_times([graph, described_graph(Description(steps=3))])) == {"m at a", "m"}
    assert source_of(Call()) == "a model that is not reported"
