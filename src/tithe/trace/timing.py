"""The dependence that is assumed inside a span, and what lies between spans: all that timing a task again stands on.

Theory. Inside one span (a task, a branch, a step, a tool with a sub-agent in it) what began later may have waited for
whatever had ended by then. The record does not say for which of it, so the dependence that is assumed is the widest: a
span waits for all that ended before it began (program order among what is serial; no order among what ran at once), and
then for as long as it did in the record:

    start'(y) = max over x that ended by start(y) of end'(x)  +  start(y) - max over the same x of end(x)

With nothing before it, y keeps its distance from the beginning of what holds it; the holder's end keeps its distance from
the last end inside. (The same recursion that the critical path method uses, Kelley & Walker 1959.)

Gaps have a name by what is before and after. Where the agent reports spans of its own they are its framework's, so
overhead; where only its calls were seen, nobody knows what the agent did there, and they are unattributed.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tithe.core import attributes as at
from tithe.trace.asking import askings
from tithe.trace.buckets import Bucket
from tithe.trace.node import LINES, Node, asked_tools

_TOOLS_NOT_REPORTED = "tools not reported"


class Wait(NamedTuple):
    """A child, and what it waited for.

    `ended`: places, in the order in which children are told, of those that ended by its start and had not by that of
    the child before. `last`: the one of all of them that ended last; None: there is none. `gap_s`: seconds from that end,
    or from the holder's start, to the child's.
    """

    child: Node
    ended: tuple[int, ...]
    last: Node | None
    gap_s: float


def waits(holder: Node) -> Iterator[Wait]:
    """The children of a span in the order of their starts, each with what it waited for."""
    by_start = sorted(holder.children, key=lambda child: (child.start, child.end))
    by_end = sorted(range(len(by_start)), key=lambda place: (by_start[place].end, place))
    passed, last, until = 0, None, holder.start
    for number, child in enumerate(by_start):
        first = passed
        # A later one of no length that ends where this begins is not timed yet, and holds nothing up.
        while passed < number and by_end[passed] < number and by_start[by_end[passed]].end <= child.start:
            ended = by_start[by_end[passed]]
            if ended.end >= until:
                until, last = ended.end, ended
            passed += 1
        yield Wait(child, tuple(by_end[first:passed]), last, child.start - until)


def tail(holder: Node) -> tuple[Node, float]:
    """The last of a span's children to end, and the seconds from there to the span's own end."""
    latest = max(
        sorted(holder.children, key=lambda child: (child.start, child.end)), key=lambda child: child.end
    )
    return latest, holder.end - max(latest.end, holder.start)


def is_leaf(node: Node) -> bool:
    """Whether all of a node's time is its own: what stands in it, if anything, is told by its slices."""
    return node.kind == "call" or not node.children or bool(node.span.attributes.get(at.SPECULATIVE))


def name_gap(
    holder: Node, before: Node | None, after: Node | None, *, instrumented: bool
) -> tuple[Bucket, str]:
    """What lies between two spans of a line, of which one may be missing."""
    last = _last(before)
    if last is None:
        return (
            "overhead" if instrumented or holder.kind == "step" else "unattributed",
            "before the first call",
        )
    asks = last.kind == "call" and bool(asked_tools(last))
    first = _first(after)
    if asks and (first is None or first.kind != "tool"):
        return "unattributed", _TOOLS_NOT_REPORTED
    bucket: Bucket = "overhead" if instrumented else "unattributed"
    if first is None:
        return bucket, "after the last call" if last.kind == "call" else f"after a {last.kind}"
    if last.kind == "call" and first.kind == "call":
        return bucket, "between an answer and the next request"
    if last.kind == "tool" or first.kind == "tool":
        return "overhead", f"between a {last.kind} and a {first.kind}"
    return bucket, f"between a {last.kind} and a {first.kind}"


def _last(node: Node | None) -> Node | None:
    """The last thing that ran in a node."""
    while node is not None and node.kind in LINES and node.children:
        node = max(node.children, key=lambda child: child.end)
    return node


def _first(node: Node | None) -> Node | None:
    while node is not None and node.kind in LINES and node.children:
        node = min(node.children, key=lambda child: child.start)
    return node


def series(root: Node) -> Iterator[list[Node]]:
    """Groups of tools that one answer asked for and that ran one after the other, none beside another."""
    return (asking.runs for asking in askings(root) if asking.in_series)
