"""Tool runs outside of any task: whose they are, and when nobody can say."""

from typing import Any

import pytest

from tithe.core import Span
from tithe.core import attributes as at
from tithe.core.span import SpanKind
from tithe.trace.merging import Merged, merge, merged
from tithe.trace.tree import build_tree


def span(id_: str, kind: SpanKind, start: float, end: float | None, trace: str, **told: Any) -> Span:
    parent = told.pop("parent", None)
    source = told.pop("source", "proxy" if kind == "attempt" else "api")
    attributes = {getattr(at, key.upper()): value for key, value in told.items()}
    if kind == "tool":
        attributes.setdefault(at.TOOL_NAME, "search")
    return Span(
        id=id_, trace=trace, kind=kind, name=id_, start=start, end=end, parent=parent,
        attributes={at.SOURCE: source, **attributes},
    )  # fmt: skip


def conversation(trace: str, start: float = 0.0, *asked: str) -> list[Span]:
    """A call from `start` to a second later that asks for tools, and one three seconds later with their results."""
    tools = [[f"{trace}-{name}", name] for name in asked or ("search",)]
    return [
        span(f"{trace}1", "attempt", start, start + 1, trace, parent=f"{trace}c1", relation="new", asked_tools=tools),
        span(f"{trace}2", "attempt", start + 3, start + 4, trace, parent=f"{trace}c2", relation="extends",
             asked_tools=[], tool_results=[id_ for id_, _ in tools], new_roles=["assistant", "tool"]),
    ]  # fmt: skip


def done(*spans: Span) -> tuple[dict[str, Span], Merged]:
    outcome = merge(spans)
    after = {each.id: each for each in merged(spans, outcome)}
    again = merge(after.values())
    assert (again.places, again.spans) == ({}, ())
    return after, outcome


def test_a_stray_goes_to_the_task_between_whose_calls_it_ran() -> None:
    after, outcome = done(*conversation("P"), span("t", "tool", 1.2, 2.8, "x"))
    assert (after["t"].trace, outcome.adopted, outcome.ambiguous) == ("P", 1, 0)
    tree = build_tree(after.values())
    assert {child.span.id for child in tree.root.children} == {"Pc1", "Pc2", "t"}


@pytest.mark.parametrize("source", ["api", "otlp"])
def test_whoever_told_of_it_and_with_what_stands_in_it(source: str) -> None:
    inner = span("inner", "tool", 1.3, 1.5, "x", parent="t", source=source)
    after, _ = done(*conversation("P"), span("t", "tool", 1.2, 2.8, "x", source=source), inner)
    assert {after["t"].trace, after["inner"].trace} == {"P"}
    assert after["inner"].parent == "t"


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (1.2, 3.5, "search"),  # ran on while the next call was made
        (0.2, 0.8, "search"),  # while the call was
        (1.2, 2.8, "write"),  # was not asked for
        (4.2, 4.8, "search"),  # after a call that asked for nothing
        (-2.0, -1.0, "search"),  # before any call
    ],
)
def test_one_that_no_call_asked_for_stays_a_task_of_its_own(start: float, end: float, name: str) -> None:
    after, outcome = done(*conversation("P"), span("t", "tool", start, end, "x", tool_name=name))
    assert (after["t"].trace, outcome.adopted) == ("x", 0)


def test_one_that_two_tasks_could_have_stays_and_is_counted_unless_a_call_id_or_its_name_tells() -> None:
    both = [*conversation("P"), *conversation("Q", 0.1)]
    after, outcome = done(*both, span("t", "tool", 1.2, 2.8, "x"))
    assert (after["t"].trace, outcome.adopted, outcome.ambiguous) == ("x", 0, 1)
    after, outcome = done(*both, span("t", "tool", 1.2, 2.8, "x", tool_call_id="Q-search"))
    assert (after["t"].trace, outcome.ambiguous) == ("Q", 0)
    other = [*conversation("P"), *conversation("Q", 0.1, "write")]
    after, _ = done(*other, span("t", "tool", 1.2, 2.8, "x", tool_name="write"))
    assert after["t"].trace == "Q"


def test_what_a_task_ended_with_is_its_own_where_no_other_has_it_between_two_calls() -> None:
    last, _ = conversation("P")
    after, _ = done(last, span("t", "tool", 1.2, 2.8, "x"))
    assert after["t"].trace == "P"
    after, _ = done(last, *conversation("Q", 5.0), span("t", "tool", 6.2, 7.8, "x"))
    assert after["t"].trace == "Q"


def test_another_conversation_that_goes_on_meanwhile_is_not_drawn_into_it() -> None:
    meanwhile = span("Q1", "attempt", 1.5, 2.0, "Q", parent="Qc1", relation="new", asked_tools=[])
    after, _ = done(*conversation("P"), meanwhile, span("t", "tool", 1.2, 2.8, "x"))
    assert (after["t"].trace, after["Q1"].trace) == ("P", "Q")


def test_a_sub_agent_of_the_same_task_runs_inside_it() -> None:
    inside = span("b1", "attempt", 1.5, 2.0, "P", parent="bc1", relation="new", branch="b", branch_of="Pc1",
                  asked_tools=[])  # fmt: skip
    after, _ = done(*conversation("P"), inside, span("t", "tool", 1.2, 2.8, "x"))
    root = build_tree(after.values()).root
    [tool] = [child for child in root.children if child.kind == "tool"]
    assert [child.span.id for child in tool.children] == ["b"]


def test_a_tool_that_is_the_whole_run_holds_its_calls() -> None:
    after, outcome = done(*conversation("P"), span("t", "tool", -1.0, 9.0, "x"))
    assert {each.trace for each in after.values()} == {"x"}
    assert outcome.adopted == 0


def test_a_stray_of_a_thread_goes_to_the_task_that_the_agent_reported() -> None:
    after, _ = done(
        span("task", "task", -1.0, 9.0, "A"), *conversation("P"), span("t", "tool", 1.2, 2.8, "x")
    )
    assert {each.trace for each in after.values()} == {"A"}


def test_a_task_of_tools_alone_says_what_to_do() -> None:
    [note] = build_tree([span("t", "tool", 0.0, 1.0, "x")]).notes
    assert "with task(...)" in note
    assert build_tree(conversation("P")).notes == ()
