"""OpenTelemetry traces in files: OTLP/JSON as collectors write it, and spans as the SDKs' console exporters print them.

    {"resourceSpans": [{"resource", "scopeSpans": [{"scope", "spans": [...]}]}]}     once, or a line each
    {"name", "context": {"trace_id", "span_id"}, "parent_id", "start_time", ...}     one after the other

What the spans mean is in trace/gen_ai.py. A trace is a task. Ids stay what they are, so that a trace that was also
received while it happened is there once. A file that `tithe export` wrote gives back what was recorded, with its sources.
"""

from typing import Any

import msgspec

from tithe.core import attributes as at
from tithe.core.errors import TitheError, UsageError
from tithe.core.span import Span
from tithe.trace.formats.imported import NS, Imported, ImportedTask
from tithe.trace.formats.source import Record, Source, fields, instant, left_out, objects, text
from tithe.trace.gen_ai import to_span, with_attempts
from tithe.trace.message_parts import prompt_of
from tithe.trace.node import walk
from tithe.trace.otel import OtelEvent, OtelSpan
from tithe.trace.otlp import JSON, decode_traces
from tithe.trace.tree import build_tree

NAME = "otlp"
SAYS = "OpenTelemetry traces, GenAI or OpenInference conventions (OTLP .json, .jsonl)"
LACKS = None
_SOURCE = f"import:{NAME}"
_LATEST = 2**64  # nanoseconds since the epoch; OTLP has no later ones
_GROUPS = ("resourceSpans", "resource_spans")


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return any(isinstance(record.get(name), list) for name in _GROUPS) or _is_printed(record)


def _is_printed(record: dict[str, Any]) -> bool:
    context = fields(record.get("context"))
    return "start_time" in record and "trace_id" in context and "span_id" in context


def read(source: Source) -> Imported:
    """One task a trace. Raises `UsageError` when there is no span."""
    found: list[OtelSpan] = []
    refused = 0
    reason = ""
    unread: list[int] = []
    for record in source.records:
        if _is_printed(record.value):
            span = _printed(record.value)
            if span is None:
                unread.append(record.line)
            else:
                found.append(span)
            continue
        try:
            spans, none, why = _posted(record)
        except TitheError:
            unread.append(record.line)
            continue
        found += spans
        refused += none
        reason = why or reason
    traces: dict[str, list[OtelSpan]] = {}
    for span in found:
        if not (0 < span.start_ns < _LATEST and (span.end_ns or 0) < _LATEST):
            refused, reason = refused + 1, "a span with a date that is none"
        elif span.attributes.get(at.MADE) is not True:
            traces.setdefault(span.trace_id, []).append(span)
    if not traces:
        raise UsageError(
            f"{source.name} holds no spans: OTLP/JSON with `resourceSpans` was expected"
            + (f" (line {unread[0]} is not that)." if unread else ".")
        )
    tasks = [_task(trace, spans) for trace, spans in traces.items()]
    notes = source.notes()
    if unread:
        notes.append(left_out("record", "that is not OTLP/JSON", unread))
    if refused:
        notes.append(f"left out: {refused:,} spans that are none, such as {reason}")
    return Imported(tasks=tuple(tasks), notes=(*_missing(tasks), *notes))


def _posted(record: Record) -> tuple[list[OtelSpan], int, str]:
    """The spans of a request, a resource at a time, as a file may be larger than any request."""
    spans: list[OtelSpan] = []
    refused = 0
    reason = ""
    for name in _GROUPS:
        for group in objects(record.value.get(name)):
            traces = decode_traces(msgspec.json.encode({"resourceSpans": [group]}), JSON)
            spans += traces.spans
            refused += traces.refused
            reason = traces.reason or reason
    return spans, refused, reason


def _printed(told: dict[str, Any]) -> OtelSpan | None:
    """A span as an SDK's `to_json` has it."""
    context = fields(told["context"])
    start = instant(told.get("start_time"))
    trace, own = _hex(context.get("trace_id")), _hex(context.get("span_id"))
    if start is None or not trace or not own:
        return None
    return OtelSpan(
        trace_id=trace,
        span_id=own,
        parent_id=_hex(told.get("parent_id")),
        name=text(told.get("name")) or "",
        start_ns=start,
        end_ns=instant(told.get("end_time")),
        failed=fields(told.get("status")).get("status_code") == "ERROR",
        attributes=fields(told.get("attributes")),
        events=tuple(
            OtelEvent(
                name=text(event.get("name")) or "",
                at_ns=instant(event.get("timestamp")) or start,
                attributes=fields(event.get("attributes")),
            )
            for event in objects(told.get("events"))
        ),
        resource=fields(fields(told.get("resource")).get("attributes")),
    )


def _hex(value: Any) -> str | None:
    found = text(value)
    return found.lower().removeprefix("0x") if found is not None else None


def _task(trace: str, otel: list[OtelSpan]) -> ImportedTask:
    first = min(span.start_ns for span in otel)
    spans = with_attempts(_sourced(to_span(span, first), span.resource) for span in otel)
    root = next((span for span in spans if span.kind == "task"), None)
    service = next((name for span in otel if (name := text(span.resource.get("service.name")))), None)
    return ImportedTask(
        id=trace,
        name=root.name if root is not None else service,
        session=next((name for span in spans if (name := text(span.attributes.get(at.CONVERSATION)))), None),
        began=first / NS,
        spans=tuple(spans),
        prompts={
            span.span_id: prompt
            for span, read in zip(otel, spans, strict=True)
            if read.kind == "call" and (prompt := prompt_of(span.attributes))
        },
    )


def _sourced(span: Span, resource: dict[str, Any]) -> Span:
    own = span.attributes.get(at.SOURCE) or resource.get(at.SOURCE) or _SOURCE
    return msgspec.structs.replace(span, attributes=span.attributes | {at.SOURCE: own})


def _missing(tasks: list[ImportedTask]) -> list[str]:
    # As every reader finds them: a call has what its attempts tell, and what is told twice is one.
    trees = [build_tree(task.spans) for task in tasks if task.spans]
    calls = [node for tree in trees for node in walk(tree.root) if node.kind == "call"]
    notes: list[str] = []
    if not calls:
        return ["not reported: calls (no span says that it is one, by any convention that is known)"]
    for attribute, what in (
        (at.FIRST_TOKEN, "the first token"),
        (at.INPUT_TOKENS, "the tokens"),
        (at.CACHE_READ_TOKENS, "the cached tokens"),
    ):
        without = sum(attribute not in call.attributes for call in calls)
        if without:
            notes.append(f"not reported: {what} of {without:,} of {len(calls):,} calls")
    return notes
