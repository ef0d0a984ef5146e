"""What ran between two calls, told from the calls: tools and people that no one reported.

An answer asked for tools, and the next request of the same line brings their results: whatever the agent did to have
them, it did in between. So each of those tools ran no sooner than the answer's end and no later than the request, and
the whole of that time is an upper bound on its own. A tool that the agent reported itself, by its call's id or in that
time, needs no such guess and gets none; where it reported some of an answer's tools and not the others, these have it. Of several tools of one answer each has the whole of that time as its bound; whether
they ran at once or one after the other is not seen (`told_together`).

An answer that asked for nothing, although it had tools to ask for, is the end of a turn. Where the next request goes on
with a user's message, what lies between is waiting for whoever wrote it: a person, or a program in a person's place.
Without tools to ask for nothing tells a person's message from a tool's result that is sent as one, so that time stays
unattributed.

A branch that began at a call (a sub-agent) ran inside a tool that the call asked for. As many branches as tools are one
each, and such a tool is known better: it ran as long as its branch did. Otherwise nobody says whose they are, and the
tools of that answer are told as one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from typing import Any

from tithe.core import attributes as at
from tithe.core.span import Span, SpanKind
from tithe.trace.node import LINES, Node, asked_tools, walk


def add_what_ran_between(root: Node) -> bool:
    """Add to each line of the tree the tools and pauses that its calls tell of; whether a step now ends later for it."""
    grown = False
    lines = [node for node in walk(root) if node.kind in ("task", "branch")]
    reported: set[str] | None = None
    for line in lines:
        calls = sorted(_calls(line), key=lambda pair: pair[0].start)
        if not any(at.RELATION in call.attributes for call, _ in calls):
            continue
        if reported is None:
            reported = {
                node.span.attributes[at.TOOL_CALL_ID]
                for node in walk(root)
                if node.kind == "tool" and at.TOOL_CALL_ID in node.span.attributes
            }
        ends = [holder.end for _, holder in calls]
        _Line(line, calls, reported).fill()
        grown = grown or ends != [holder.end for _, holder in calls]
    return grown


def told_together(nodes: Iterable[Node]) -> Iterator[list[Node]]:
    """Of the nodes' children, the tools that one answer asked for and of which nothing more is seen, two or more at a time."""
    for holder in nodes:
        groups: dict[tuple[float, float], list[Node]] = {}
        for child in holder.children:
            if child.made and child.kind == "tool" and not child.children:
                groups.setdefault((child.start, child.end), []).append(child)
        yield from (group for group in groups.values() if len(group) > 1)


def _calls(line: Node) -> list[tuple[Node, Node]]:
    """The calls of a line and of its steps, each with what it stands in; not those of its branches."""
    found: list[tuple[Node, Node]] = []
    stack = [line]
    while stack:
        holder = stack.pop()
        for child in holder.children:
            if child.kind == "call":
                found.append((child, holder))
            elif child.kind == "step":
                stack.append(child)
    return found


class _Line:
    """One line's calls in order, and what else was reported in it."""

    def __init__(self, line: Node, calls: list[tuple[Node, Node]], reported: set[str]) -> None:
        self._line = line
        self._calls = calls
        self._reported = reported
        self._branches = [node for node in line.children if node.kind == "branch" and node.made]
        holders = {id(holder): holder for _, holder in calls}
        others = [
            child
            for holder in (line, *holders.values())
            for child in holder.children
            if child.kind not in LINES and child.kind != "call"
        ]
        self._tools = list({id(one): one for one in others if one.kind == "tool"}.values())
        spans = sorted({id(one): (one.start, one.end) for one in others}.values())
        self._starts = [start for start, _ in spans]
        self._latest_ends = list(accumulate((end for _, end in spans), max))

    def fill(self) -> None:
        """Add what ran between each two calls."""
        for (before, holder), (after, _) in pairwise(self._calls):
            if after.start > before.end:
                self._between(before, after, holder)

    def _between(self, before: Node, after: Node, holder: Node) -> None:
        told = _first_told(after)
        results: list[str] = told.get(at.TOOL_RESULTS) or []
        asked = asked_tools(before)
        if results:
            names = dict(asked or ())
            tools = [(one, names.get(one) or "tool") for one in results if one not in self._reported]
            if tools and self._covered(before.end, after.start):
                tools = self._unreported(tools, frozenset(results), before.end, after.start)
            if tools:
                self._add_tools(tools, before, after, holder)
        elif asked == [] and told.get(at.HAS_TOOLS) and "user" in (told.get(at.NEW_ROLES) or ()):
            if not self._covered(before.end, after.start):
                _hang(holder, [_made("user", "user", f"{after.span.id}-user", before, after, {})])

    def _unreported(
        self, tools: list[tuple[str, str]], results: frozenset[str], start: float, end: float
    ) -> list[tuple[str, str]]:
        """Those of an answer's tools that nobody reported, where others of them were; none where that cannot be told by name."""
        beside = [
            tool.span.attributes
            for tool in self._tools
            if tool.start < end and tool.end > start and not tool.made
        ]
        if not beside:
            return []  # what was reported is no tool, and the agent's account of that time
        names = [told.get(at.TOOL_NAME) for told in beside if told.get(at.TOOL_CALL_ID) not in results]
        left: list[tuple[str, str]] = []
        for id_, name in tools:
            if name in names:
                names.remove(name)
            else:
                left.append((id_, name))
        return left if len(names) < len(left) else []

    def _add_tools(self, tools: list[tuple[str, str]], before: Node, after: Node, holder: Node) -> None:
        branches = [branch for branch in self._branches if _began_in(branch, before, after)]
        self._branches = [branch for branch in self._branches if branch not in branches]
        for branch in branches:
            self._line.children.remove(branch)
        if branches and len(branches) != len(tools):
            # Nobody says whose they are: the tools are told as one.
            tools = [(tools[0][0], ", ".join(dict.fromkeys(name for _, name in tools)))]
        made = [
            _made(
                "tool",
                name,
                f"{after.span.id}-tool-{place}",
                before,
                after,
                {at.TOOL_NAME: name, at.TOOL_CALL_ID: id_},
            )
            for place, (id_, name) in enumerate(tools)
        ]
        if len(branches) == len(made) > 1:
            for tool, branch in zip(made, sorted(branches, key=lambda one: one.start), strict=True):
                tool.start, tool.end, tool.children = branch.start, branch.end, [branch]
        elif branches:
            made[0].children = branches
        _hang(holder, made)

    def _covered(self, start: float, end: float) -> bool:
        """Whether the agent reported something of its own in between."""
        begun = bisect_left(self._starts, end)
        return begun > 0 and self._latest_ends[begun - 1] > start


def _began_in(branch: Node, before: Node, after: Node) -> bool:
    """Whether a branch came from `before` and ran until `after` at the latest."""
    return (
        branch.span.attributes.get(at.BRANCH_OF) == before.span.id
        and branch.start >= before.end
        and branch.end <= after.start
    )


def _hang(holder: Node, made: list[Node]) -> None:
    holder.children.extend(made)
    holder.end = max(holder.end, *(node.end for node in made))


def _first_told(call: Node) -> dict[str, Any]:
    """What a call's first attempt told: a retry brings nothing for the first time."""
    return min(call.attempts, key=lambda one: one.start, default=call).span.attributes


def _made(kind: SpanKind, name: str, id_: str, before: Node, after: Node, told: dict[str, str]) -> Node:
    span = Span(
        id=id_,
        trace=before.span.trace,
        kind=kind,
        name=name,
        start=before.end,
        end=after.start,
        attributes={**told, at.SEEN: "outside"},
    )
    return Node(span, before.end, after.start, made=True)
