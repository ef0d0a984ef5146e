"""The critical path: a task's wall clock, cut into slices.

Theory. From the end of a span one asks what it waited for. Of the spans inside it, the one that ended last before the
moment in question is what the next thing waited for, since whatever was still running cannot have caused it. That span
is on the path from its start to its end, and the question is asked again at its start. (So do CRISP, Zhang et al. 2022,
and its likes for services.) Two departures:

- A tool that began while the answer that asks for it still streamed was caused by that answer: the path goes on in it.
- What lies between two spans of the path is a gap only where nothing else ran. Where something did, the gap is that
  thing's: no moment in which known work was done is called overhead.

Every step of this covers a stretch [a, b] with slices that tile it, by induction the whole task: whatever the spans are,
the slices' lengths sum to the wall clock (a test holds it to the microsecond for trees that hypothesis makes).
Gaps have a name by what is before and after (trace/timing.py).
"""

from itertools import pairwise
from operator import attrgetter

from tithe.core import attributes as at
from tithe.trace.buckets import Bucket
from tithe.trace.node import LINES, Node, asked_tools, walk
from tithe.trace.phases import Own, own_slices
from tithe.trace.timing import is_leaf, name_gap
from tithe.trace.tree import TaskTree

_BY_START, _BY_END = attrgetter("start", "end"), attrgetter("end", "start")
# A slice of the path on the tree's clock, with the node that it is of, or None for a gap.
Cut = tuple[float, float, Bucket, str | None, Node | None]


class Attribution:
    """One tree's path, and what each of its nodes is by itself."""

    def __init__(self, tree: TaskTree) -> None:
        self._instrumented = tree.instrumented
        self._own: dict[int, list[Own]] = {}
        self.root = tree.root
        self.nodes = list(walk(tree.root))
        cuts: list[Cut] = []
        self._path(tree.root, tree.root.start, tree.root.end, cuts)
        cuts.reverse()
        self.path = cuts

    def own(self, node: Node) -> list[Own]:
        """What a node without spans in it, or a call, is by itself; see phases.py."""
        found = self._own.get(id(node))
        if found is None:
            found = self._own[id(node)] = own_slices(node)
        return found

    def stretch(self, node: Node, a: float, b: float) -> list[Cut]:
        """What a stretch of a node is, as slices that tile it, the last one first."""
        cuts: list[Cut] = []
        self._path(node, a, b, cuts)
        return cuts

    def _path(self, node: Node, a: float, b: float, cuts: list[Cut]) -> None:
        """Append slices that tile [a, b], a stretch of the node, from the last to the first."""
        if b <= a:
            return
        if is_leaf(node):
            self._leaf(node, a, b, cuts)
            return
        by_start = sorted(node.children, key=_BY_START)
        if all(one.end <= other.start for one, other in pairwise(by_start)):
            self._serial(node, by_start, a, b, cuts)
            return
        by_end = sorted(by_start, key=_BY_END)
        running: list[Node] = []
        place, cursor, after = len(by_end) - 1, b, None
        while cursor > a:
            while place >= 0 and (by_end[place].end > cursor or by_end[place].start >= b):
                if by_end[place].start < cursor:
                    running.append(by_end[place])
                place -= 1
            before = by_end[place] if place >= 0 and by_end[place].end > a else None
            reach = a if before is None else before.end
            running = [one for one in running if one.start < cursor]
            cause = cause_of(after, running) if running else None
            if cause is not None:
                reach = max(a, cause.start)
            if cause is not None or (running and reach < cursor):
                # Beside what caused nothing, the latest to begin says most of that time.
                beside = cause or max(running, key=lambda one: one.start)
                until = max(reach, beside.start)
                self._path(beside, until, cursor, cuts)
                cursor, after = until, beside
                continue
            if before is None:
                self._gap(node, None, after, a, cursor, cuts)
                return
            if before.end < cursor:
                self._gap(node, before, after, before.end, cursor, cuts)
            start = max(a, before.start)
            self._path(before, start, before.end, cuts)
            cursor, after = start, before
            place -= 1

    def _serial(self, node: Node, by_start: list[Node], a: float, b: float, cuts: list[Cut]) -> None:
        """The same where nothing in the node ran beside anything."""
        cursor, after = b, None
        for child in reversed(by_start):
            if child.start >= b:
                continue
            if child.end <= a:
                break
            end, start = min(child.end, cursor), max(a, child.start)
            if end < cursor:
                self._gap(node, child, after, end, cursor, cuts)
            self._path(child, start, end, cuts)
            cursor, after = start, child
        self._gap(node, None, after, a, cursor, cuts)

    def _leaf(self, node: Node, a: float, b: float, cuts: list[Cut]) -> None:
        if a <= node.start and b >= node.end:
            cuts.extend((*own, node) for own in reversed(self.own(node)))
            return
        for start, end, bucket, detail in reversed(self.own(node)):
            start, end = max(start, a), min(end, b)
            if end > start:
                cuts.append((start, end, bucket, detail, node))

    def _gap(
        self, node: Node, before: Node | None, after: Node | None, a: float, b: float, cuts: list[Cut]
    ) -> None:
        if b <= a:
            return
        if node.kind not in LINES:
            bucket, detail = self._self_time(node)
            cuts.append((a, b, bucket, detail, node))
            return
        bucket, detail = self.gap(node, before, after)
        cuts.append((a, b, bucket, detail, None))

    def _self_time(self, node: Node) -> tuple[Bucket, str | None]:
        """What a span with others in it is where none of them runs."""
        _, _, bucket, detail = self.own(node)[0]
        return bucket, detail

    def gap(self, node: Node, before: Node | None, after: Node | None) -> tuple[Bucket, str]:
        """What lies between two spans of a line, of which one may be missing."""
        return name_gap(node, before, after, instrumented=self._instrumented)


def cause_of(after: Node | None, running: list[Node]) -> Node | None:
    """The call, still streaming, whose answer asked for the tool that came after."""
    if after is None or after.kind != "tool":
        return None
    wanted = after.span.attributes.get(at.TOOL_CALL_ID)
    if wanted is None:
        return None
    for one in running:
        if one.kind == "call" and any(wanted == id_ for id_, _ in asked_tools(one) or ()):
            return one
    return None
