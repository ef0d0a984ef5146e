"""A task's graph, timed again: what a removal saves, and how much slack there is.

Theory. A span waits for all that ended before it began, and then for as long as it did in the record (trace/timing.py). With
new lengths for some spans this gives a new wall clock, and the saving is the difference. It is a lower bound where things merely
happened to run one after the other.

Slack is the backward pass of the same graph: by how much a span could have taken longer for nothing.

    slack(x) = min over y that began after end(x) of (max end before y + slack(y))  -  end(x)
"""

from collections.abc import Callable

from tithe.ledger.attribution import Attribution, cause_of
from tithe.trace.buckets import Bucket
from tithe.trace.node import LINES, Node
from tithe.trace.timing import Wait, is_leaf, tail, waits

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
        if is_leaf(node):
            return sum(
                (end - start) * self._kept(bucket, detail, node)
                for start, end, bucket, detail in self._attribution.own(node)
            )
        ends: list[float] = []  # new ends, in the order of starts
        begun: list[tuple[Node, float]] = []
        new, last_end = 0.0, node.start
        for wait in waits(node):
            new = max(new, *(ends[place] for place in wait.ended), 0.0)
            moment = wait.child.start
            running = (
                [one for one in begun if moment < one[0].end and one[0].start < moment]
                if last_end > moment
                else []
            )
            at = self._beside(wait, new, running) if running else None
            if at is None:
                at = new + self._gap(node, wait.last, wait.child, wait.gap_s)
            begun.append((wait.child, at))
            ends.append(at + self.length(wait.child))
            last_end = max(last_end, wait.child.end)
        latest, rest = tail(node)
        return max(ends) + self._gap(node, latest, None, rest)

    def _beside(self, wait: Wait, new: float, running: list[tuple[Node, float]]) -> float | None:
        """When a child begins that did not wait for a gap but for a point in what ran beside it; None: it waited for a gap.

        As the critical path has it: for the answer that asked for it, still streaming; else the gap before it belongs to
        what ran in it.
        """
        moment = wait.child.start
        nodes = [one for one, _ in running]
        cause = cause_of(wait.child, nodes)
        if cause is None and wait.gap_s <= 0:
            return None
        beside = cause or max(nodes, key=lambda one: one.start)
        reach = beside.start if cause is not None else max(moment - wait.gap_s, beside.start)
        began = next(at for one, at in running if one is beside)
        base = began if reach == beside.start else new
        return base + sum(
            (end - start) * self._kept(bucket, detail, node)
            for start, end, bucket, detail, node in self._attribution.stretch(beside, reach, moment)
        )

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
        if is_leaf(node):
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
