"""A task as a graph to time again: its calls, tools and pauses, and what each waited for.

Theory. The dependence is that of trace/timing.py: a span waits for all that ended before it began. Most of a task is
serial, so what follows one another without a fork is one segment: pieces of work whose seconds add up. A segment begins when
the last of those that it comes `after` ends, and

    end(segment) = max over those of end  +  seconds of its work

The end of the last segment is the wall clock. With the recorded seconds this gives the recorded wall clock back; a
test holds it to that for any tree. What a segment waited for is the one that ended last, and so on back to the start:
along that path the buckets sum to the wall clock.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tithe.core import attributes as at
from tithe.trace.buckets import Bucket
from tithe.trace.node import LINES, Node, asked_tools, failures, walk
from tithe.trace.phases import Own, own_slices
from tithe.trace.timing import is_leaf, name_gap, series, tail, waits
from tithe.trace.tree import TaskTree


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was answered, or failed for good. Seconds as recorded; None is "not told apart" or "not reported".

    `endpoint`: host and port, as far as they are reported.
    `ttft_s`: from the request sent to the first token, queueing included. `decode_s`: from there to the last. An answer in one
    piece has `whole_s` in their place. `decoded`: tokens after the first, those that `decode_s` was for. `failed_s`: its `failures`, the
    attempts without an answer, whole; `backoff_s`: what was waited before the next. `line` and `place`: which call of which line
    of the task it is. `others_first`, `others_rest`: other calls of the task to the same endpoint that were under way on average, until its
    first token and from there to its last; of an answer in one piece, all the while.
    """

    endpoint: str | None = None
    model: str | None = None
    prompt: int | None = None
    cached: int | None = None
    decoded: int | None = None
    queue_s: float = 0.0
    ttft_s: float | None = None
    decode_s: float | None = None
    whole_s: float | None = None
    failures: int = 0
    failed_s: float = 0.0
    backoff_s: float = 0.0
    line: int = 0
    place: int = 0
    others_first: float = 0.0
    others_rest: float = 0.0
    asks_tools: bool = False

    @property
    def answered(self) -> bool:
        return self.ttft_s is not None or self.whole_s is not None


REPLAY_ENDED = "replay_ended"
"""The error of a replay's spans that were open when a call of it failed."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Something that took time. `seconds` in `bucket`; of a call, what of it is neither waiting for the answer nor a failure.

    `beside`: it is a tool that a longer one, asked for by the same answer, could have run beside.
    """

    bucket: Bucket
    seconds: float
    call: Call | None = None
    beside: bool = False


class Segment(msgspec.Struct, frozen=True):
    """Work in series. `after`: the places of the segments that it waits for; the first waits for none."""

    after: tuple[int, ...]
    works: tuple[Work, ...]


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """A task to time again. `wall_s` is what it took, or takes by its description. `outside`: buckets of
    which some was seen from outside only, so that its seconds are upper bounds. `broken`: it is a replay that ended before its end.
    `notes` say what was mended in its record."""

    task: str
    name: str
    wall_s: float
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    outside: tuple[Bucket, ...] = ()
    broken: bool = False

    @property
    def calls(self) -> list[Call]:
        return [work.call for segment in self.segments for work in segment.works if work.call is not None]


def graph_of(tree: TaskTree, *, task: str, name: str) -> Graph:
    """The graph of a recorded task."""
    building = _Building(tree)
    end = building.holder(tree.root, [building.add([], [])])
    return Graph(
        task=task,
        name=name,
        wall_s=tree.root.length,
        segments=_joined(building.after, building.works, end),
        notes=tree.notes,
        broken=tree.root.span.error == REPLAY_ENDED,
        outside=tuple(
            {
                bucket: None
                for node in walk(tree.root)
                if at.SEEN in node.span.attributes
                for _, _, bucket, _ in own_slices(node)
            }
        ),
    )


class _Building:
    """The graph before its segments are joined: one for each piece of work, and for each beginning and end."""

    def __init__(self, tree: TaskTree) -> None:
        self.after: list[list[int]] = []
        self.works: list[list[Work]] = []
        self._instrumented = tree.instrumented
        nodes = list(walk(tree.root))
        self._beside = {
            id(tool)
            for group in series(tree.root)
            for tool in group
            if tool is not max(group, key=lambda one: one.length)
        }
        self._calls = _places(nodes)

    def add(self, after: list[int], works: list[Work]) -> int:
        self.after.append(after)
        self.works.append(works)
        return len(self.after) - 1

    def holder(self, node: Node, after: list[int]) -> int:
        """Add a span that waits for `after` and has begun at once; the place of its end."""
        if is_leaf(node):
            return self.add(after, self._own(node))
        begin = self.add(after, [])
        ends: list[int] = []
        ended: list[int] = []
        latest_start = node.start
        starts: list[Node] = []
        waited_for: set[int] = set()
        for wait in waits(node):
            ended += wait.ended
            if wait.ended:
                latest_start = max(latest_start, *(starts[place].start for place in wait.ended))
                # What ended before another of them began is waited for with that one.
                ended = [
                    place
                    for place in ended
                    if starts[place].end > latest_start or starts[place].start >= latest_start
                ]
            waited = [ends[place] for place in ended] or [begin]
            waited_for.update(waited)
            gap = self._gap(node, wait.last, wait.child, wait.gap_s)
            ends.append(self.holder(wait.child, [self.add(waited, gap)] if gap else waited))
            starts.append(wait.child)
        last, rest = tail(node)
        open_ends = [end for end in ends if end not in waited_for]
        return self.add(open_ends, self._gap(node, last, None, rest))

    def _gap(self, node: Node, before: Node | None, after: Node | None, seconds: float) -> list[Work]:
        if seconds <= 0:
            return []
        if node.kind in LINES:
            bucket, _ = name_gap(node, before, after, instrumented=self._instrumented)
            return [Work(bucket=bucket, seconds=seconds)]
        return [Work(bucket=own_slices(node)[0][2], seconds=seconds, beside=id(node) in self._beside)]

    def _own(self, node: Node) -> list[Work]:
        slices = own_slices(node)
        if node.kind != "call" or node.span.attributes.get(at.SPECULATIVE):
            beside = id(node) in self._beside
            return [
                Work(bucket=bucket, seconds=end - start, beside=beside) for start, end, bucket, _ in slices
            ]
        other: dict[Bucket, float] = {}
        times: dict[Bucket, float] = {}
        backoff = 0.0
        for start, end, bucket, detail in slices:
            sums = other if bucket in ("connect", "overhead") else times
            sums[bucket] = sums.get(bucket, 0.0) + end - start
            if bucket == "retry" and detail == "backoff":
                backoff += end - start
        line, number, beside = self._calls[id(node)]
        first = _others(beside, slices, ("queue", "prefill", "inference"))
        rest = _others(beside, slices, ("decode", "inference"))
        call = _call(node, times, backoff, (line, number), (first, rest))
        extra = [Work(bucket=bucket, seconds=seconds) for bucket, seconds in other.items()]
        return [Work(bucket="overhead", seconds=0.0, call=call), *extra]


def _call(
    node: Node,
    times: dict[Bucket, float],
    backoff: float,
    place: tuple[int, int],
    others: tuple[float, float],
) -> Call:
    told = node.attributes
    apart = "inference" not in times and any(bucket in times for bucket in ("queue", "prefill", "decode"))
    output = told.get(at.OUTPUT_TOKENS)
    return Call(
        endpoint=_endpoint(told),
        model=_text(told.get(at.RESPONSE_MODEL)) or _text(told.get(at.REQUEST_MODEL)),
        prompt=told.get(at.INPUT_TOKENS),
        cached=told.get(at.CACHE_READ_TOKENS),
        decoded=max(0, output - 1) if output is not None else None,
        queue_s=times.get("queue", 0.0),
        ttft_s=times.get("queue", 0.0) + times.get("prefill", 0.0) if apart else None,
        decode_s=times.get("decode", 0.0) if apart else None,
        whole_s=times.get("queue", 0.0) + times["inference"] if "inference" in times else None,
        failures=failures(node),
        failed_s=times.get("retry", 0.0) - backoff,
        backoff_s=backoff,
        line=place[0],
        place=place[1],
        others_first=others[0],
        others_rest=others[1],
        asks_tools=bool(asked_tools(node)),
    )


def _endpoint(told: Mapping[str, Any]) -> str | None:
    server, port = _text(told.get(at.SERVER)), told.get(at.SERVER_PORT)
    return f"{server}:{port}" if server is not None and isinstance(port, int) else server


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _others(beside: list[Node], slices: Sequence[Own], buckets: tuple[Bucket, ...]) -> float:
    """How many of the calls were under way on average during the slices of these buckets."""
    windows = [(start, end) for start, end, bucket, _ in slices if bucket in buckets]
    length = sum(end - start for start, end in windows)
    shared = sum(
        max(0.0, min(end, one.end) - max(start, one.start)) for start, end in windows for one in beside
    )
    return shared / length if length > 0 else 0.0


def _places(nodes: list[Node]) -> dict[int, tuple[int, int, list[Node]]]:
    """For each call, by its `id()`: its line, its place in that, and the calls to its endpoint that ran beside it."""
    found: dict[int, tuple[int, int, list[Node]]] = {}
    calls = sorted((node for node in nodes if node.kind == "call"), key=lambda call: call.start)
    line_of: dict[int, int] = {}
    stack = [(nodes[0], 0)]
    lines = 0
    while stack:
        node, line = stack.pop()
        if node.kind == "branch":
            lines += 1
            line = lines
        line_of[id(node)] = line
        stack += [(child, line) for child in node.children]
    counts: dict[int, int] = {}
    running: list[Node] = []
    for call in calls:
        running = [one for one in running if one.end > call.start]
        beside = [one for one in running if _endpoint(one.attributes) == _endpoint(call.attributes)]
        for one in beside:
            found[id(one)][2].append(call)
        running.append(call)
        line = line_of[id(call)]
        counts[line] = counts.get(line, 0) + 1
        found[id(call)] = (line, counts[line] - 1, beside)
    return found


def _joined(after: list[list[int]], works: list[list[Work]], end: int) -> tuple[Segment, ...]:
    """Segments of all that follows one another without a fork; the last is the task's end."""
    followers = [0] * len(after)
    for befores in after:
        for before in befores:
            followers[before] += 1
    segment_of: list[int] = []
    found: list[tuple[tuple[int, ...], list[Work]]] = []
    for befores, pieces in zip(after, works, strict=True):
        if len(befores) == 1 and followers[befores[0]] == 1:
            place = segment_of[befores[0]]
            found[place][1].extend(pieces)
        else:
            place = len(found)
            found.append((tuple(sorted({segment_of[one] for one in befores})), list(pieces)))
        segment_of.append(place)
    assert (
        segment_of[end] == len(found) - 1
    )  # nothing comes after a task's end, and all that is not waited for before it
    return tuple(Segment(befores, tuple(pieces)) for befores, pieces in found)
