"""Merging: what several saw of one run becomes one record of it; nothing is lost, doubled, or put in a circle."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.core import Anchor, Span
from tithe.core.span import SpanKind
from tithe.trace import Store
from tithe.trace.merging import Merged, merge, merged

API, OTLP, PROXY = "a" * 32, "b" * 32, "proxied"


def span(
    name: str,
    kind: SpanKind,
    start: float,
    end: float | None,
    parent: str | None = None,
    *,
    trace: str | None = None,
    source: str | None = None,
    error: str | None = None,
    **told: Any,
) -> Span:
    """A span whose id is its name. Attributes: `response`, `model`, `session`, `tool`, and the rest as they are named."""
    names = {
        "response": "gen_ai.response.id",
        "model": "gen_ai.request.model",
        "session": "gen_ai.conversation.id",
        "tool": "gen_ai.tool.call.id",
    }
    source = source or ("proxy" if kind == "attempt" else "otlp" if kind == "call" else "api")
    return Span(
        id=name,
        trace=trace or {"proxy": PROXY, "otlp": OTLP, "api": API}[source],
        kind=kind,
        name=name,
        start=start,
        end=end,
        parent=parent,
        error=error,
        attributes={"tithe.source": source}
        | {names.get(key, f"tithe.{key}"): value for key, value in told.items()},
    )


def done(*spans: Span) -> tuple[dict[str, Span], Merged]:
    outcome = merge(spans)
    return {each.id: each for each in merged(spans, outcome)}, outcome


def place(after: dict[str, Span], name: str) -> tuple[str, str | None]:
    return after[name].trace, after[name].parent


def call_under(after: dict[str, Span], attempt: str) -> str | None:
    """What the call of an attempt stands under."""
    call = after[after[attempt].parent or ""]
    assert call.kind == "call"
    assert call.trace == after[attempt].trace
    return call.parent


# The evidence, in its order.


def test_a_traceparent_tells_the_span_whatever_else_is_going_on() -> None:
    after, outcome = done(
        span("task", "task", 0, 10),
        span("left", "step", 1, 9, "task"),
        span("right", "step", 1, 9, "task"),
        span("attempt", "attempt", 2, 3, "c1", trace_parent=[API, "right"]),
    )
    assert after["attempt"].parent == "c1"
    assert call_under(after, "attempt") == "right"
    assert outcome.linked == {"traceparent": 1}


def test_a_traceparent_of_a_client_s_http_span_means_the_call_above_it() -> None:
    after, _ = done(
        span("call", "call", 1, 4),
        span("POST", "other", 1.5, 3.5, "call", source="otlp"),
        span("attempt", "attempt", 2, 3, "c1", trace_parent=[OTLP, "POST"]),
    )
    assert place(after, "attempt") == (OTLP, "call")


def test_a_traceparent_of_a_span_that_was_not_exported_tells_the_task() -> None:
    after, _ = done(
        span("other task", "task", 0, 10, trace="c" * 32),
        span("task", "task", 0, 10),
        span("step", "step", 1, 9, "task"),
        span("attempt", "attempt", 2, 3, "c1", trace_parent=[API, "f" * 16]),
    )
    assert call_under(after, "attempt") == "step"


def test_in_the_step_that_a_traceparent_names_the_call_is_looked_for() -> None:
    around = (
        span("task", "task", 0, 10),
        span("left", "step", 1, 9, "task"),
        span("right", "step", 1, 9, "task"),
        span("left call", "call", 1.5, 8, "left", trace=API),
        span("right call", "call", 1.5, 8, "right", trace=API, response="r"),
    )
    after, _ = done(
        *around, span("attempt", "attempt", 2, 3, "c1", trace_parent=[API, "right"], response="r")
    )
    assert after["attempt"].parent == "right call"
    after, outcome = done(*around, span("attempt", "attempt", 2, 3, "c1", trace_parent=[API, "left"]))
    assert after["attempt"].parent == "left call"
    two = [
        span(name, "attempt", start, start + 1, f"{name}'s", trace_parent=[API, "left"])
        for name, start in (("one", 2), ("two", 4))
    ]
    after, outcome = done(*around, *two)
    assert call_under(after, "one") == call_under(after, "two") == "left"
    assert outcome.linked == {"traceparent": 2}


def test_a_response_id_tells_the_call() -> None:
    after, outcome = done(
        span("agent", "task", 0, 10, source="otlp"),
        span("left", "call", 1, 9, "agent", response="r1"),
        span("right", "call", 1, 9, "agent", response="r2"),
        span("attempt", "attempt", 2, 3, "c1", response="r2"),
    )
    assert place(after, "attempt") == (OTLP, "right")
    assert outcome.linked == {"response": 1}


def test_a_response_that_a_cache_gave_twice_is_told_apart_by_time() -> None:
    after, _ = done(
        span("first", "call", 1, 4, response="r"),
        span("second", "call", 5, 8, response="r"),
        span("attempt", "attempt", 6, 7, "c1", response="r"),
    )
    assert after["attempt"].parent == "second"
    assert "tithe.duplicate_of" not in after["second"].attributes


@pytest.mark.parametrize("told", [{"tool_calls": [["t1", "search"]]}, {"tool_results": ["t1"]}])
def test_a_tool_call_id_tells_the_task(told: dict[str, Any]) -> None:
    after, outcome = done(
        span("other task", "task", 0, 10, trace="c" * 32),
        span("task", "task", 0, 10),
        span("step", "step", 1, 9, "task"),
        span("search", "tool", 4, 5, "step", tool="t1"),
        span("attempt", "attempt", 2, 3, "c1", **told),
    )
    assert call_under(after, "attempt") == "step"
    assert outcome.linked == {"tools": 1}


def test_a_session_tells_the_task_that_was_going_on() -> None:
    after, outcome = done(
        span("yesterday", "task", 0, 10, trace="d" * 32, session="s"),
        span("today", "task", 20, 30, session="s"),
        span("another", "task", 20, 30, trace="c" * 32, session="t"),
        span("attempt", "attempt", 22, 23, "c1", session="s"),
        span("unreported", "attempt", 42, 43, "c2", session="s", trace="q"),
    )
    assert call_under(after, "attempt") == "today"
    assert place(after, "unreported") == ("q", "c2")
    assert outcome.linked == {"session": 1}
    assert outcome.alone == 1


def test_time_tells_the_innermost_span() -> None:
    after, outcome = done(
        span("task", "task", 0, 10),
        span("step", "step", 1, 5, "task"),
        span("attempt", "attempt", 0.999, 5.001, "c1"),
        span("late", "attempt", 6, 7, "c2"),
        span("after", "attempt", 11, 12, "c3", trace="q"),
    )
    assert call_under(after, "attempt") == "step"
    assert call_under(after, "late") == "task"
    assert place(after, "after") == ("q", "c3")
    assert outcome.linked == {"time": 2}


def test_two_milliseconds_are_the_most_that_clocks_may_differ() -> None:
    after, _ = done(span("task", "task", 0, 10), span("attempt", "attempt", 1, 10.003, "c1"))
    assert place(after, "attempt") == (PROXY, "c1")


def test_another_model_is_another_call() -> None:
    after, _ = done(
        span("task", "task", 0, 10, source="otlp"),
        span("call", "call", 1, 5, "task", model="large"),
        span("small", "attempt", 2, 3, "c1", model="small"),
        span("large", "attempt", 3, 4, "c2", model="large"),
    )
    assert call_under(after, "small") == "task"
    assert after["large"].parent == "call"


def test_steps_that_go_on_at_once_leave_the_place_open_and_not_the_task() -> None:
    after, outcome = done(
        span("task", "task", 0, 10),
        span("left", "step", 1, 9, "task"),
        span("right", "step", 1, 9, "task"),
        span("attempt", "attempt", 2, 3, "c1"),
    )
    assert place(after, "attempt") == (API, "c1")
    assert outcome.ambiguous == 1


def test_tasks_that_go_on_at_once_leave_it_where_it_was() -> None:
    after, outcome = done(
        span("task", "task", 0, 10),
        span("other", "task", 0, 10, trace="c" * 32),
        span("attempt", "attempt", 2, 3, "c1"),
    )
    assert place(after, "attempt") == (PROXY, "c1")
    assert (outcome.ambiguous, outcome.alone, outcome.linked) == (1, 0, {})


def test_spans_of_the_server_s_are_not_the_agent_s() -> None:
    after, outcome = done(
        span("served", "call", 0, 10, source="server", trace="e" * 32), span("attempt", "attempt", 2, 3, "c1")
    )
    assert place(after, "attempt") == (PROXY, "c1")
    assert outcome.alone == 1


def test_nothing_goes_under_what_stands_under_it() -> None:
    after, _ = done(
        span("task", "task", 0, 10, "attempt"),
        span("attempt", "attempt", 2, 3, "c1"),
    )
    assert place(after, "attempt") == (PROXY, "c1")


# Calls, retries, conversations.


def test_retries_stay_together_and_failed_ones_go_along() -> None:
    after, _ = done(
        span("agent", "task", 0, 10, source="otlp"),
        span("call", "call", 4, 9, "agent", response="r"),
        span("another", "call", 4, 9, "agent", response="r2"),
        span("failed", "attempt", 5, 6, "c1", error="429"),
        span("answered", "attempt", 7, 8, "c1", response="r"),
    )
    assert after["failed"].parent == after["answered"].parent == "call"


def test_a_call_that_had_no_span_gets_one_with_all_its_retries() -> None:
    after, outcome = done(
        span("task", "task", 0, 10),
        span("step", "step", 1, 9, "task"),
        span("failed", "attempt", 2, 3, "c1", error="500", model="m"),
        span("answered", "attempt", 4, 6, "c1", model="m"),
    )
    assert after["c1"] == Span(
        id="c1",
        trace=API,
        kind="call",
        name="answered",
        start=2,
        end=6,
        parent="step",
        attributes={"tithe.source": "proxy", "gen_ai.request.model": "m"},
    )
    assert place(after, "failed") == place(after, "answered") == (API, "c1")
    assert [span.id for span in outcome.spans] == ["c1"]


def test_spans_that_come_late_find_the_call_that_was_made_for_them() -> None:
    first, _ = done(span("task", "task", 0, 10), span("attempt", "attempt", 2, 3, "c1", response="r"))
    assert call_under(first, "attempt") == "task"
    after, _ = done(*first.values(), span("call", "call", 1, 4, response="r"))
    assert place(after, "call") == (API, "task")
    assert after["attempt"].parent == "call"
    assert after["c1"].attributes["tithe.duplicate_of"] == "call"


def test_a_call_takes_one_answer() -> None:
    after, outcome = done(
        span("call", "call", 0, 10, response="r1"),
        span("its own", "attempt", 1, 4, "c1", response="r1"),
        span("by time", "attempt", 5, 6, "c2"),
    )
    assert after["its own"].parent == "call"
    assert after["by time"].parent == "c2"
    assert outcome.ambiguous == 1
    after, outcome = done(
        span("call", "call", 0, 10),
        span("one", "attempt", 1, 4, "c1"),
        span("two", "attempt", 5, 6, "c2"),
    )
    assert (place(after, "one"), place(after, "two")) == ((OTLP, "c1"), (OTLP, "c2"))
    assert outcome.ambiguous == 2


def test_the_rest_of_a_conversation_follows_and_its_branches_stay_branches() -> None:
    after, _ = done(
        span("agent", "task", 0, 10, source="otlp"),
        span("left", "call", 1, 4, "agent", response="r1"),
        span("right", "call", 1, 4, "agent", response="r2"),
        span("first", "attempt", 2, 3, "c1", response="r1"),
        span("twin", "attempt", 2, 3, "c2", branch="b", branch_of="c1"),
        span("far", "attempt", 20, 21, "c3"),
    )
    assert place(after, "first") == (OTLP, "left")
    assert after["twin"].trace == OTLP
    assert after["twin"].attributes["tithe.branch"] == "b"
    assert after["twin"].attributes["tithe.branch_of"] == "left"
    assert place(after, "far") == (PROXY, "c3")


def test_a_branch_that_only_the_proxy_knows_stays_one_and_the_agent_s_own_goes_before() -> None:
    after, _ = done(
        span("task", "task", 0, 10),
        span("step", "step", 1, 9, "task"),
        span("twin", "attempt", 2, 3, "c2", branch="b", branch_of="c1"),
    )
    assert place(after, "twin") == (API, "c2")
    assert "c2" not in after
    after, _ = done(
        span("task", "task", 0, 10),
        span("way", "branch", 1, 9, "task"),
        span("step", "step", 1, 9, "way"),
        span("twin", "attempt", 2, 3, "c2", branch="b", branch_of="c1"),
    )
    assert call_under(after, "twin") == "step"


def test_a_conversation_of_two_tasks_is_divided() -> None:
    after, _ = done(
        span("one", "task", 0, 10),
        span("two", "task", 20, 30, trace="c" * 32),
        span("first", "attempt", 2, 3, "c1"),
        span("second", "attempt", 22, 23, "c2"),
    )
    assert call_under(after, "first") == "one"
    assert call_under(after, "second") == "two"


# Spans of both kinds from the agent.


def test_exported_spans_become_part_of_the_task_they_lie_in() -> None:
    after, outcome = done(
        span("task", "task", 0, 10),
        span("step", "step", 1, 9, "task"),
        span("agent", "task", 2, 8, source="otlp"),
        span("call", "call", 3, 7, "agent", response="r"),
        span("attempt", "attempt", 4, 6, "c1", response="r"),
    )
    assert place(after, "agent") == (API, "step")
    assert after["agent"].kind == "branch"
    assert place(after, "call") == (API, "agent")
    assert place(after, "attempt") == (API, "call")
    assert {span.id for span in outcome.spans} == {"agent"}


def test_exported_spans_without_their_root_follow_the_others() -> None:
    after, _ = done(
        span("task", "task", 0, 10),
        span("left", "step", 1, 5, "task"),
        span("right", "step", 4, 9, "task"),
        span("first", "call", 2, 3, "lost"),
        span("second", "call", 4.4, 4.6, "lost"),
    )
    assert place(after, "first") == (API, "left")
    assert place(after, "second") == (API, "lost")


def test_two_instrumentations_of_one_call_count_once() -> None:
    after, _ = done(
        span("agent", "task", 0, 10, source="otlp"),
        span("outer", "call", 1, 5, "agent", response="r"),
        span("inner", "call", 1.5, 4.5, "outer", response="r"),
        span("attempt", "attempt", 2, 4, "c1", response="r"),
    )
    assert after["inner"].attributes["tithe.duplicate_of"] == "outer"
    assert "tithe.duplicate_of" not in after["outer"].attributes
    assert after["attempt"].parent == "outer"


def test_a_call_in_a_call_is_the_same_if_it_is_alone_there_and_nothing_speaks_against_it() -> None:
    after, _ = done(span("outer", "call", 1, 5), span("inner", "call", 2, 4, "outer", response="r"))
    assert after["inner"].attributes["tithe.duplicate_of"] == "outer"
    for spans in (
        (span("outer", "call", 1, 5, response="q"), span("inner", "call", 2, 4, "outer", response="r")),
        (
            span("outer", "call", 1, 5),
            span("one", "call", 2, 3, "outer"),
            span("two", "call", 3, 4, "outer"),
        ),
    ):
        after, _ = done(*spans)
        assert not any("tithe.duplicate_of" in span.attributes for span in after.values())


def test_what_the_second_instrumentation_knows_more_is_kept() -> None:
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 4}
    inner = span("inner", "call", 2, 4, "outer", response="r", first_token_s=0.5, ttft_from="chunk")
    after, _ = done(
        span("outer", "call", 1, 5),
        msgspec.structs.replace(inner, attributes=inner.attributes | usage),
        span("attempt", "attempt", 2, 3, "c1", response="r"),
    )
    assert after["outer"].attributes == usage | {
        "tithe.source": "otlp",
        "gen_ai.response.id": "r",
        "tithe.first_token_s": 1.5,
        "tithe.ttft_from": "chunk",
    }
    assert after["attempt"].parent == "outer"


def test_a_tool_run_told_by_the_agent_and_by_an_exporter_counts_once() -> None:
    after, _ = done(
        span("task", "task", 0, 10),
        span("search", "tool", 1, 5, "task", tool="t"),
        span("execute_tool search", "tool", 2, 4, source="otlp", tool="t"),
    )
    assert after["execute_tool search"].attributes["tithe.duplicate_of"] == "search"
    assert place(after, "execute_tool search") == (API, "search")


# In a store.


def test_a_store_holds_what_was_merged_as_one_task(tmp_path: Path) -> None:
    with Store.open(tmp_path / "run.db") as store:
        recording = store.begin(Anchor(monotonic=0.0, unix=1e9), source="proxy")
        store.add(
            recording,
            [
                span("task", "task", 0, 10),
                span("step", "step", 1, 9, "task"),
                span("search", "tool", 7, 8, "step", tool="t1"),
                span("agent", "task", 1.5, 6, source="otlp"),
                span("outer", "call", 2, 5, "agent", response="r1"),
                span("inner", "call", 2.5, 4.5, "outer", response="r1"),
                span("failed", "attempt", 3, 3.5, "c1", error="429"),
                span("answered", "attempt", 4, 4.4, "c1", response="r1"),
                span("last", "attempt", 8.2, 8.8, "c2", tool_results=["t1"]),
            ],
        )
        for _ in range(2):
            outcome = merge([span for record in store.task_records() for span in record.spans])
            store.add(recording, outcome.spans)
            store.place(outcome.places)
        [record] = store.task_records()
        assert record.id == API
        parents = {span.id: span.parent for span in record.spans}
        assert parents == {
            "task": None,
            "step": "task",
            "search": "step",
            "agent": "step",
            "outer": "agent",
            "inner": "outer",
            "failed": "outer",
            "answered": "outer",
            "c2": "step",
            "last": "c2",
        }
        # The proxy's next word of an attempt leaves it where it was put.
        store.add(recording, [span("last", "attempt", 8.2, 8.9, "c2", tool_results=["t1"])])
        assert [each.trace for each in next(store.task_records()).spans] == [API] * 10


# Whatever was seen.

IDS = [f"s{number}" for number in range(9)]
instants = st.integers(0, 12).map(float)
few = st.sampled_from


@st.composite
def seen(draw: st.DrawFn) -> list[Span]:
    """Spans of any sources, with parents, times and ids that agree or contradict each other as they may."""
    spans: list[Span] = []
    for name in IDS[: draw(st.integers(0, len(IDS)))]:
        source = draw(few(["api", "otlp", "otlp", "proxy", "proxy", "proxy", "server"]))
        kind: SpanKind = draw(
            few(["attempt", "attempt", "attempt", "call"])
            if source == "proxy"
            else few(["task", "branch", "step", "call", "tool", "other"])
        )
        start = draw(instants)
        told: dict[str, Any] = {"tithe.source": source}
        for key, values in (
            ("gen_ai.response.id", few(["r1", "r2"])),
            ("gen_ai.request.model", few(["m", "n"])),
            ("gen_ai.conversation.id", few(["c1", "c2"])),
            ("gen_ai.tool.call.id", few(["t1", "t2"])),
            ("gen_ai.tool.name", few(["x", "y"])),
            ("tithe.tool_calls", st.lists(few([["t1", "x"], ["t2", "y"]]), max_size=2)),
            ("tithe.tool_results", st.lists(few(["t1", "t2"]), max_size=2)),
            ("tithe.trace_parent", st.tuples(few(["T1", "T2"]), few(IDS)).map(list)),
            ("tithe.branch_of", few([*IDS, "c1"])),
            ("tithe.duplicate_of", few(IDS)),
            ("tithe.first_token_s", st.floats(0, 1)),
        ):
            if draw(st.integers(0, 3)) == 0:
                told[key] = draw(values)
            elif source == "otlp" and draw(st.integers(0, 9)) == 0:
                told[key] = draw(few([7, 0.5, True, None, "", ["r1"], {"r1": 1}, b"r1"]))
        spans.append(
            Span(
                id=name,
                trace=draw(few(["T1", "T2"] if source != "proxy" else ["P1", "P2", "P2", "T1"])),
                kind=kind,
                name=name,
                start=start,
                end=draw(st.none() | st.integers(0, 8).map(lambda length, start=start: start + length)),
                parent=draw(st.none() | few([*IDS, "c1", "c2"])),
                error=draw(few([None, None, "500"])),
                attributes=told,
            )
        )
    return spans


def circles(spans: list[Span]) -> set[str]:
    """The spans that stand, by however many parents, under themselves."""
    parents = {span.id: span.parent for span in spans}
    found: set[str] = set()
    for start, above in parents.items():
        walked = set[str]()
        while above in parents and above not in walked:
            if above == start:
                found.add(start)
            walked.add(above)
            above = parents[above]
    return found


@given(seen())
def test_nothing_is_lost_doubled_or_put_in_a_circle(spans: list[Span]) -> None:
    outcome = merge(spans)
    after = merged(spans, outcome)
    names = Counter(span.id for span in after)
    assert set(names.values()) <= {1}
    assert {span.id for span in spans} <= set(names)
    assert {span.id for span in after} - {span.id for span in spans} <= {
        span.id for span in outcome.spans if span.kind == "call"
    }
    assert circles(after) <= circles(spans)
    by_id = {span.id: span for span in after}
    for span in spans:
        now = by_id[span.id]
        if span.kind != "call" or span.attributes["tithe.source"] != "proxy":
            assert (now.start, now.end, now.error, now.name) == (span.start, span.end, span.error, span.name)
        if span.attributes["tithe.source"] in ("api", "server"):
            assert (now.parent, now.kind) == (span.parent, span.kind)
            assert now.trace == span.trace or span.kind in ("tool", "other")
    tried = sum(1 for span in spans if span.kind == "attempt")
    assert sum(outcome.linked.values()) + outcome.alone <= tried


@given(seen())
def test_merging_what_is_merged_changes_nothing(spans: list[Span]) -> None:
    after = merged(spans, merge(spans))
    again = merge(after)
    assert (again.places, again.spans) == ({}, ())


@given(seen(), st.randoms())
def test_the_order_in_which_spans_came_does_not_matter(spans: list[Span], random: Any) -> None:
    shuffled = list(spans)
    random.shuffle(shuffled)
    one, other = merged(spans, merge(spans)), merged(shuffled, merge(shuffled))
    assert {span.id: span for span in one} == {span.id: span for span in other}


@given(seen())
def test_a_call_holds_one_answer_at_most_that_time_alone_put_there(spans: list[Span]) -> None:
    after = merged(spans, merge(spans))
    moved = {span.id: span.parent for span in spans}
    calls = {span.id for span in after if span.kind == "call" and span.attributes["tithe.source"] != "proxy"}
    put = Counter(
        span.parent
        for span in after
        if span.kind == "attempt"
        and span.error is None
        and span.parent in calls
        and moved[span.id] != span.parent
        and "tithe.trace_parent" not in span.attributes
        and "gen_ai.response.id" not in span.attributes
    )
    assert set(put.values()) <= {1}


@given(seen())
def test_what_a_store_applies_is_what_is_meant(spans: list[Span]) -> None:
    outcome = merge(spans)
    # `place` first or `add` first: the outcome is one.
    by_id = {span.id: span for span in spans}
    for name, (trace, parent) in outcome.places.items():
        by_id[name] = msgspec.structs.replace(by_id[name], trace=trace, parent=parent)
    by_id |= {span.id: span for span in outcome.spans}
    assert by_id == {span.id: span for span in merged(spans, outcome)}


def test_an_attempt_that_the_agent_tells_of_and_the_proxy_saw_is_told_once() -> None:
    after, _ = done(
        span("task", "task", 0, 4),
        span("call", "call", 1, 3, "task", source="api"),
        span("a1", "attempt", 1, 1.5, "call", source="api", error="Overloaded"),
        span("a2", "attempt", 1.9, 3, "call", source="api"),
        span("p1", "attempt", 1.01, 1.49, "c", error="429"),
        span("p2", "attempt", 1.91, 2.99, "c"),
    )
    told_twice = {name: after[name].attributes.get("tithe.duplicate_of") for name in ("a1", "a2", "p1", "p2")}
    assert told_twice == {"a1": "p1", "a2": "p2", "p1": None, "p2": None}
    assert {after[name].parent for name in ("p1", "p2")} == {"call"}


def test_an_attempt_that_only_the_agent_tells_of_stands() -> None:
    after, _ = done(
        span("task", "task", 0, 4),
        span("call", "call", 1, 3, "task", source="api"),
        span("a1", "attempt", 1, 1.5, "call", source="api", error="Unreachable"),
        span("a2", "attempt", 1.9, 3, "call", source="api"),
        span("p2", "attempt", 1.91, 2.99, "c"),
    )
    assert "tithe.duplicate_of" not in after["a1"].attributes
    assert after["a2"].attributes["tithe.duplicate_of"] == "p2"
