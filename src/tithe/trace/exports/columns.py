"""The columns of an export as a table: one row a span, as it was recorded.

A cell is empty where nothing was reported. Times are seconds: `started` since the epoch, `start_s` since the task's first
span began, `*_s` instants of an attempt or call since its own start. No text of any message is in it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

import msgspec

from tithe.core import attributes as at
from tithe.core.span import Span
from tithe.trace.records import TaskRecord

ColumnType = Literal["text", "count", "seconds", "yes"]
Cell = str | int | float | bool | None


class Column(msgspec.Struct, frozen=True):
    """A column: its head, what is in it, and where that comes from; `zero` is when the task's first span began."""

    name: str
    type: ColumnType
    read: Callable[[TaskRecord, Span, float], Any]


def _attribute(name: str, column_type: ColumnType, attribute: str) -> Column:
    return Column(name, column_type, lambda _record, span, _zero: span.attributes.get(attribute))


def _duration(_record: TaskRecord, span: Span, _zero: float) -> float | None:
    return None if span.end is None else span.end - span.start


COLUMNS: tuple[Column, ...] = (
    Column("task", "text", lambda record, _span, _zero: record.id),
    Column("task_name", "text", lambda record, _span, _zero: record.name),
    Column("session", "text", lambda record, _span, _zero: record.session),
    Column("source", "text", lambda record, span, _zero: span.attributes.get(at.SOURCE, record.source)),
    Column("span", "text", lambda _record, span, _zero: span.id),
    Column("parent", "text", lambda _record, span, _zero: span.parent),
    Column("kind", "text", lambda _record, span, _zero: span.kind),
    Column("name", "text", lambda _record, span, _zero: span.name),
    Column(
        "started",
        "seconds",
        lambda record, span, _zero: record.anchor.unix + (span.start - record.anchor.monotonic),
    ),
    Column("start_s", "seconds", lambda _record, span, zero: span.start - zero),
    Column("duration_s", "seconds", _duration),
    Column("error", "text", lambda _record, span, _zero: span.error),
    _attribute("http_status", "count", at.STATUS),
    _attribute("provider", "text", at.PROVIDER),
    _attribute("server", "text", at.SERVER),
    _attribute("api", "text", at.API),
    _attribute("model", "text", at.REQUEST_MODEL),
    _attribute("response_model", "text", at.RESPONSE_MODEL),
    _attribute("response_id", "text", at.RESPONSE_ID),
    _attribute("stream", "yes", at.REQUEST_STREAM),
    _attribute("finish_reasons", "text", at.FINISH_REASONS),
    _attribute("input_tokens", "count", at.INPUT_TOKENS),
    _attribute("cache_read_tokens", "count", at.CACHE_READ_TOKENS),
    _attribute("cache_write_tokens", "count", at.CACHE_WRITE_TOKENS),
    _attribute("output_tokens", "count", at.OUTPUT_TOKENS),
    _attribute("reasoning_tokens", "count", at.REASONING_TOKENS),
    _attribute("connect_s", "seconds", at.CONNECT),
    _attribute("sent_s", "seconds", at.SENT),
    _attribute("first_token_s", "seconds", at.FIRST_TOKEN),
    _attribute("first_visible_s", "seconds", at.FIRST_VISIBLE),
    _attribute("last_token_s", "seconds", at.LAST_TOKEN),
    _attribute("prepare_s", "seconds", at.PREPARE),
    _attribute("queue_s", "seconds", at.QUEUE),
    _attribute("prefill_s", "seconds", at.PREFILL),
    _attribute("decode_s", "seconds", at.DECODE),
    _attribute("relation", "text", at.RELATION),
    _attribute("branch", "text", at.BRANCH),
    _attribute("tool", "text", at.TOOL_NAME),
    _attribute("tool_call", "text", at.TOOL_CALL_ID),
    _attribute("seen", "text", at.SEEN),
    _attribute("bucket", "text", at.BUCKET),
    _attribute("speculative", "yes", at.SPECULATIVE),
)


def rows(record: TaskRecord) -> Iterator[list[Cell]]:
    """A row for each span of a task."""
    zero = min(span.start for span in record.spans)
    for span in record.spans:
        yield [_cell(column.type, column.read(record, span, zero)) for column in COLUMNS]


def _cell(kind: ColumnType, value: Any) -> Cell:
    """What was found as the column's type; None where it is something else, as imported attributes may be."""
    match kind:
        case "text" if isinstance(value, list | tuple):
            return " ".join(map(str, cast("list[Any]", value)))
        case "text":
            return None if value is None else str(value)
        case "count":
            return value if type(value) is int and -(2**63) <= value < 2**63 else None
        case "seconds":
            return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "yes":
            return value if isinstance(value, bool) else None
