"""One tree, whatever was seen: what is missing is made, what is broken is mended, and the record is not touched."""

from typing import Any

from tests.ledger.trees import span

from tithe.core import Span
from tithe.core import attributes as at
from tithe.trace.node import Node, walk
from tithe.trace.tree import build_tree


def seen(id_: str, start: float, end: float | None, call: str, **told: Any) -> Span:
    """An attempt as the proxy records it."""
    told.setdefault("relation", "extends")
    told.setdefault("has_tools", True)
    return span(id_, "attempt", start, end, call, source="proxy", **told)


def shape(node: Node) -> Any:
    """Kinds and names, nested; a leaf is a string."""
    name = f"{node.kind} {node.span.name}" if node.kind == "tool" else node.kind
    children = [shape(child) for child in sorted(node.children, key=lambda one: one.start)]
    return {name: children} if children else name


def find(root: Node, kind: str) -> list[Node]:
    return [node for node in walk(root) if node.kind == kind]


def test_a_proxys_attempts_get_calls_and_a_task() -> None:
    tree = build_tree(
        [
            seen("a1", 1, 2, "c1", error="429"),
            seen("a2", 3, 4, "c1"),
            seen("b1", 5, 6, "c2"),
        ]
    )
    assert shape(tree.root) == {"task": [{"call": ["attempt", "attempt"]}, {"call": ["attempt"]}]}
    first, second = find(tree.root, "call")
    assert (first.span.id, first.start, first.end) == ("c1", 1, 4)
    assert second.span.id == "c2"
    assert (tree.root.start, tree.root.end, tree.instrumented, tree.finished) == (1, 6, False, True)


def test_a_tool_is_found_between_an_answer_and_the_request_with_its_result() -> None:
    tree = build_tree(
        [
            seen("a1", 0, 1, "c1", asked_tools=[["x", "search"], ["y", "read"]]),
            seen("a2", 3, 4, "c2", tool_results=["x", "y"], new_roles=["assistant", "tool", "tool"]),
        ]
    )
    tools = find(tree.root, "tool")
    assert [(tool.span.name, tool.start, tool.end) for tool in tools] == [("search", 1, 3), ("read", 1, 3)]
    assert all(tool.span.attributes[at.SEEN] == "outside" for tool in tools)


def test_a_tool_that_the_agent_reported_is_not_guessed() -> None:
    reported = span("r", "tool", 1.2, 2.8, name="search", tool_call_id="x", source="api")
    tree = build_tree(
        [
            seen("a1", 0, 1, "c1", asked_tools=[["x", "search"]]),
            reported,
            seen("a2", 3, 4, "c2", tool_results=["x"], new_roles=["assistant", "tool"]),
        ]
    )
    assert [tool.span.id for tool in find(tree.root, "tool")] == ["r"]
    assert tree.instrumented


def test_a_tool_reported_without_its_calls_id_is_told_by_its_time() -> None:
    tree = build_tree(
        [
            seen("a1", 0, 1, "c1", asked_tools=[["x", "search"]]),
            span("r", "tool", 1.2, 2.8, name="search"),
            seen("a2", 3, 4, "c2", tool_results=["x"]),
        ]
    )
    assert [tool.span.id for tool in find(tree.root, "tool")] == ["r"]


def test_a_users_message_after_a_last_answer_is_waiting_for_a_user() -> None:
    def spans(*, has_tools: bool) -> list[Span]:
        return [
            seen("a1", 0, 1, "c1", asked_tools=[], has_tools=has_tools),
            seen("a2", 9, 10, "c2", new_roles=["assistant", "user"], has_tools=has_tools),
        ]

    [user] = find(build_tree(spans(has_tools=True)).root, "user")
    assert (user.start, user.end) == (1, 9)
    assert find(build_tree(spans(has_tools=False)).root, "user") == []


def test_a_sub_agent_runs_inside_the_tool_that_called_it() -> None:
    tree = build_tree(
        [
            seen("a1", 0, 1, "c1", asked_tools=[["x", "research"]]),
            seen("s1", 2, 3, "d1", branch="b", branch_of="c1"),
            seen("s2", 4, 5, "d2", branch="b", branch_of="c1"),
            seen("a2", 6, 7, "c2", tool_results=["x"]),
        ]
    )
    nested = {"tool research": [{"branch": [{"call": ["attempt"]}, {"call": ["attempt"]}]}]}
    assert shape(tree.root) == {"task": [{"call": ["attempt"]}, nested, {"call": ["attempt"]}]}


def test_an_open_span_ends_where_the_next_thing_begins_or_with_the_last_that_was_seen() -> None:
    tree = build_tree(
        [
            span("t", "task", 0, None),
            span("x", "tool", 1, None, "t"),
            span("y", "tool", 3, 5, "t"),
            span("z", "tool", 4, None, "t"),
        ]
    )
    ends = {node.span.id: node.end for node in walk(tree.root)}
    assert ends == {"t": 5, "x": 3, "y": 5, "z": 5}
    assert not tree.finished
    assert "3 spans without an end" in tree.notes[0]


def test_a_task_that_said_when_it_ended_keeps_its_end() -> None:
    tree = build_tree([span("t", "task", 0, 5), span("x", "tool", 4, 8, "t"), span("y", "tool", 6, 8, "t")])
    assert (tree.root.end, [(node.start, node.end) for node in tree.root.children]) == (5, [(4, 5), (5, 5)])
    assert "2 spans reaching beyond" in tree.notes[0]


def test_orphans_go_under_the_innermost_span_that_holds_them() -> None:
    tree = build_tree(
        [
            span("t", "task", 0, 10),
            span("s", "step", 1, 6, "t"),
            span("x", "tool", 2, 3, "never seen"),
            span("y", "tool", 7, 8, "never seen"),
        ]
    )
    assert shape(tree.root) == {"task": [{"step": ["tool tool"]}, "tool tool"]}
    assert "2 spans whose parent was not seen" in tree.notes[0]


def test_a_ring_of_parents_is_cut() -> None:
    tree = build_tree([span("a", "step", 1, 2, "b"), span("b", "step", 1, 3, "a"), span("c", "tool", 0, 1)])
    assert len(list(walk(tree.root))) == 4


def test_parents_reach_around_their_children() -> None:
    tree = build_tree([span("s", "step", 2, 3), span("x", "tool", 1, 4, "s")])
    [step] = find(tree.root, "step")
    assert (step.start, step.end) == (1, 4)


def test_steps_outside_of_any_task_are_told_to_be() -> None:
    step = span("s", "step", 0, 3, source="api")
    call = span("c", "call", 1, 2, "s", source="api")
    assert any("Put `with task(...)`" in note for note in build_tree([step, call]).notes)
    task = span("t", "task", 0, 3, source="api")
    within = span("s", "step", 0, 3, "t", source="api")
    assert not any("with task" in note for note in build_tree([task, within, call]).notes)


def test_a_check_outside_of_any_task_is_told_as_a_step_is() -> None:
    check = span("v", "validation", 0, 1, source="api")
    assert any("Put `with task(...)`" in note for note in build_tree([check]).notes)


def test_a_reported_task_without_a_call_says_so_and_is_not_told_to_be_reported() -> None:
    task = span("t", "task", 0, 3, source="api")
    [note] = build_tree([task, span("x", "tool", 1, 2, "t", source="api")]).notes
    assert note.startswith("No call of a model was seen")
    assert "with task" not in note
    assert build_tree([task, span("c", "call", 1, 2, "t", source="api")]).notes == ()


def test_tools_of_threads_stand_beside_each_other() -> None:
    tree = build_tree(
        [
            span("t", "task", 0, 10, source="api"),
            span("c", "call", 0, 1, "t", source="api"),
            span("x", "tool", 1, 5, None, name="search", source="api"),
            span("y", "tool", 1.5, 3, None, name="fetch", source="api"),
        ]
    )
    assert shape(tree.root) == {"task": ["call", "tool search", "tool fetch"]}
