"""Every instant is in one slice, whatever the spans are; and the slices say what the task waited for."""

import math

import pytest
from hypothesis import given, settings

from tithe.core import Span
from tithe.ledger.attribution import Attribution
from tithe.ledger.ledger import make_account, make_ledger
from tithe.ledger.retime import saving, slack
from tithe.trace.node import walk
from tithe.trace.tree import build_tree

from .trees import record, span, span_trees


@settings(max_examples=150, deadline=None)
@given(span_trees())
def test_slices_tile_the_wall_clock(spans: list[Span]) -> None:
    attribution = Attribution(build_tree(spans))
    root, path = attribution.root, attribution.path
    assert math.isclose(sum(end - start for start, end, *_ in path), root.length, abs_tol=1e-6)
    moment = root.start
    for start, end, *_ in path:
        assert start == moment
        assert end > start
        moment = end
    assert moment == root.end


@settings(max_examples=150, deadline=None)
@given(span_trees())
def test_a_ledger_sums_to_the_microsecond(spans: list[Span]) -> None:
    ledger = make_ledger(record(*spans))
    assert math.isclose(sum(entry.wall_s for entry in ledger.entries), ledger.wall_s, abs_tol=1e-6)
    assert all(entry.wall_s >= 0 and entry.busy_s >= -1e-9 for entry in ledger.entries)
    assert -1e-6 <= ledger.tax_s <= ledger.wall_s + 1e-6
    for bucket, saved in ledger.saves_s.items():
        assert -1e-6 <= saved <= ledger.bucket_s(bucket) + 1e-6
    account = make_account(record(*spans))
    assert math.isclose(sum(account.wall.values()), ledger.wall_s, abs_tol=1e-6)


@settings(max_examples=150, deadline=None)
@given(span_trees())
def test_timed_again_as_it_was_a_task_takes_as_long(spans: list[Span]) -> None:
    attribution = Attribution(build_tree(spans))
    assert math.isclose(saving(attribution, lambda *_: 1.0), 0.0, abs_tol=1e-6)
    assert math.isclose(saving(attribution, lambda *_: 0.0), attribution.root.length, abs_tol=1e-6)


@settings(max_examples=150, deadline=None)
@given(span_trees())
def test_every_span_is_in_the_tree_once(spans: list[Span]) -> None:
    tree = build_tree(spans)
    found = [node.span.id for node in walk(tree.root) if not node.made]
    assert sorted(found) == sorted({one.id for one in spans})
    assert all(node.start <= node.end for node in walk(tree.root))
    for node in walk(tree.root):
        for child in node.children:
            assert node.start <= child.start
            assert child.end <= node.end


@settings(max_examples=150, deadline=None)
@given(span_trees())
def test_what_is_on_the_path_to_its_end_has_no_slack(spans: list[Span]) -> None:
    attribution = Attribution(build_tree(spans))
    slacks = slack(attribution)
    assert all(seconds >= 0 for seconds in slacks.values())
    last = attribution.path[-1][4] if attribution.path else None
    if last is not None and last.end == attribution.root.end and last in attribution.root.children:
        assert slacks[id(last)] == pytest.approx(0, abs=1e-9)


def kinds(*spans: Span, source: str = "api") -> list[tuple[float, float, str, str | None]]:
    """The path of a task of these spans, from its start."""
    attribution = Attribution(build_tree(spans))
    zero = attribution.root.start
    return [(start - zero, end - zero, bucket, detail) for start, end, bucket, detail, _ in attribution.path]


def test_a_call_is_cut_at_its_stamps() -> None:
    call = span(
        "c",
        "call",
        0,
        10,
        connect=0.5,
        sent=1.0,
        queue=1.0,
        first_token=4.0,
        last_token=9.0,
        input_tokens=100,
        cache_read_tokens=75,
        phases=[["reasoning", 4.0, 6.0], ["answer", 6.5, 9.0]],
    )
    assert kinds(call) == [
        (0, 0.5, "connect", None),
        (0.5, 1.0, "overhead", "before the request"),
        (1.0, 2.0, "queue", None),
        (2.0, 3.5, "prefill", "cached"),
        (3.5, 4.0, "prefill", "uncached"),
        (4.0, 6.0, "decode", "reasoning"),
        (6.0, 9.0, "decode", "answer"),
        (9.0, 10, "overhead", "after the last token"),
    ]


def test_an_answer_in_one_piece_is_not_told_apart_unless_the_endpoint_tells() -> None:
    assert kinds(span("c", "call", 0, 3, sent=1.0))[1:] == [(1, 3, "inference", None)]
    told = kinds(span("c", "call", 0, 10, sent=1.0, queue=2.0, prefill=3.0, decode=3.5))
    assert told[1:] == [
        (1, 3, "queue", None),
        (3, 6, "prefill", None),
        (6, 9.5, "decode", None),
        (9.5, 10, "overhead", "after the last token"),
    ]


def test_failed_attempts_and_backoff_are_retry() -> None:
    path = kinds(
        span("a1", "attempt", 0, 1, "c", error="429"),
        span("a2", "attempt", 3, 4, "c", error="500"),
        span("a3", "attempt", 4.5, 6, "c", sent=0.0, first_token=1.0),
    )
    assert path == [
        (0, 1, "retry", "429"),
        (1, 3, "retry", "backoff"),
        (3, 4, "retry", "500"),
        (4, 4.5, "retry", "backoff"),
        (4.5, 5.5, "prefill", None),
        (5.5, 6, "decode", None),
    ]


def test_a_call_that_failed_for_good_is_retry_whole() -> None:
    assert kinds(span("c", "call", 0, 2, error="timeout")) == [(0, 2, "retry", "timeout")]


TWO_TOOLS = (
    span("t", "task", 0, 10, source="api"),
    span("c1", "call", 0, 2, "t", first_token=1.0, sent=0.0),
    span("slow", "tool", 2, 6, "t", name="slow"),
    span("fast", "tool", 2, 3, "t", name="fast"),
    span("c2", "call", 6.5, 9, "t", first_token=1.0, sent=0.0),
)


def test_parallel_tools_are_on_the_wall_clock_once_and_busy_in_full() -> None:
    ledger = make_ledger(record(*TWO_TOOLS, source="api"))
    assert ledger.bucket_s("tool") == 4
    assert sum(entry.busy_s for entry in ledger.entries if entry.bucket == "tool") == 5
    rows = {row.name: row for row in ledger.tools}
    assert (rows["slow"].wall_s, rows["slow"].saves_s) == (4, 3)
    assert (rows["fast"].wall_s, rows["fast"].saves_s) == (0, 0)
    bars = {bar.name: bar for bar in ledger.bars}
    assert bars["fast"].slack_s == 3
    assert bars["slow"].slack_s == 0
    assert bars["fast"].critical == ()
    assert bars["slow"].critical == ((2, 6),)


def test_each_tool_that_was_seen_from_outside_has_all_of_the_gap_as_its_bound() -> None:
    spans = [
        span("a1", "attempt", 0, 2, "c1", relation="new", asked_tools=[["x", "search"], ["y", "read"], ["z", "read"]]),
        span("a2", "attempt", 6, 7, "c2", relation="extends", tool_results=["x", "y", "z"], asked_tools=[["w", "search"]]),
        span("a3", "attempt", 8, 9, "c3", relation="extends", tool_results=["w"], asked_tools=[]),
    ]  # fmt: skip
    ledger = make_ledger(record(*spans))
    assert sum(entry.wall_s for entry in ledger.entries) == ledger.wall_s == 9
    assert ledger.bucket_s("tool") == 5
    rows = {row.name: row for row in ledger.tools}
    search, read = rows["search"], rows["read"]
    assert (search.wall_s, search.saves_s, search.busy_s) == (5, 5, 5)
    assert (read.wall_s, read.saves_s, read.busy_s) == (4, 4, 8)
    assert (search.outside, search.together, read.outside, read.together) == (2, 1, 2, 2)
    [tools] = [entry for entry in ledger.entries if entry.bucket == "tool"]
    assert tools.outside
    assert ledger.outside == {"tool"}
    assert make_account(record(*spans)).outside == ("tool",)
    together = [bar for bar in ledger.bars if bar.kind == "tool" and bar.start_s == 2]
    assert [bar.critical for bar in together] == [((2, 6),)] * 3
    assert [row.tools for row in ledger.steps] == [("search", "read"), ("search",), ()]


def test_a_tool_that_began_while_its_answer_streamed_waited_for_no_gap() -> None:
    ledger = make_ledger(
        record(
            span("t", "task", 0, 41, source="api"),
            span("c1", "call", 0, 10, "t", sent=0.0, first_token=2.0, asked_tools=[["x", "run"]]),
            span("x", "tool", 6, 30, "t", tool_call_id="x"),
            span("c2", "call", 31, 41, "t", sent=0.0, first_token=2.0),
            source="api",
        )
    )
    assert (ledger.bucket_s("overhead"), ledger.saves_s["overhead"]) == (1, 1)
    assert (ledger.bucket_s("decode"), ledger.saves_s["decode"]) == (12, 12)


def test_what_ran_in_a_gap_is_not_saved_with_the_gap() -> None:
    ledger = make_ledger(
        record(
            span("t", "task", 0, 20, source="api"),
            span("b", "tool", 0, 6, "t"),
            span("c", "call", 5, 20, "t", sent=0.0, first_token=2.0),
            source="api",
        )
    )
    assert "overhead" not in ledger.saves_s
    assert (ledger.bucket_s("tool"), ledger.saves_s["tool"]) == (5, 5)


def test_an_agent_that_hung_up_had_what_it_wanted_unless_it_asks_again() -> None:
    left = span("a1", "attempt", 0, 3, "c", error="client_closed", sent=0.0, first_token=1.0)
    assert [bucket for _, _, bucket, _ in kinds(left)] == ["prefill", "decode"]
    again = span("a2", "attempt", 4, 6, "c", sent=0.0, first_token=1.0)
    assert kinds(left, again)[:2] == [(0, 3, "retry", "client_closed"), (3, 4, "retry", "backoff")]


def test_a_failure_after_an_answer_is_told_apart() -> None:
    path = kinds(
        span("a1", "attempt", 0, 3, "c", sent=0.0, first_token=1.0),
        span("a2", "attempt", 5, 8, "c", error="500"),
    )
    assert path[2:] == [(3, 5, "overhead", "after the response"), (5, 8, "retry", "500")]


def subagents(tools: int, branches: int) -> list[Span]:
    """An answer asks for tools, and while they run so many sub-agents are at work from 2 to 9 and from 2.5 to 8."""
    names = ["read", "task"][-tools:] if tools == 2 else ["task"]
    asked = [[f"id{place}", name] for place, name in enumerate(names)]
    told = {"relation": "extends", "has_tools": True, "sent": 0.0, "first_token": 0.5}
    spans = [span("a1", "attempt", 0, 1, "c1", asked_tools=asked, **told)]
    for number, (start, end) in list(enumerate([(2.0, 9.0), (2.5, 8.0)]))[:branches]:
        spans.append(
            span(
                f"s{number}", "attempt", start, end, f"d{number}", branch=f"b{number}", branch_of="c1", **told
            )
        )
    spans.append(span("a2", "attempt", 10, 11, "c2", tool_results=[one for one, _ in asked], **told))
    return spans


@pytest.mark.parametrize(("tools", "branches"), [(1, 1), (2, 1), (2, 2)])
def test_a_sub_agents_inference_is_inference(tools: int, branches: int) -> None:
    ledger = make_ledger(record(*subagents(tools, branches)))
    inference = ledger.bucket_s("prefill") + ledger.bucket_s("decode")
    assert inference == pytest.approx(1 + 7 + 1)
    assert ledger.saves_s["decode"] > 6
    assert ledger.bucket_s("tool") + ledger.bucket_s("overhead") == pytest.approx(2)


def test_a_call_that_failed_with_its_only_attempt_is_marked_and_one_that_was_answered_is_not():
    spans = [
        span("c1", "call", 0, 2, request_model="m"),
        span("a1", "attempt", 0, 1, "c1", error="http_503"),
        span("a2", "attempt", 1, 2, "c1"),
        span("c2", "call", 2, 3, request_model="m"),
        span("a3", "attempt", 2, 3, "c2", error="http_503"),
    ]
    bars = {bar.id: bar.error for bar in make_ledger(record(*spans)).bars if bar.kind == "call"}
    assert bars == {"c1": None, "c2": "http_503"}
