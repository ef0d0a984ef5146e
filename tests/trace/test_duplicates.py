"""What was told twice counts once, and nothing goes with it that was told but once."""

from typing import Any

from tithe.core import Span
from tithe.trace.duplicates import counted_once, duplicates, united
from tithe.trace.node import walk
from tithe.trace.tree import build_tree


def call(name: str, start: float, end: float | None, parent: str | None = None, **told: Any) -> Span:
    return Span(
        id=name,
        trace="t",
        kind="call",
        name=name,
        start=start,
        end=end,
        parent=parent,
        attributes={"tithe.source": "otlp"} | {f"gen_ai.{key}": value for key, value in told.items()},
    )


def response(name: str) -> dict[str, str]:
    return {"response.id": name}


def test_of_one_response_the_first_call_stands() -> None:
    spans = [
        call("second", 1.1, 4, **response("r")),
        call("first", 1, 5, **response("r")),
        call("third", 1.2, None, **response("r")),
        call("later", 6, 7, **response("r")),
        call("another", 1, 5, **response("q")),
    ]
    assert duplicates(spans) == {"second": "first", "third": "first"}


def test_of_two_that_begin_at_once_the_longer_stands() -> None:
    assert duplicates([call("a", 1, 4, **response("r")), call("b", 1, 5, **response("r"))]) == {"a": "b"}
    assert duplicates([call("b", 1, 4, **response("r")), call("a", 1, 4, **response("r"))]) == {"b": "a"}


def test_what_a_duplicate_was_told_of_leads_to_the_one_that_stands() -> None:
    # A framework's call around a client's, which two instrumentations tell of.
    spans = [
        call("outer", 0, 9),
        call("middle", 1, 8, "outer", **response("r")),
        call("inner", 2, 7, "middle", **response("r")),
    ]
    assert set(duplicates(spans).values()) == {"outer"}


def test_a_tree_has_the_call_once_with_all_that_stood_under_both() -> None:
    task = Span(id="task", trace="t", kind="task", name="task", start=0, end=10)
    attempt = Span(id="attempt", trace="t", kind="attempt", name="m", start=2, end=4, parent="inner")
    spans = united([call("outer", 1, 6, "task"), call("inner", 1.5, 5, "outer", **response("r"))])
    root = build_tree([task, *spans.values(), attempt]).root
    assert [(node.span.id, node.kind) for node in walk(root)] == [
        ("task", "task"),
        ("outer", "call"),
        ("attempt", "attempt"),
    ]


def test_a_mark_that_leads_nowhere_is_not_believed() -> None:
    def marked(name: str, of: Any) -> Span:
        return Span(
            id=name, trace="t", kind="call", name=name, start=0, end=1, attributes={"tithe.duplicate_of": of}
        )

    spans = [
        marked("lost", "gone"),
        marked("self", "self"),
        marked("a", "b"),
        marked("b", "a"),
        marked("c", 7),
    ]
    assert counted_once(spans) == spans
