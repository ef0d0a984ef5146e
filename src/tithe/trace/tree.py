"""The spans of one task as one tree, whatever was seen of it.

Sources differ: a proxy sees attempts alone, a framework reports calls and tools, a log has neither ends nor parents. A
reader wants one shape. So this file, and nobody else, mends what is missing:

1. Attempts that name a call without a span get one; branches that attempts name get one; a task without a span of its
   own reaches from the first thing seen to the last.
2. A span whose parent was never seen, or that is its own ancestor, goes under the innermost span that holds it; a tool run
   that has no parent may be that span.
3. A span without an end ends where the next thing beside it begins, or with the last thing that was seen. One that ends
   before it begins has no length. Parents reach around their children; nothing reaches beyond a task whose own span
   was reported.
4. What was told twice (duplicates.py) counts once.
5. What ran between two calls is told from the calls (outside.py).

Nothing of this is written anywhere: the record stays as it was seen, and a better rule tomorrow reads it anew.
"""

import math
from bisect import insort
from collections.abc import Iterable

from tithe.core import attributes as at
from tithe.core.span import Span
from tithe.trace.duplicates import counted_once
from tithe.trace.node import LINES, Node, walk
from tithe.trace.outside import add_what_ran_between

# Sources that report what an agent did beside its calls, so that what lies between two reports is the framework's.
_INSTRUMENTED = frozenset(("api", "otlp", "import:otlp", "import:openai-agents", "import:langfuse"))
# What an agent reports by itself and Tithe gives to no other task.
_OF_A_STEP = frozenset(("step", "validation", "user", "other"))
# What is said of a task that holds tool runs alone.
TOOLS_ALONE = (
    "No call of a model is in this task: its tools ran outside of any task that Tithe knows, and no one task's calls lie around "
    "them. Put `with task(...)` around the agent's run. Where it is there, give a tool the name and the call_id of what the model "
    "asked for, or run its thread in a copy of the context."
)
# And of one whose steps, or what else was reported of it, stand in no task.
STEPS_ALONE = (
    "Its steps were reported outside of any task, and each such step, check or pause is a task of its own, with the calls made in it. "
    "Put `with task(...)` around the agent's run."
)
# And of one that the agent reported, and no call in it.
NO_CALL = (
    "No call of a model was seen in this task: if it made some, they did not go through the proxy, and the "
    "agent did not report them."
)


class TaskTree:
    """One task. `instrumented`: its agent reported spans of its own. `finished`: every span was seen to end.

    `notes`: what was mended, a sentence each.
    """

    __slots__ = ("finished", "instrumented", "notes", "root")

    def __init__(self, root: Node, *, instrumented: bool, finished: bool, notes: tuple[str, ...]) -> None:
        self.root = root
        self.instrumented = instrumented
        self.finished = finished
        self.notes = notes


def build_tree(spans: Iterable[Span]) -> TaskTree:
    """The tree of one task's spans. Raises `ValueError` when there are none with a start."""
    mended = _Mended()
    nodes = _nodes(counted_once(spans), mended)
    if not nodes:
        raise ValueError("a task without spans has no tree")
    root, homeless = _hang(nodes)
    mended.orphans = sum(not node.made and node.span.parent is not None for node in homeless)
    _house(root, homeless)
    opened = [node for node in nodes.values() if node.span.end is None]
    if opened:
        _end_the_open(root, opened)
    _reach_around(root)
    if root.span.end is not None and not root.made:
        mended.beyond = _cut(root)
    if add_what_ran_between(root):
        _reach_around(root)
    instrumented = any(node.span.attributes.get(at.SOURCE) in _INSTRUMENTED for node in nodes.values())
    notes = mended.told(len(opened))
    if root.made and all(node.kind == "tool" for node in nodes.values()):
        notes = (*notes, TOOLS_ALONE)
    elif root.made and any(_reported_step(child) for child in root.children):
        notes = (*notes, STEPS_ALONE)
    elif not root.made and not any(node.kind == "call" for node in walk(root)):
        notes = (*notes, NO_CALL)
    return TaskTree(root, instrumented=instrumented, finished=not opened, notes=notes)


def _reported_step(node: Node) -> bool:
    return node.kind in _OF_A_STEP and not node.made and node.span.attributes.get(at.SOURCE) == "api"


class _Mended:
    """How many spans were mended, by what was wrong."""

    __slots__ = ("backwards", "beyond", "orphans", "unstamped")

    def __init__(self) -> None:
        self.unstamped = self.backwards = self.orphans = self.beyond = 0

    def told(self, opened: int) -> tuple[str, ...]:
        counts = (
            (
                opened,
                "without an end: taken to end where the next thing begins, or with the last that was seen",
            ),
            (self.backwards, "ending before beginning: taken to have no length"),
            (self.orphans, "whose parent was not seen: put under the innermost span around"),
            (self.beyond, "reaching beyond the task's own span: cut there"),
            (self.unstamped, "without a start: left out"),
        )
        return tuple(
            f"{count} {'span' if count == 1 else 'spans'} {words}." for count, words in counts if count
        )


def _nodes(spans: Iterable[Span], mended: _Mended) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for span in spans:
        start, end = span.start, span.end
        if not math.isfinite(start) or (end is not None and not math.isfinite(end)):
            mended.unstamped += 1
            continue
        if end is None:
            end = start
        elif end < start:
            mended.backwards += 1
            end = start
        nodes[span.id] = Node(span, start, end)
    return nodes


def _hang(nodes: dict[str, Node]) -> tuple[Node, list[Node]]:
    """Hang every node under its parent; the root, and the nodes that have no place yet."""
    homeless: list[Node] = []
    tasks: list[Node] = []
    calls: dict[str, Node] = {}
    branches: dict[str, Node] = {}
    ringed = _in_a_ring(nodes)
    for node in nodes.values():
        parent = nodes.get(node.span.parent) if node.span.parent is not None else None
        if parent is not None and node.span.id in ringed:
            parent = None
        if node.kind == "attempt" and (parent is None or parent.kind != "call"):
            attempt = node
            node, first = _call_of(attempt, parent, calls)
            if not first:
                continue
            branch = node.span.attributes.get(at.BRANCH)
            if parent is None and branch is not None:
                there = nodes.get(branch)
                reported = (
                    there is not None and there.kind == "branch" and not _is_under(there, attempt, nodes)
                )
                parent = there if reported else _branch(node, branch, branches)
        if parent is not None:
            parent.children.append(node)
        elif node.kind == "task":
            tasks.append(node)
        else:
            homeless.append(node)
    root = min(tasks, key=lambda node: node.start) if tasks else _made_root(nodes)
    for task in tasks:
        if task is not root:
            task.kind = "branch"
            root.children.append(task)
    return root, [*homeless, *branches.values()]


def _is_under(node: Node, other: Node, nodes: dict[str, Node]) -> bool:
    """Whether `other` is the node or among its ancestors, as their spans have it."""
    seen: set[str] = set()
    one: Node | None = node
    while one is not None and one.span.id not in seen:
        if one is other:
            return True
        seen.add(one.span.id)
        one = nodes.get(one.span.parent) if one.span.parent is not None else None
    return False


def _in_a_ring(nodes: dict[str, Node]) -> set[str]:
    """Spans that are their own ancestors: of each ring the earliest, with which it is cut."""
    cut: set[str] = set()
    safe: set[str] = set()
    for first in nodes:
        path: dict[str, None] = {}
        one: str | None = first
        while one is not None and one in nodes and one not in safe and one not in cut:
            if one in path:
                ring = list(path)[list(path).index(one) :]
                cut.add(min(ring, key=lambda each: (nodes[each].start, each)))
                break
            path[one] = None
            one = nodes[one].span.parent
        safe.update(path)
    return cut


def _call_of(attempt: Node, parent: Node | None, calls: dict[str, Node]) -> tuple[Node, bool]:
    """The call of an attempt that has none in the record, and whether it was made with this one."""
    span = attempt.span
    own = span.parent if span.parent is not None and parent is None else f"{span.id}-call"
    call = calls.get(own)
    first = call is None
    if call is None:
        made = Span(
            id=own,
            trace=span.trace,
            kind="call",
            name=span.name,
            start=attempt.start,
            attributes=span.attributes,
        )
        call = calls[own] = Node(made, attempt.start, attempt.end, made=True)
    call.children.append(attempt)
    call.start = min(call.start, attempt.start)
    call.end = max(call.end, attempt.end)
    return call, first


def _branch(call: Node, own: str, branches: dict[str, Node]) -> Node:
    branch = branches.get(own)
    if branch is None:
        told = call.span.attributes
        kept = {key: told[key] for key in (at.BRANCH_OF, at.SOURCE) if key in told}
        made = Span(
            id=own, trace=call.span.trace, kind="branch", name="branch", start=call.start, attributes=kept
        )
        branch = branches[own] = Node(made, call.start, call.end, made=True)
    return branch


def _made_root(nodes: dict[str, Node]) -> Node:
    start = min(node.start for node in nodes.values())
    end = max(node.end for node in nodes.values())
    trace = next(iter(nodes.values())).span.trace
    return Node(
        Span(id=trace, trace=trace, kind="task", name="task", start=start, end=end), start, end, made=True
    )


def _house(root: Node, homeless: list[Node]) -> None:
    """Put what has no parent under the innermost span that may hold it.

    A tool without a parent may hold what ran in it, and no other such tool: they are of threads that ran beside each other.
    """
    strays: set[int] = set()
    holders = sorted(
        (
            node
            for node in walk(root)
            if node is not root and not node.made and node.kind in ("branch", "step", "tool")
        ),
        key=lambda node: node.length,
    )
    for node in sorted(
        homeless, key=lambda node: (node.kind != "tool", -node.length if node.kind == "tool" else 0.0)
    ):
        if node.made and node.kind == "branch":
            _reach_around(node)
        fits = (
            one
            for one in holders
            if one.start <= node.start
            and node.end <= one.end
            and not (node.kind == "tool" and id(one) in strays)
        )
        next(fits, root).children.append(node)
        if node.kind == "tool" and not node.made:
            strays.add(id(node))
            insort(holders, node, key=lambda one: one.length)


def _end_the_open(root: Node, opened: list[Node]) -> None:
    """Give an end to what has none: the next thing beside it, else the last thing that was seen."""
    everything = list(walk(root))
    last = max(node.end for node in everything)
    parents = {id(child): parent for parent in everything for child in parent.children}
    for node in opened:
        if node is root:
            root.end = max(root.end, last)
            continue
        # What holds others ends with them; _reach_around sees to that.
        if node.kind in LINES and node.children:
            continue
        one = node
        if node.kind == "attempt":
            one = parents.get(id(node), node)
        beside = parents[id(one)].children if id(one) in parents else ()
        later = [other.start for other in beside if other.start > one.start]
        node.end = max(node.end, min(later, default=last))


def _reach_around(root: Node) -> None:
    """Parents reach around their children; a task that said when it ended does not."""
    for node in reversed(list(walk(root))):
        if node is root and node.kind == "task" and not node.made and node.span.end is not None:
            continue
        for child in node.children:
            node.start = min(node.start, child.start)
            node.end = max(node.end, child.end)


def _cut(root: Node) -> int:
    """Cut at a task's own bounds what reaches beyond them; how many spans did."""
    start, end = root.start, root.end
    beyond = 0
    for node in walk(root):
        if node.start < start or node.end > end:
            beyond += not node.made
            node.start = min(max(node.start, start), end)
            node.end = max(min(node.end, end), node.start)
    return beyond
