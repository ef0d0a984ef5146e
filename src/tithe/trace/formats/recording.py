"""Tithe's own recordings (`tithe serve --trace`), as trace/jsonl.py writes them: JSON lines of anchors and spans.

Ids stay what they are. A task with spans of several recordings is put on the first one's clock, by their dates.
"""

import math
from typing import Any

import msgspec

from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.core.span import Anchor, Span
from tithe.trace.formats.imported import Imported, ImportedTask
from tithe.trace.formats.source import Source, left_out, text

NAME = "tithe"
SAYS = "recordings of tithe serve --trace (.jsonl)"
LACKS = None
_SOURCE = "server"


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return record.get("record") in ("anchor", "span")


def read(source: Source) -> Imported:
    """The tasks of a recording. Raises `UsageError` when there is no span after an anchor."""
    anchor: Anchor | None = None
    tasks: dict[str, tuple[Anchor, dict[str, Span]]] = {}
    bad: list[int] = []
    for record in source.records:
        try:
            if record.value.get("record") == "anchor":
                anchor = msgspec.convert(record.value.get("anchor"), Anchor)
                continue
            span = msgspec.convert(record.value.get("span"), Span)
        except msgspec.ValidationError:
            bad.append(record.line)
            continue
        ends = span.start if span.end is None else span.end
        if anchor is None or not (math.isfinite(span.start) and math.isfinite(ends)):
            bad.append(record.line)
            continue
        first, spans = tasks.setdefault(span.trace, (anchor, {}))
        spans[span.id] = _moved(span, (anchor.unix - first.unix) - (anchor.monotonic - first.monotonic))
    if not tasks:
        raise UsageError(
            f"{source.name} has no span after an anchor, so it is no whole recording of Tithe's."
        )
    notes = source.notes()
    if bad:
        notes.append(left_out("line", "that is no record, or before any anchor", bad))
    return Imported(
        tasks=tuple(_task(own, anchor, list(spans.values())) for own, (anchor, spans) in tasks.items()),
        notes=tuple(notes),
    )


def _moved(span: Span, by: float) -> Span:
    return msgspec.structs.replace(
        span, start=span.start + by, end=None if span.end is None else span.end + by
    )


def _task(own: str, anchor: Anchor, spans: list[Span]) -> ImportedTask:
    first = min(span.start for span in spans)
    return ImportedTask(
        id=own,
        name=next((span.name for span in spans if span.kind == "task"), None),
        session=next((name for span in spans if (name := text(span.attributes.get(at.CONVERSATION)))), None),
        began=anchor.unix + (first - anchor.monotonic),
        spans=tuple(
            msgspec.structs.replace(_moved(span, -first), attributes={at.SOURCE: _SOURCE} | span.attributes)
            for span in spans
        ),
    )
