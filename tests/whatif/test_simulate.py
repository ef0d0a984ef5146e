"""Timed again under a change: what must go up or down does, draw by draw, and each design costs what it is."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger.trees import span, span_trees

from tithe.trace.tree import build_tree
from tithe.whatif.answers import Nudge
from tithe.whatif.beside import Beside
from tithe.whatif.calltimes import CallSample, fit_call_times, own_call_times
from tithe.whatif.change import Change
from tithe.whatif.described import Description, described_graph
from tithe.whatif.fit import Fit
from tithe.whatif.graph import Call, Graph, Segment, Work, graph_of
from tithe.whatif.profile import Profile
from tithe.whatif.simulate import seconds_of, simulate

PLAIN = described_graph(Description(steps=10, out=80, tool_s=0.4, prompt=2000))


def recorded(calls: int = 12, *, scatter: float = 0.1) -> Graph:
    """A task of calls whose times scatter, with a tool after each."""
    chance = np.random.default_rng(1)
    works: list[Work] = []
    for number in range(calls):
        prompt, cached = 1000 + 300 * number, int(chance.integers(0, 1000))
        ttft = (0.2 + 3e-4 * (prompt - cached) + 1e-5 * cached) * np.exp(chance.normal(0, scatter))
        decoded = int(chance.integers(30, 200))
        call = Call(
            model="m", prompt=prompt, cached=cached, decoded=decoded, ttft_s=float(ttft),
            decode_s=float(decoded / 60 * np.exp(chance.normal(0, scatter))), place=number,
        )  # fmt: skip
        works += [Work(bucket="overhead", seconds=0.01, call=call), Work(bucket="tool", seconds=0.3)]
    wall = sum(work.seconds + sum(_times(work.call)) for work in works)
    return Graph(task="r", name="r", wall_s=wall, segments=(Segment((), tuple(works)),))


def _times(call: Call | None) -> tuple[float, float]:
    return (0.0, 0.0) if call is None else (call.ttft_s or 0.0, call.decode_s or 0.0)


def profile(*, base: float = 0.1) -> Profile:
    chance = np.random.default_rng(2)
    samples = []
    for _ in range(60):
        prompt, decoded = int(chance.integers(200, 6000)), int(chance.integers(20, 200))
        cached = int(chance.integers(0, prompt))
        ttft = (base + 1e-4 * (prompt - cached) + 5e-6 * cached) * np.exp(chance.normal(0, 0.1))
        samples.append(
            CallSample(
                prompt=prompt, cached=cached, decoded=decoded, ttft_s=float(ttft), decode_s=decoded / 200
            )
        )
    return Profile(name="p", times=fit_call_times("p", samples))


@settings(deadline=None)
@given(span_trees(), st.floats(0, 3), st.floats(0, 3), st.floats(5, 300), st.floats(0.1, 3))
def test_it_is_monotone_in_ttft_rate_and_tools(spans, ttft, more, rate, tools):
    graph = graph_of(build_tree(spans), task="t", name="t")
    own = own_call_times([graph])

    def walls(**given) -> np.ndarray:
        return simulate(
            graph, Change(**{"ttft_s": ttft, "tokens_per_s": rate, "tools": tools, **given}), own, draws=8
        ).wall

    base = walls()
    assert np.all(walls(ttft_s=ttft + more) >= base - 1e-9 * (1 + base))
    assert np.all(walls(tokens_per_s=rate * (1 + more)) <= base + 1e-9 * (1 + base))
    assert np.all(walls(tools=tools + more) >= base - 1e-9 * (1 + base))
    assert np.all(walls(speedup=1 + more) <= base + 1e-9 * (1 + base))


@given(span_trees())
def test_buckets_sum_to_the_wall_clock_in_every_draw(spans):
    graph = graph_of(build_tree(spans), task="t", name="t")
    change = Change(ttft_s=0.3, tokens_per_s=50, retries=0.2, candidates=2, verify=True, parallel_tools=True)
    found = simulate(graph, change, own_call_times([graph]), draws=6)
    np.testing.assert_allclose(found.buckets.sum(axis=1), found.wall, rtol=1e-9, atol=1e-6)


def test_speed_divides_inference_and_failed_attempts_and_leaves_tools_and_backoff():
    works = (
        Work(bucket="overhead", seconds=1.0, call=Call(ttft_s=2.0, decode_s=4.0, failures=1, failed_s=3.0, backoff_s=5.0)),
        Work(bucket="tool", seconds=7.0),
    )  # fmt: skip
    graph = Graph(task="t", name="t", wall_s=22.0, segments=(Segment((), works),))
    assert simulate(graph, Change(speedup=10)).wall[0] == pytest.approx(0.2 + 0.4 + 0.3 + 5 + 7 + 1)


def test_faster_inference_has_its_chance_anew_where_calls_tell_how_they_scatter():
    graph = recorded(calls=200)
    own = own_call_times([graph])
    walls = simulate(graph, Change(speedup=10), own, draws=2000).wall
    recorded_s = graph.wall_s - 200 * 0.31
    assert np.median(walls) == pytest.approx(200 * 0.31 + recorded_s / 10, rel=0.01)
    # The scatter of a sum of independent calls, of which each has a tenth, and what the fits may be off by for all of them.
    parts = np.asarray([[call.ttft_s or 0.0, call.decode_s or 0.0] for call in graph.calls]) / 10
    [times] = own.values()
    off = np.asarray([fit.location for fit in (times.ttft, times.decode) if isinstance(fit, Fit)])
    expected = np.sqrt(0.1**2 * (parts**2).sum() + ((off * parts.sum(axis=0)) ** 2).sum())
    assert walls.std() == pytest.approx(expected, rel=0.1)
    assert np.ptp(simulate(graph, Change(speedup=10), {}, draws=50).wall) == 0
    assert np.ptp(simulate(graph, Change(), own, draws=50).wall) == 0


def test_a_stall_is_met_as_often_as_it_was_seen_not_always_by_the_same_call():
    graph = recorded(calls=60, scatter=0.02)
    [segment] = graph.segments
    hung = next(work for work in segment.works if work.call is not None)
    assert hung.call is not None
    slow = msgspec.structs.replace(hung.call, ttft_s=30.0)
    works = tuple(
        msgspec.structs.replace(hung, call=slow) if work is hung else work for work in segment.works
    )
    graph = msgspec.structs.replace(graph, segments=(Segment((), works),))
    prefill = simulate(graph, Change(speedup=2), own_call_times([graph]), draws=4000).buckets
    met = seconds_of(prefill)["prefill"]
    usual = sum(call.ttft_s or 0.0 for call in graph.calls if call is not slow) / 2
    assert met == pytest.approx(usual + 15.0, rel=0.1)
    assert prefill.sum(axis=1).min() < graph.wall_s - 28.0


def test_a_share_of_failures_costs_as_many_calls_more():
    walls = simulate(PLAIN, Change(retries=0.2), draws=20_000).buckets.mean(axis=0)
    told = seconds_of(np.asarray([walls]))
    assert told["retry"] == pytest.approx((told["prefill"] + told["decode"]) * 0.25, rel=0.03)


def test_candidates_take_the_slowest_and_equally_fast_ones_take_no_longer():
    assert simulate(PLAIN, Change(candidates=3)).wall[0] == pytest.approx(PLAIN.wall_s)
    graph, there = recorded(), profile()
    one, three = (simulate(graph, Change(profile=there, candidates=n), draws=2000).wall for n in (1, 3))
    assert np.all(three >= one)
    assert 1.02 < three.mean() / one.mean() < 1.3


def test_candidates_slow_each_other_down_as_the_audit_s_calls_did():
    law = Beside(what="decode beside others", share=0.5)
    there = profile()
    narrow = msgspec.structs.replace(there, times=msgspec.structs.replace(there.times, decode_beside=law))
    graph = recorded()
    free, contended = (
        simulate(graph, Change(profile=there, candidates=3), draws=200).buckets.mean(axis=0)
        for there in (profile(), narrow)
    )
    assert seconds_of(contended[None])["decode"] == pytest.approx(2 * seconds_of(free[None])["decode"])


def test_a_check_is_a_short_call_for_each_answer():
    found = seconds_of(simulate(PLAIN, Change(verify=True)).buckets)
    assert found["validation"] == pytest.approx(10 * (0.6 + 10 / 60))


def test_tools_that_one_answer_asked_for_run_at_once():
    graph = graph_of(
        build_tree(
            [
                span("task", "task", 0.0, 7.0, source="api"),
                span("c", "call", 0.0, 1.0, "task", first_token=0.5, last_token=1.0, asked_tools=[["a", "x"], ["b", "y"]]),
                span("t1", "tool", 1.0, 3.0, "task", tool_call_id="a"),
                span("t2", "tool", 3.0, 6.0, "task", tool_call_id="b"),
                span("d", "call", 6.0, 7.0, "task", first_token=0.5, last_token=1.0),
            ]
        ),
        task="t",
        name="t",
    )  # fmt: skip
    assert simulate(graph, Change(parallel_tools=True)).wall[0] == pytest.approx(5.0)


def test_a_warm_cache_is_faster_and_a_cold_one_slower_by_what_the_fit_says():
    graph = recorded(20, scatter=0.02)
    own = own_call_times([graph])
    before, warm, cold = (
        seconds_of(simulate(graph, Change(cache=cache), own).buckets)["prefill"]
        for cache in (None, "warm", "cold")
    )
    assert warm < 0.7 * before < before < cold


def test_a_profile_gives_the_times_it_was_fitted_to():
    found = simulate(recorded(scatter=0.0), Change(profile=profile(base=0.1)), draws=2000)
    calls = recorded().calls
    expected = sum(
        0.1
        + 1e-4 * ((call.prompt or 0) - (call.cached or 0))
        + 5e-6 * (call.cached or 0)
        + (call.decoded or 0) / 200
        for call in calls
    )
    assert found.wall.mean() == pytest.approx(expected + 12 * 0.31, rel=0.02)
    assert found.wall.std() > 0


def test_calls_without_tokens_keep_their_times_under_a_profile():
    works = (Work(bucket="overhead", seconds=0.0, call=Call(ttft_s=2.0, decode_s=4.0)),)
    graph = Graph(task="t", name="t", wall_s=6.0, segments=(Segment((), works),))
    assert simulate(graph, Change(profile=profile())).wall[0] == pytest.approx(6.0)


def test_given_times_scatter_as_the_recorded_ones_do():
    graph = recorded(30)
    found = simulate(graph, Change(ttft_s=0.2, tokens_per_s=200), own_call_times([graph]), draws=2000)
    assert 0.05 < found.wall.std() / (found.wall.mean() - 30 * 0.31) * 30**0.5 < 0.15


@pytest.mark.parametrize(
    ("nudge", "saves"), [(Nudge(ttft=0.9), 0.6), (Nudge(token=0.9), 80 / 60)]
)  # fmt: skip
def test_a_nudge_saves_what_it_says(nudge, saves):
    assert PLAIN.wall_s - simulate(PLAIN, Change(), nudge=nudge).wall[0] == pytest.approx(saves)


def test_candidates_contend_as_recorded_calls_did_that_ran_beside_others():
    chance = np.random.default_rng(4)
    samples = []
    for number in range(60):
        others, prompt = 3.0 * (number % 2), int(chance.integers(100, 5000))
        ttft = (0.3 + 2e-4 * prompt) * (1 + 0.5 * others) * np.exp(chance.normal(0, 0.02))
        sample = CallSample(
            prompt=prompt,
            decoded=60,
            others_first=others,
            others_rest=others,
            ttft_s=float(ttft),
            decode_s=1.0 + 0.2 * others,
        )
        samples.append(sample)
    own = {"a model that is not reported": fit_call_times("m", samples)}
    plain = Graph(
        task="t",
        name="t",
        wall_s=2.0,
        segments=(
            Segment(
                (), (Work(bucket="overhead", seconds=0.0, call=Call(decoded=60, ttft_s=1.0, decode_s=1.0)),)
            ),
        ),
    )
    found = seconds_of(
        simulate(plain, Change(candidates=4, ttft_s=1.0, tokens_per_s=60), own, draws=400).buckets
    )
    assert found["prefill"] == pytest.approx(1.0 * (1 + 3 * 0.5), rel=0.1)
    assert found["decode"] == pytest.approx(1.0 * (1 + 3 * 0.2), rel=0.1)


def test_a_task_s_own_concurrency_is_there_on_a_measured_endpoint_too():
    chance = np.random.default_rng(5)
    samples = [
        CallSample(prompt=prompt, decoded=decoded, ttft_s=1e-3 * prompt, decode_s=decoded / 100)
        for prompt, decoded in chance.integers(50, 500, (40, 2)).tolist()
    ]
    rounds = [
        CallSample(prompt=100, decoded=100, others_first=n, others_rest=n, ttft_s=0.1, decode_s=1.0 + 0.5 * n)
        for n in (0.0, 1.0, 2.0)
        for _ in range(10)
    ]
    profile = Profile(name="p", times=fit_call_times("p", samples, rounds=rounds))
    for others, decode in ((0.0, 1.0), (2.0, 2.0)):
        call = Call(prompt=100, cached=0, decoded=100, ttft_s=9.0, decode_s=9.0, others_rest=others)
        graph = Graph(
            task="t",
            name="t",
            wall_s=18.0,
            segments=(Segment((), (Work(bucket="overhead", seconds=0.0, call=call),)),),
        )
        found = seconds_of(simulate(graph, Change(profile=profile)).buckets)
        assert found["decode"] == pytest.approx(decode, rel=0.02)


def test_a_cache_that_reports_more_than_the_prompt_has_costs_no_less_than_all_of_it():
    works = (
        Work(
            bucket="overhead",
            seconds=0.0,
            call=Call(prompt=100, cached=5000, decoded=20, ttft_s=1.0, decode_s=1.0),
        ),
    )
    graph = Graph(task="t", name="t", wall_s=2.0, segments=(Segment((), works),))
    assert simulate(graph, Change(profile=profile(base=0.1)), draws=200).buckets.min() >= 0.0
    assert (
        0.07
        < seconds_of(simulate(graph, Change(profile=profile(base=0.1)), draws=200).buckets)["prefill"]
        < 0.13
    )
