"""More of something or slower ones: what is split is all there, and lands where it belongs."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core import Span
from tithe.ledger import make_account, make_ledger
from tithe.ledger.account import Account, Ledger
from tithe.ledger.difference import Change, Difference, difference

from .trees import record, span, span_trees


def loop(
    calls: int, *, ttft: float, decode: float, output: int, tool: float = 1.0, cached: int = 900
) -> list[Span]:
    """A task of calls with a tool after each but the last, 0.25 s of framework around every tool."""
    spans: list[Span] = []
    now = 0.0
    for number in range(calls):
        end = now + ttft + decode
        spans.append(
            span(
                f"c{number}", "call", now, end, "t", request_model="m", sent=0.0, first_token=ttft, source="api",
                last_token=ttft + decode, input_tokens=1000, cache_read_tokens=cached, output_tokens=output,
            )
        )  # fmt: skip
        now = end
        if number < calls - 1:
            spans.append(span(f"u{number}", "tool", now + 0.25, now + 0.25 + tool, "t", tool_name="search"))
            now += 0.5 + tool
    return [span("t", "task", 0.0, now, source="api"), *spans]


def ledger(*args: int, **told: float) -> Ledger:
    return make_ledger(record(*loop(*args, **told)))  # pyright: ignore[reportArgumentType]


def adds_up(found: Difference) -> None:
    change = found.b.wall_s - found.a.wall_s
    assert found.change_s.value == pytest.approx(change, abs=1e-6)
    for group in (found.parts, found.buckets):
        assert sum(one.change_s.value for one in group) == pytest.approx(change, abs=1e-6)
    for one in (*found.parts, *found.buckets, *(found.models or ()), *(found.tools or ())):
        assert one.change_s.value == pytest.approx(one.b_s - one.a_s, abs=1e-6)
        if one.more is None or one.each is None:
            assert (one.more, one.each, one.within) == (None, None, ())
            continue
        assert one.more.change_s.value + one.each.change_s.value == pytest.approx(
            one.change_s.value, abs=1e-6
        )
        within = sum(effect.change_s.value for effect in one.within)
        assert within == pytest.approx(one.each.change_s.value, abs=1e-6)


def part(found: Difference, name: str) -> Change:
    return next(one for one in found.parts if one.name == name)


def seconds(change: Change) -> dict[str, float]:
    effects = [effect for effect in (change.more, change.each, *change.within) if effect is not None]
    return {effect.factor: effect.change_s.value for effect in effects}


@settings(max_examples=300, deadline=None)
@given(span_trees(), span_trees())
def test_parts_sum_to_the_change_of_any_two_tasks(first: list[Span], second: list[Span]) -> None:
    a, b = record(*first), record(*second)
    adds_up(difference(make_ledger(a), make_ledger(b)))
    adds_up(difference(make_account(a), make_account(b)))


@settings(max_examples=60, deadline=None)
@given(st.lists(span_trees(6), min_size=4, max_size=4))
def test_parts_sum_to_the_change_of_the_means_of_groups(trees: list[list[Span]]) -> None:
    tasks = [make_account(record(*spans)) for spans in trees]
    adds_up(difference(tasks[:3], tasks[1:]))
    adds_up(difference(tasks[:1], tasks))


@settings(max_examples=60, deadline=None)
@given(span_trees(), span_trees())
def test_what_is_said_of_b_against_a_is_the_opposite_of_a_against_b(
    first: list[Span], second: list[Span]
) -> None:
    a, b = make_ledger(record(*first)), make_ledger(record(*second))
    there, back = difference(a, b), difference(b, a)
    for one, other in zip(there.parts, back.parts, strict=True):
        assert seconds(one) == pytest.approx({key: -value for key, value in seconds(other).items()}, abs=1e-6)


def test_more_calls_alone_are_more_calls():
    found = difference(
        ledger(2, ttft=0.5, decode=1.5, output=100), ledger(5, ttft=0.5, decode=1.5, output=100)
    )
    adds_up(found)
    calls, tools = part(found, "calls"), part(found, "tools")
    assert seconds(calls) == pytest.approx(
        {"count": 6.0, "each": 0, "tokens": 0, "speed": 0, "overlap": 0}, abs=1e-9
    )
    assert (calls.more.a, calls.more.b) == (2.0, 5.0)
    assert seconds(tools)["count"] == pytest.approx(3.0)
    assert part(found, "overhead").change_s.value == pytest.approx(1.5)


def test_longer_answers_are_more_tokens_and_a_slower_decode_is_speed():
    base = ledger(4, ttft=0.5, decode=1.0, output=100)
    longer = difference(base, ledger(4, ttft=0.5, decode=2.0, output=200))
    assert seconds(part(longer, "calls")) == pytest.approx(
        {"count": 0, "each": 4.0, "tokens": 4.0, "speed": 0, "overlap": 0}, abs=1e-9
    )
    slower = difference(base, ledger(4, ttft=0.5, decode=2.0, output=100))
    assert seconds(part(slower, "calls")) == pytest.approx(
        {"count": 0, "each": 4.0, "tokens": 0, "speed": 4.0, "overlap": 0}, abs=1e-9
    )
    each = part(slower, "calls").each
    assert (each.a, each.b) == pytest.approx((1.5, 2.5))
    [model] = slower.models
    assert (model.name, seconds(model)["speed"]) == ("m", pytest.approx(4.0))


def test_a_lost_cache_is_more_uncached_tokens_and_no_slower_prefill():
    found = difference(
        ledger(4, ttft=0.1, decode=1.0, output=10, cached=900),
        ledger(4, ttft=1.0, decode=1.0, output=10, cached=0),
    )
    prefill = next(one for one in found.buckets if one.name == "prefill")
    assert seconds(prefill) == pytest.approx({"count": 0, "each": 3.6, "tokens": 3.6, "speed": 0, "overlap": 0}, abs=1e-9)  # fmt: skip


def test_where_one_side_does_not_report_cached_tokens_all_prompt_tokens_are_counted():
    bare = [
        msgspec.structs.replace(
            one, attributes={key: value for key, value in one.attributes.items() if "cache_read" not in key}
        )
        for one in loop(4, ttft=1.0, decode=1.0, output=10)
    ]
    found = difference(ledger(4, ttft=0.5, decode=1.0, output=10), make_ledger(record(*bare)))
    prefill = next(one for one in found.buckets if one.name == "prefill")
    tokens = next(effect for effect in prefill.within if effect.factor == "tokens")
    assert (tokens.a, tokens.b) == (1000.0, 1000.0)


def test_calls_that_failed_are_no_faster_calls_and_have_no_tokens_taken_for_zero():
    failing = span("c0", "call", 0.0, 0.4, request_model="m", source="api", error="http_503")
    base = loop(2, ttft=0.5, decode=1.0, output=20)
    for make in (make_ledger, make_account):
        found = difference(make(record(*base)), make(record(failing)))
        adds_up(found)
        calls, failed = part(found, "calls"), part(found, "retries and failures")
        assert (calls.more.a, calls.more.b) == (2.0, 0.0)
        assert (calls.change_s.value, calls.each.change_s.value) == pytest.approx((-3.0, 0.0))
        decode = next(one for one in found.buckets if one.name == "decode")
        assert [(one.a, one.b) for one in decode.within if one.factor == "tokens"] == [(20.0, None)]
        assert (failed.more.a, failed.more.b, failed.more.change_s.value) == (0.0, 1.0, pytest.approx(0.4))


def test_tokens_a_call_are_those_of_the_calls_that_were_answered():
    failing = span("f", "call", 4.0, 4.5, "t", request_model="m", source="api", error="http_503")
    base = loop(2, ttft=0.5, decode=1.0, output=20)
    found = difference(make_ledger(record(*base)), make_ledger(record(*base, failing)))
    adds_up(found)
    decode = next(one for one in found.buckets if one.name == "decode")
    assert [(one.a, one.b) for one in decode.within if one.factor == "tokens"] == [(20.0, 20.0)]


def test_tools_that_run_at_once_are_hidden_and_not_faster():
    def task(*starts: float) -> Ledger:
        call = span("c", "call", 0, 1, "t", request_model="m", source="api")
        tools = [span(f"u{n}", "tool", at, at + 2, "t", tool_name="search") for n, at in enumerate(starts)]
        return make_ledger(record(span("t", "task", 0, max(starts) + 2, source="api"), call, *tools))

    found = difference(task(1, 3), task(1, 1))
    adds_up(found)
    assert found.change_s.value == pytest.approx(-2.0)
    assert seconds(part(found, "tools")) == pytest.approx({"count": 0, "each": -2.0, "speed": 0, "overlap": -2.0}, abs=1e-9)  # fmt: skip


def test_tools_seen_from_outside_are_bounds_of_which_no_share_of_work_or_overlap_is_told():
    def task(length: float, *, outside: bool) -> list[Span]:
        seen = {"seen": "outside"} if outside else {"source": "api"}
        call = span("c", "call", 0, 1, "t", request_model="m", source="api")
        tools = [span(f"u{n}", "tool", 1, 1 + length, "t", tool_name="search", **seen) for n in range(2)]
        return [span("t", "task", 0, 1 + length, source="api"), call, *tools]

    for make in (make_ledger, make_account):
        found = difference(make(record(*task(2.0, outside=True))), make(record(*task(1.0, outside=False))))
        adds_up(found)
        for tools in (part(found, "tools"), *(found.tools or ())):
            assert (tools.a_outside, tools.b_outside) == (True, False)
            assert seconds(tools) == pytest.approx({"count": 0, "each": -1.0, "speed": -1.0})
        assert not part(found, "calls").a_outside


def test_a_tool_may_be_called_like_a_figure_and_each_is_told_once():
    def task(end: float) -> Ledger:
        return make_ledger(record(span("u", "tool", 0, end, tool_name="wall", source="api")))

    found = difference(task(1.0), task(3.0))
    assert [(one.name, one.change_s.value) for one in found.tools] == [("wall", 2.0)]
    assert found.models == ()


def test_groups_have_intervals_that_hold_what_is_true_and_single_tasks_have_none():
    def group(slow: float) -> list[Account]:
        return [
            make_account(record(*loop(3 + n % 3, ttft=0.5, decode=slow + 0.01 * n, output=100)))
            for n in range(12)
        ]

    found = difference(group(1.0), group(1.5))
    adds_up(found)
    assert (found.a.tasks, found.b.tasks, found.models) == (12, 12, None)
    speed = next(effect for effect in part(found, "calls").within if effect.factor == "speed").change_s
    assert speed.low < 2.0 < speed.high  # 4 calls on the mean, each 0.5 s slower
    assert speed.low > 0
    more = part(found, "calls").more.change_s
    assert more.low < 0 < more.high
    single = difference(group(1.0)[0], group(1.5))
    assert (single.change_s.low, single.change_s.n) == (None, 1)


def test_a_group_without_tasks_is_refused():
    with pytest.raises(ValueError, match="without tasks"):
        difference([], ledger(2, ttft=1, decode=1, output=1))
