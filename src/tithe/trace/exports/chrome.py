"""Tasks as a Chrome trace (JSON), which https://ui.perfetto.dev opens.

A task is a process; its lanes are threads. In a lane slices lie in one another or one after the other, never across:
a span goes into its parent's lane if nothing that is still going on there is beside it, else into the first lane that
is free, so that what ran at once is seen side by side. Times count from the first task's start, in microseconds to the
nanosecond. The first token of an attempt (of a call, where no attempt was seen) is an instant.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tithe.core import attributes as at
from tithe.trace.node import Node
from tithe.trace.records import TaskRecord
from tithe.trace.tree import build_tree


def to_chrome(records: Iterable[TaskRecord]) -> Iterator[bytes]:
    """One JSON object with `traceEvents`. Holds all tasks at once: the first of them to start is its zero."""
    tasks = [(record, build_tree(record.spans).root) for record in records]
    zero = min((record.unix_ns(root.start) for record, root in tasks), default=0)
    yield b'{"displayTimeUnit":"ms","traceEvents":['
    first = True
    for process, (record, root) in enumerate(tasks, start=1):
        for event in _task(record, root, process, zero):
            yield (b"\n" if first else b",\n") + msgspec.json.encode(event)
            first = False
    yield b"\n]}\n"


def _task(record: TaskRecord, root: Node, process: int, zero: int) -> Iterator[dict[str, Any]]:
    title = record.id if record.name is None else f"{record.name} ({record.id})"
    yield _named("process_name", process, 0, name=title)
    yield _named("process_sort_index", process, 0, sort_index=process)
    placed = lanes(root)
    for lane in range(1 + max(placed.values())):
        yield _named("thread_name", process, lane, name="task" if lane == 0 else f"beside it {lane}")
        yield _named("thread_sort_index", process, lane, sort_index=lane)
    for node, lane in placed.items():
        start = record.unix_ns(node.start) - zero
        end = record.unix_ns(node.end) - zero
        where = {"pid": process, "tid": lane}
        yield {
            "ph": "X",
            "name": _name(node),
            "cat": node.kind,
            "ts": start / 1000,
            "dur": (end - start) / 1000,
            **where,
            "args": _told(node),
        }
        token = node.span.attributes.get(at.FIRST_TOKEN)
        leaf = node.kind == "attempt" or (node.kind == "call" and not node.children)
        if leaf and isinstance(token, int | float):
            at_token = record.unix_ns(node.span.start + token) - zero
            yield {
                "ph": "i",
                "s": "t",
                "name": "first token",
                "cat": node.kind,
                "ts": at_token / 1000,
                **where,
            }


def _named(what: str, process: int, lane: int, **told: Any) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process, "tid": lane, "args": told}


def _name(node: Node) -> str:
    if node.kind == "call" and node.made:
        return str(node.attributes.get(at.REQUEST_MODEL, "call"))
    return node.span.name or node.kind


def _told(node: Node) -> dict[str, Any]:
    told = {"id": node.span.id, **node.span.attributes}
    if node.span.error is not None:
        told["error"] = node.span.error
    if node.made:
        told[at.MADE] = True
    elif node.span.end is None:
        told[at.RUNS_OUT] = True
    return told


def lanes(root: Node) -> dict[Node, int]:
    """The lane of each node, from 0, in the order in which they begin."""
    placed: dict[Node, int] = {}
    open_in: list[list[Node]] = []  # of each lane what is going on, the innermost last
    count = itertools.count()
    # Of two that begin at once the longer comes first: it may hold the other.
    waiting: list[tuple[float, float, int, Node, Node | None]] = [(root.start, -root.end, 0, root, None)]
    while waiting:
        *_, node, parent = heapq.heappop(waiting)
        placed[node] = lane = _free_lane(node, parent, open_in, placed)
        open_in[lane].append(node)
        for child in node.children:
            heapq.heappush(waiting, (child.start, -child.end, next(count), child, node))
    return placed


def _free_lane(node: Node, parent: Node | None, open_in: list[list[Node]], placed: dict[Node, int]) -> int:
    for going_on in open_in:
        while going_on and going_on[-1].end <= node.start:
            going_on.pop()
    if parent is not None:
        own = placed[parent]
        if open_in[own] and open_in[own][-1] is parent and node.end <= parent.end:
            return own
    for lane, going_on in enumerate(open_in):
        if not going_on:
            return lane
    open_in.append([])
    return len(open_in) - 1
