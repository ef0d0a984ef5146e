"""Which answer asked for a tool run, with and without the id of its call."""

from typing import Any

from tests.ledger.trees import span

from tithe.core import Span
from tithe.trace.asking import Asking, askings
from tithe.trace.tree import build_tree


def asking(id_: str, start: float, *tools: tuple[str, str], **told: Any) -> Span:
    return span(id_, "call", start, start + 1, asked_tools=[list(one) for one in tools], **told)


def run(id_: str, start: float, end: float, name: str, **told: Any) -> Span:
    return span(id_, "tool", start, end, name=name, tool_name=name, source="api", **told)


def found(*spans: Span) -> list[tuple[str, list[str]]]:
    return [(one.call.span.id, [tool.span.id for tool in one.runs]) for one in seen(*spans)]


def seen(*spans: Span) -> list[Asking]:
    return list(askings(build_tree(spans).root))


PAIR = ("1", "search"), ("2", "read")


def test_runs_without_an_id_are_matched_by_name_and_order() -> None:
    spans = (
        asking("c", 0, *PAIR),
        run("a", 1, 2, "search"),
        run("b", 2, 3, "read"),
        asking("d", 3, *PAIR),
        run("e", 4, 5, "read"),
        run("f", 5, 6, "search"),
        asking("g", 7),
    )
    assert found(*spans) == [("c", ["a", "b"]), ("d", ["e", "f"])]
    assert all(one.in_series for one in seen(*spans))


def test_an_id_tells_whatever_the_order_and_the_name() -> None:
    late = run("a", 8, 9, "other", tool_call_id="1")
    assert found(asking("c", 0, *PAIR), run("b", 1, 2, "read"), asking("d", 6), late) == [("c", ["b", "a"])]


def test_a_run_more_than_was_asked_for_is_no_ones() -> None:
    twice = run("b", 2, 3, "search"), run("e", 3, 4, "search")
    assert found(asking("c", 0, *PAIR), run("a", 1, 2, "search"), *twice, asking("d", 5)) == [("c", ["a"])]


def test_what_was_not_asked_for_by_its_name_is_not_told() -> None:
    spans = asking("c", 0, *PAIR), run("a", 1, 2, "fetch"), run("b", 2, 3, "load"), asking("d", 5)
    [one] = seen(*spans)
    assert not one.told
    assert not one.in_series
    assert not one.outside


def test_of_what_was_seen_from_outside_nothing_is_told() -> None:
    [one] = seen(
        asking("c", 0, *PAIR, relation="new"),
        asking("d", 3, relation="extends", tool_results=["1", "2"]),
    )
    assert one.outside
    assert not one.told


def test_an_answer_after_which_nothing_came_is_left_out() -> None:
    assert found(asking("c", 0, *PAIR)) == []


def test_tools_of_a_branch_are_not_those_of_the_task() -> None:
    spans = (
        span("t", "task", 0, 9),
        asking("c", 0, *PAIR, parent="t"),
        span("b", "branch", 1, 4, "t"),
        run("a", 1, 2, "search", parent="b"),
        run("e", 2, 3, "read", parent="b"),
        asking("d", 5, parent="t"),
    )
    assert found(*spans) == [("c", [])]
