"""What each span waited for, and which tools could have run at once."""

from tests.ledger.trees import span

from tithe.trace.timing import series, tail, waits
from tithe.trace.tree import build_tree

TREE = build_tree(
    [
        span("task", "task", 0.0, 10.0, source="api"),
        span("a", "call", 1.0, 2.0, "task", asked_tools=[["x", "f"], ["y", "g"]]),
        span("b", "tool", 2.5, 6.0, "task", tool_call_id="z"),
        span("c", "tool", 3.0, 4.0, "task", tool_call_id="x"),
        span("d", "tool", 4.0, 5.0, "task", tool_call_id="y"),
        span("e", "call", 7.0, 9.0, "task"),
    ]
)


def test_a_span_waits_for_all_that_had_ended():
    told = {
        wait.child.span.id: (wait.ended, wait.last.span.id if wait.last else None, wait.gap_s)
        for wait in waits(TREE.root)
    }
    assert told == {
        "a": ((), None, 1.0),
        "b": ((0,), "a", 0.5),
        "c": ((), "a", 1.0),
        "d": ((2,), "c", 0.0),
        "e": ((3, 1), "b", 1.0),
    }


def test_the_tail_is_what_is_left_after_the_last_to_end():
    latest, rest = tail(TREE.root)
    assert (latest.span.id, rest) == ("e", 1.0)


def test_tools_of_one_answer_that_ran_one_after_the_other_are_a_series():
    assert [[tool.span.id for tool in group] for group in series(TREE.root)] == [["c", "d"]]
