"""Call times are fitted by model and endpoint, from what each call reports."""

import numpy as np
import pytest

from tithe.whatif.beside import Beside
from tithe.whatif.calltimes import CallSample, fit_call_times, own_call_times, source_of
from tithe.whatif.described import Description, described_graph
from tithe.whatif.fit import Fit, NoFit
from tithe.whatif.graph import Call, Graph, Segment, Work


def sample(number: int, *, cached: bool = True, apart: bool = True, others: float = 0.0) -> CallSample:
    prompt, hit, decoded = 1000 + 500 * number, (700 * number) % 900, 20 + 13 * (number % 5)
    ttft = 0.2 + 4e-4 * (prompt - hit) + 2e-5 * hit
    decode = decoded / 50 * (1 + 0.5 * others)
    return CallSample(
        prompt=prompt,
        cached=hit if cached else None,
        decoded=decoded,
        others_first=others,
        others_rest=others,
        ttft_s=ttft * (1 + 0.2 * others) if apart else None,
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


def test_decode_is_fitted_to_output_tokens_and_concurrency_and_its_price_is_of_calls_alone():
    times = fit_call_times("m", [sample(number, others=3.0 * (number % 2)) for number in range(60)])
    assert isinstance(times.decode_beside, Beside)
    assert isinstance(times.ttft_beside, Beside)
    assert (times.decode_beside.share, times.ttft_beside.share) == (pytest.approx(0.5), pytest.approx(0.2))
    assert isinstance(times.decode, Fit)
    assert times.decode.prices == pytest.approx({"decoded tokens": 0.02})
    assert times.decode.n == 30
    assert times.slower("decode", np.asarray([0.0, 2.0])) == pytest.approx([1.0, 2.0])


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ([0.0] * 60, "no call ran beside another of its task"),
        ([0.0] * 55 + [2.0] * 5, "5 calls ran beside others; it takes 8"),
        ([2.0] * 57 + [0.0] * 3, "of calls alone, 3 samples; it takes 5"),
    ],
)
def test_what_the_calls_do_not_tell_of_concurrency_is_not_known_and_all_of_them_are_fitted(others, reason):
    times = fit_call_times("m", [sample(number, others=many) for number, many in enumerate(others)])
    assert times.decode_beside == NoFit("decode beside others", reason)
    assert isinstance(times.decode, Fit)
    assert times.decode.n == 60
    assert times.slower("decode", np.asarray([5.0])) == pytest.approx([1.0])


def test_rounds_of_agents_tell_concurrency_apart_from_what_calls_alone_take():
    # They decode faster than the others, since their text is another: only how much slower they get counts.
    rounds = [
        CallSample(prompt=500, decoded=80, others_first=n, others_rest=n, ttft_s=0.1, decode_s=1.0 + 0.3 * n)
        for n in (0.0, 1.0, 4.0)
        for _ in range(10)
    ]
    times = fit_call_times("m", [sample(number) for number in range(30)], rounds=rounds)
    assert isinstance(times.decode_beside, Beside)
    assert times.decode_beside.share == pytest.approx(0.3)
    assert isinstance(times.decode, Fit)
    assert (times.decode.n, times.decode.prices["decoded tokens"]) == (30, pytest.approx(0.02))


def test_models_and_endpoints_are_fitted_by_themselves_and_descriptions_not_at_all():
    calls = [Call(endpoint="a", model="m", prompt=100, decoded=5, ttft_s=1.0, decode_s=1.0)] * 3
    calls += [Call(model="m", prompt=100, decoded=5, whole_s=2.0), Call(failures=1, failed_s=3.0)]
    works = tuple(Work(bucket="overhead", seconds=0.0, call=call) for call in calls)
    graph = Graph(task="t", name="t", wall_s=1.0, segments=(Segment((), works),))
    assert set(own_call_times([graph, described_graph(Description(steps=3))])) == {"m at a", "m"}
    assert source_of(Call()) == "a model that is not reported"


def test_what_is_cached_costs_no_more_than_what_is_not():
    samples = [
        CallSample(prompt=1000 + 7 * (cached % 11), cached=cached, ttft_s=0.2 + 4e-4 * cached, decoded=0)
        for cached in range(100, 900, 50)
    ]
    times = fit_call_times("m", samples)
    assert isinstance(times.ttft, Fit)
    assert "cached tokens" not in times.ttft.prices
    assert any("what is cached would cost more" in note for note in times.ttft.notes)
    assert not times.knows_cache()


def test_a_fit_that_is_far_off_is_doubted():
    chance = np.random.default_rng(5)

    def told(deviation: float) -> tuple[str, ...]:
        factors = np.exp(chance.normal(0, deviation, 60))
        samples = [
            CallSample(prompt=1000, decoded=50, ttft_s=0.3 * float(one), decode_s=1.0) for one in factors
        ]
        return fit_call_times("m at h", samples).doubts

    assert told(0.1) == ()
    [doubt] = told(0.8)
    assert "TTFT of m at h is off by" in doubt
