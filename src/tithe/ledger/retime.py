"""A task's graph, timed again: what a removal saves, and how much slack there is.

Theory. Inside one span (a task, a branch, a step, a tool with a sub-agent in it) what began later may have waited for
whatever had ended by then. The record does not say for which of it, so the dependence that is assumed is the widest: a
span waits for all that ended before it began (program order among what is serial; no order among what ran at once), and
then for as long as it did in the record:

    start'(y) = max over x that ended by start(y) of end'(x)  +  start(y) - max over the same x of end(x)

With nothing before it, y keeps its distance from the beginning of what holds it; the holder's end keeps its distance from
the last end inside. With new lengths for some spans this gives a new wall clock (the same recursion that the critical path
method uses, Kelley & Walker 1959), and the saving is the difference. It is a lower bound where things merely happened to run
one after the other.

Slack is the backward pass of the same graph: by how much a span could have taken longer for nothing.

    slack(x) = min over y that began after end(x) of (max end before y + slack(y))  -  end(x)
"""

from collections.abc import Callable

from tithe.ledger.account import Bucket
from tithe.ledger.attribution import Attribution
from tithe.trace.node import LINES, Node

# What stays of a stretch of a node, or of a gap where the node is None: from 0, removed, to 1.
Removal = Callable[[Bucket, str | None, Node | None], float]


def saving(attribution: Attribution, kept: Removal) -> float:
    """By how many seconds the task would have been shorter with only what is kept."""
    root = attribution.root
    return root.length - _Timing(attribution, kept).length(root)


class _Timing:
    def __init__(self, attribution: Attribution, kept: Removal) -> None:
        self._attribution = attribution
        self._kept = kept

    def length(self, node: Node) -> float:
        """The node's new length."""
        if self._attribution.is_leaf(node):
            return sum(
                (end - start) * self._kept(bucket, detail, node)
                for start, end, bucket, detail in self._attribution.own(node)
            )
        by_start = sorted(node.children, key=lambda child: (child.start, child.end))
        by_end = sorted(range(len(by_start)), key=lambda place: (by_start[place].end, place))
        ends: list[float] = []  # new ends, in the order of starts
        place, last, old, new = 0, None, node.start, 0.0
        for child in by_start:
            # A later one of no length that ends where this begins is not timed yet, and holds nothing up.
            while (
                place < len(by_end)
                and by_end[place] < len(ends)
                and by_start[by_end[place]].end <= child.start
            ):
                ended = by_start[by_end[place]]
                if ended.end >= old:
                    old, last = ended.end, ended
                new = max(new, ends[by_end[place]])
                place += 1
            begun = new + self._gap(node, last, child, child.start - old)
            ends.append(begun + self.length(child))
        latest = max(by_start, key=lambda child: child.end)
        return max(ends) + self._gap(node, latest, None, node.end - max(latest.end, node.start))

    def _gap(self, node: Node, before: Node | None, after: Node | None, seconds: float) -> float:
        if seconds <= 0:
            return 0.0
        if node.kind not in LINES:
            _, _, bucket, detail = self._attribution.own(node)[0]
            return seconds * self._kept(bucket, detail, node)
        bucket, detail = self._attribution.gap(node, before, after)
        return seconds * self._kept(bucket, detail, None)


def slack(attribution: Attribution) -> dict[int, float]:
    """Seconds by which each node could have taken longer without making the task longer, by the node's `id()`."""
    found: dict[int, float] = {id(attribution.root): 0.0}
    stack = [attribution.root]
    while stack:
        node = stack.pop()
        children = node.children
        if attribution.is_leaf(node):
            continue
        latest = max(child.end for child in children)
        bound = latest + found[id(node)]
        by_end = sorted(children, key=lambda child: child.end)
        ends = [child.end for child in by_end]
        # Backwards through time; where one ends as another begins, the beginning comes first: it may have waited.
        moments = [(child.start, 1, child) for child in children] + [
            (child.end, 0, child) for child in children
        ]
        moments.sort(key=lambda one: (one[0], one[1]), reverse=True)
        place = len(ends) - 1
        for moment, begins, child in moments:
            if not begins:
                found[id(child)] = max(0.0, bound - child.end)
                continue
            while place >= 0 and ends[place] > moment:
                place -= 1
            if place >= 0 and id(child) in found:
                bound = min(bound, ends[place] + found[id(child)])
        stack.extend(children)
    return found


def without(*buckets: Bucket) -> Removal:
    """Everything but these buckets."""
    gone = frozenset(buckets)
    return lambda bucket, _detail, _node: 0.0 if bucket in gone else 1.0


def without_spans(gone: frozenset[int]) -> Removal:
    """Everything but these nodes, by their `id()`."""
    return lambda _bucket, _detail, node: 0.0 if node is not None and id(node) in gone else 1.0
