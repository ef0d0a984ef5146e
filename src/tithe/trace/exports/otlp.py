"""Tasks as OpenTelemetry traces: OTLP/JSON, by the GenAI conventions, newest names.

What readers of these conventions look for is there even where it was not recorded: a task is one trace under one
`invoke_agent`, and each call a `chat` that covers its retries. Such spans carry `tithe.made`. Attempts are spans of our
own below the calls; their `gen_ai.*` attributes stand under `tithe.attempt.`, or a reader that adds up tokens would
count them twice. `tithe.kind` keeps the kind and `tithe.name` the name, so that an import that heeds them (and leaves
out what was made) has back what was recorded.

Ids are ours where they have OpenTelemetry's form (32 and 16 hex digits), else digests of ours: the same each time.
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

import tithe
from tithe.core import attributes as at
from tithe.trace.node import Node, answering
from tithe.trace.records import TaskRecord
from tithe.trace.tree import build_tree

_CLIENT, _INTERNAL = 3, 1  # SpanKind
_ERROR = 2  # StatusCode
_HEX = re.compile(r"[0-9a-f]+")


def to_otlp(records: Iterable[TaskRecord]) -> Iterator[bytes]:
    """One JSON object (`TracesData`) on one line, as collectors read files; each task is a member of `resourceSpans`."""
    yield b'{"resourceSpans":['
    for place, record in enumerate(records):
        yield (b"," if place else b"") + msgspec.json.encode(_task(record))
    yield b"]}\n"


def _task(record: TaskRecord) -> dict[str, Any]:
    resource = {"service.name": record.name or "tithe", at.SOURCE: record.source}
    spans = [
        _span(node, parent, record) for node, parent in _with_parents(build_tree(record.spans).root, None)
    ]
    return {
        "resource": {"attributes": _attributes(resource)},
        "scopeSpans": [{"scope": {"name": "tithe", "version": tithe.__version__}, "spans": spans}],
    }


def _with_parents(root: Node, above: Node | None) -> Iterator[tuple[Node, Node | None]]:
    stack = [(root, above)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack.extend((child, node) for child in reversed(node.children))


def _span(node: Node, parent: Node | None, record: TaskRecord) -> dict[str, Any]:
    span = node.span
    # The tree stretches spans around their children; what was recorded is told as it was.
    start = node.start if node.made else span.start
    end = node.end if node.made or span.end is None else max(span.start, span.end)
    told = _told(node, record if parent is None else None)
    name = _name(node, told)
    written: dict[str, Any] = {
        "traceId": trace_id(record.id),
        "spanId": span_id(span.id),
        "name": name,
        "kind": _CLIENT if node.kind in ("call", "attempt") else _INTERNAL,
        "startTimeUnixNano": str(max(0, record.unix_ns(start))),
        "endTimeUnixNano": str(max(0, record.unix_ns(end))),
        "attributes": _attributes(told if name == span.name else {**told, at.NAME: span.name}),
        "status": {"code": _ERROR} if _failure(node) is not None else {},
    }
    if parent is not None:
        written["parentSpanId"] = span_id(parent.span.id)
    return written


def _told(node: Node, task: TaskRecord | None) -> dict[str, Any]:
    """A span's attributes as they are exported; `task` is given for the root."""
    span = node.span
    told: dict[str, Any] = {at.KIND: span.kind}
    if node.kind == "attempt":
        told |= {
            at.OF_ATTEMPT + name if name.startswith("gen_ai.") else name: value
            for name, value in node.attributes.items()
        }
    else:
        told |= node.attributes
    operation = {"task": "invoke_agent", "branch": "invoke_agent", "call": "chat", "tool": "execute_tool"}
    if node.kind in operation:
        told.setdefault(at.OPERATION, operation[node.kind])
    if node.kind == "tool":
        told.setdefault(at.TOOL_NAME, span.name)
    if node.made:
        told[at.MADE] = True
    elif span.end is None:
        told[at.RUNS_OUT] = True
    failure = _failure(node)
    if failure is not None:
        told.setdefault(at.ERROR, failure)
    if task is not None and task.session is not None:
        told.setdefault(at.CONVERSATION, task.session)
    return told


def _failure(node: Node) -> str | None:
    """What a span failed with; a call that was made for its attempts, if they all did."""
    if node.span.error is None and node.made and node.kind == "call" and answering(node.children) is None:
        return node.children[-1].span.error
    return node.span.error


def _name(node: Node, told: Mapping[str, Any]) -> str:
    """The conventions' name for a span, where they have one, and ours under `tithe.` where not."""
    match node.kind:
        case "task" | "branch":
            subject = told.get(at.AGENT_NAME) or ("" if node.made else node.span.name)
        case "call":
            subject = told.get(at.REQUEST_MODEL, "")
        case "tool":
            subject = told[at.TOOL_NAME]
        case "other":
            return node.span.name
        case kind:
            return f"tithe.{kind}"
    return f"{told[at.OPERATION]} {subject}".strip()


def trace_id(task: str) -> str:
    """The OpenTelemetry trace id of a task."""
    return _id(task, 32)


def span_id(span: str) -> str:
    """The OpenTelemetry span id of a span."""
    return _id(span, 16)


def _id(own: str, digits: int) -> str:
    if len(own) == digits and _HEX.fullmatch(own) and own.strip("0"):
        return own
    return hashlib.blake2b(own.encode("utf-8", "surrogatepass"), digest_size=digits // 2).hexdigest()


def _attributes(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in told.items()]


def _value(value: Any) -> dict[str, Any]:
    """An `AnyValue`: 64-bit integers as strings, as Protobuf's JSON has them."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int() if -(2**63) <= value < 2**63:
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value if math.isfinite(value) else _infinite(value)}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(one) for one in cast("list[Any]", value)]}}
        case dict():
            inner = {str(name): one for name, one in cast("dict[Any, Any]", value).items()}
            return {"kvlistValue": {"values": _attributes(inner)}}
        case _:
            return {"stringValue": str(value)}


def _infinite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
