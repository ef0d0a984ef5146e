"""A span in its tree."""

from collections.abc import Iterable
from typing import Any

from tithe.core import attributes as at
from tithe.core.span import Span, SpanKind

# What stands around others and has no time of its own.
LINES: frozenset[SpanKind] = frozenset(("task", "branch", "step"))


class Node:
    """A span with its children. `start` and `end` are mended, on the span's own clock; `made`: the record has no such span."""

    __slots__ = ("_told", "children", "end", "kind", "made", "span", "start")

    def __init__(self, span: Span, start: float, end: float, *, made: bool = False) -> None:
        self.span = span
        self.kind: SpanKind = span.kind
        self.start = start
        self.end = end
        self.made = made
        self.children: list[Node] = []
        self._told: dict[str, Any] | None = None

    @property
    def length(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start

    @property
    def attempts(self) -> list["Node"]:
        """Of a call, its attempts as they were recorded; none where they were not told apart."""
        return [child for child in self.children if child.kind == "attempt"]

    @property
    def attributes(self) -> dict[str, Any]:
        """The span's attributes; of a call, those of the attempt that answered, or the last, below its own.

        Asked for when the tree stands: attempts that are hung later are not looked at.
        """
        if self.kind != "call" or not self.children:
            return self.span.attributes
        if self._told is None:
            own, told = self.span.attributes, teller(self).span.attributes
            self._told = told if self.made else {**told, **own}
        return self._told


# How the recording proxy calls it that the agent hung up.
HUNG_UP = "client_closed"


def answering(attempts: list[Node]) -> Node | None:
    """The attempt that brought the call's answer: the last to begin of those without an error. None: all failed.

    An agent that hangs up on a stream that has begun, and asks no more, has had what it wanted of it.
    """
    good = [attempt for attempt in attempts if attempt.span.error is None]
    if good:
        return max(good, key=lambda attempt: attempt.start)
    last = max(attempts, key=lambda attempt: attempt.start, default=None)
    return last if last is not None and had_enough(last) else None


def answer_of(call: Node) -> Node | None:
    """What brought a call's answer: an attempt, or the call itself where none was told apart. None: it failed."""
    return answering(call.attempts or [call])


def teller(call: Node) -> Node:
    """Whose stamps and attributes are the call's: its answer's or, where there was none, its last attempt's."""
    return answer_of(call) or max(call.attempts, key=lambda attempt: attempt.start, default=call)


def failures(call: Node) -> int:
    """How many of a call's attempts brought no answer; a call that failed and had none told apart is one."""
    answer = answer_of(call)
    return sum(one is not answer and one.span.error is not None for one in call.attempts or [call])


def had_enough(attempt: Node) -> bool:
    """Whether an attempt ended because the agent hung up in the midst of its answer."""
    return was_left(attempt.span)


def was_left(span: Span) -> bool:
    """Whether the agent hung up on an answer that had begun."""
    return span.error == HUNG_UP and at.FIRST_TOKEN in span.attributes


def walk(node: Node) -> Iterable[Node]:
    """The node and everything under it, parents first."""
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        if one.children:
            stack.extend(reversed(one.children))


def steps_of(line: Node) -> list[Node]:
    """The steps of a task or branch in order: those that were reported, and every other call, which is one by itself."""
    steps = [child for child in line.children if child.kind in ("step", "call")]
    return sorted(steps, key=lambda child: child.start)


def asked_tools(call: Node) -> list[tuple[str, str]] | None:
    """(id, name) of the tools that a call's answer asked for; [] for none, None where that is not reported."""
    told = call.attributes
    asked = told.get(at.ASKED_TOOLS)
    if asked is not None:
        return [(str(id_), str(name)) for id_, name in asked]
    reasons = told.get(at.FINISH_REASONS)
    if reasons is None:
        return None
    return [("", "")] if "tool_calls" in reasons else []
