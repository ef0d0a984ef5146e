"""Which answer asked for a tool run, of those answers that asked for several.

A run that carries the id of a tool call is of the answer that gave it. One that carries none is of the last answer before
it in its line, if that asked for a tool of its name that no earlier run is taken for: an agent runs what it was asked for,
once each, before it asks again. A run that no answer asked for by its name is no one's.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tithe.core import attributes as at
from tithe.trace.node import Node, asked_tools, walk


class Asking(NamedTuple):
    """An answer that asked for several tools. `runs`: those that the agent reported and that are known to be of it, by start.

    `outside`: whether what ran after it was seen from outside. Fewer than two runs tell nothing of how they stood to each
    other.
    """

    call: Node
    runs: list[Node]
    outside: bool

    @property
    def told(self) -> bool:
        """Whether it is known if they ran at once."""
        return len(self.runs) > 1

    @property
    def in_series(self) -> bool:
        """Whether they ran one after the other, none beside another."""
        return self.told and all(one.end <= other.start for one, other in pairwise(self.runs))


def askings(root: Node) -> Iterator[Asking]:
    """The answers that asked for two tools or more, but for those after which nothing says that any tool ran."""
    found = _Runs(root)
    for line in found.lines:
        for number, call in enumerate(line.calls):
            if len(asked_tools(call) or ()) < 2:
                continue
            runs = sorted(found.of[id(call)], key=lambda tool: (tool.start, tool.end))
            if len(runs) > 1 or number + 1 < len(line.calls):
                yield Asking(call, runs, call.end in line.outside)


class _Line:
    """The calls and the reported tools of a task, a branch, or a tool that is an agent, by start, steps in it included.

    `outside`: the instants from which on tools were seen from outside.
    """

    def __init__(self, line: Node) -> None:
        self.calls: list[Node] = []
        self.tools: list[Node] = []
        self.outside: set[float] = set()
        stack = [line]
        while stack:
            for child in stack.pop().children:
                if child.kind == "call":
                    self.calls.append(child)
                elif child.kind == "step":
                    stack.append(child)
                elif _is_reported(child):
                    self.tools.append(child)
                elif child.kind == "tool":
                    self.outside.add(child.span.start)
        self.calls.sort(key=lambda call: call.start)
        self.tools.sort(key=lambda tool: tool.start)


class _Runs:
    """The reported tool runs by the `id()` of the call that asked for them, and each line's calls by start."""

    def __init__(self, root: Node) -> None:
        self.of: dict[int, list[Node]] = defaultdict(list)
        self.lines = list[_Line]()
        nodes = list(walk(root))
        asked: dict[str, Node] = {}
        for node in nodes:
            if node.kind == "call":
                asked.update((id_, node) for id_, _ in asked_tools(node) or () if id_)
        named: set[int] = set()
        claimed: dict[int, Counter[str]] = defaultdict(Counter)
        for node in nodes:
            wanted = _call_id(node) if _is_reported(node) else None
            if wanted is not None and wanted in asked:
                call = asked[wanted]
                self.of[id(call)].append(node)
                claimed[id(call)][dict(asked_tools(call) or ())[wanted]] += 1
                named.add(id(node))
        for node in nodes:
            if node.kind not in ("step", "call", "attempt") and node.children:
                line = _Line(node)
                self.lines.append(line)
                self._by_name(line.calls, [tool for tool in line.tools if id(tool) not in named], claimed)

    def _by_name(self, calls: list[Node], tools: list[Node], claimed: dict[int, Counter[str]]) -> None:
        starts = [call.start for call in calls]
        for tool in tools:
            place = bisect_right(starts, tool.start) - 1
            if place < 0:
                continue
            call = calls[place]
            name = tool.span.attributes.get(at.TOOL_NAME) or tool.span.name
            wanted = sum(name == each for _, each in asked_tools(call) or ())
            if claimed[id(call)][name] < wanted:
                claimed[id(call)][name] += 1
                self.of[id(call)].append(tool)


def _is_reported(node: Node) -> bool:
    return node.kind == "tool" and at.SEEN not in node.span.attributes


def _call_id(tool: Node) -> str | None:
    return tool.span.attributes.get(at.TOOL_CALL_ID)
