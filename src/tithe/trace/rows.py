"""A span as a row of the store, and rows written."""

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, cast

import msgspec

from tithe.core.attributes import (
    CONVERSATION,
    DUPLICATE_OF,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    RELATION,
    REQUEST_MODEL,
    SOURCE,
    TOOL_RESULTS,
    USER_AGENT,
)
from tithe.core.errors import UsageError
from tithe.core.span import Span
from tithe.trace.node import was_left

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Span)
_VERSION = re.compile(r"/v?\d.*")
_AGAIN = ("retry", "repeat")  # relations of requests that bring nothing for the first time


DUPLICATE = "duplicate"


class SpanRow(NamedTuple):
    """What the store keeps of a span; `began` and `ended` in seconds since the epoch, so that clocks compare.

    A span that tells of the same thing as another is a `duplicate` here, whatever its kind, and tells a list nothing; its body is
    whole.
    """

    id: str
    trace: str
    kind: str
    call: str | None
    began: float
    ended: float | None
    failed: bool
    input: int | None
    output: int | None
    results: int
    name: str | None
    called: str | None
    session: str | None
    body: bytes


def row_of(span: Span, offset: float) -> SpanRow:
    """The row of `span`; `offset` is what its clock is behind the epoch.

    Raises `UsageError` when an attribute holds something that is no data.
    """
    told = span.attributes
    try:
        body = _ENCODER.encode(span)
    except (TypeError, OverflowError, ValueError, RecursionError) as error:
        raise UsageError(f"The span {span.id} ({span.name}) cannot be recorded: {error}.") from error
    if not (isfinite(span.start) and isfinite(span.start if span.end is None else span.end)):
        raise UsageError(
            f"The span {span.id} ({span.name}) cannot be recorded: it has a stamp that is no number."
        )
    results: Any = told.get(TOOL_RESULTS)
    session = told.get(CONVERSATION)
    row = SpanRow(
        id=span.id,
        trace=span.trace,
        kind=span.kind,
        call=span.id if span.kind == "call" else (span.parent or span.id) if span.kind == "attempt" else None,
        began=span.start + offset,
        ended=None if span.end is None else span.end + offset,
        failed=span.error is not None and not was_left(span),
        input=_count(told.get(INPUT_TOKENS)),
        output=_count(told.get(OUTPUT_TOKENS)),
        results=len(cast("list[Any]", results))
        if isinstance(results, list | tuple) and told.get(RELATION) not in _AGAIN
        else 0,
        name=span.name if span.kind == "task" else None,
        called=_called(told),
        session=session if isinstance(session, str) else None,
        body=body,
    )
    if told.get(DUPLICATE_OF) is None:
        return row
    return row._replace(kind=DUPLICATE, call=None, failed=False, input=None, output=None, results=0)


def _called(told: Mapping[str, Any]) -> str | None:
    """Who sent a request, as it says itself: the first product of its user agent (RFC 9110, 10.1.5), and the model it asks."""
    if told.get(SOURCE) != "proxy":
        return None  # others have names
    agent, model = told.get(USER_AGENT), told.get(REQUEST_MODEL)
    # OpenAI's Python library is "OpenAI/Python 1.2.3", Claude Code "claude-cli/1.2.3 (external, cli)".
    product = _VERSION.sub("", agent.split()[0]) if isinstance(agent, str) and agent.strip() else None
    return ", ".join(one for one in (product, model) if isinstance(one, str) and one) or None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None


def span_of(body: bytes) -> Span:
    """The span of a row's body."""
    return _DECODER.decode(body)


def write_rows(
    connection: sqlite3.Connection, recording: int, offset: float, rows: Iterable[SpanRow]
) -> None:
    """Write spans, each in place of an earlier one with its id, in the transaction that is open.

    A span that was placed elsewhere since it was first recorded stays there. A task that loses its last span is gone.
    """
    by_id = {row.id: row for row in rows}  # the last of each
    ids = msgspec.json.encode(list(by_id)).decode()
    was_in: dict[str, int] = dict(
        connection.execute("SELECT id, task FROM spans WHERE id IN (SELECT value FROM json_each(?))", (ids,))
    )
    for span, trace, parent in connection.execute(
        "SELECT span, trace, parent FROM placed WHERE span IN (SELECT value FROM json_each(?))", (ids,)
    ).fetchall():
        moved = msgspec.structs.replace(span_of(by_id[span].body), trace=trace, parent=parent)
        by_id[span] = row_of(moved, offset)
    by_trace: dict[str, list[SpanRow]] = {}
    for row in by_id.values():
        by_trace.setdefault(row.trace, []).append(row)
    left: set[int] = set()
    for trace, group in by_trace.items():
        task = _task(connection, trace, recording, group)
        connection.executemany(
            """INSERT INTO spans (id, task, recording, kind, call, began, ended, failed, input, output, results, body)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET
                task = excluded.task, recording = excluded.recording, kind = excluded.kind, call = excluded.call,
                began = excluded.began, ended = excluded.ended, failed = excluded.failed, input = excluded.input,
                output = excluded.output, results = excluded.results, body = excluded.body""",
            [
                (
                    row.id,
                    task,
                    recording,
                    row.kind,
                    row.call,
                    row.began,
                    row.ended,
                    row.failed,
                    row.input,
                    row.output,
                    row.results,
                    row.body,
                )
                for row in group
            ],
        )
        left.update(was_in[row.id] for row in group if was_in.get(row.id, task) != task)
    for task in left:
        _renew(connection, task)


def _task(connection: sqlite3.Connection, trace: str, recording: int, rows: Sequence[SpanRow]) -> int:
    """The number of the task that `rows` belong to, which is made if it is new."""
    [number] = connection.execute(
        """INSERT INTO tasks (id, recording, started, name, called, session) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET started = min(started, excluded.started), name = coalesce(excluded.name, name),
            called = coalesce(called, excluded.called), session = coalesce(session, excluded.session)
        RETURNING number""",
        (
            trace,
            recording,
            min(row.began for row in rows),
            next((row.name for row in rows if row.name is not None), None),
            next((row.called for row in rows if row.called is not None), None),
            next((row.session for row in rows if row.session is not None), None),
        ),
    ).fetchone()
    return number


def place_rows(connection: sqlite3.Connection, places: Mapping[str, tuple[str, str | None]]) -> None:
    """Move spans to a trace and a parent, in the transaction that is open."""
    connection.executemany(
        "INSERT OR REPLACE INTO placed VALUES (?, ?, ?)",
        [(span, trace, parent) for span, (trace, parent) in places.items()],
    )
    moving: dict[int, list[SpanRow]] = {}
    offsets: dict[int, float] = {}
    for recording, body, monotonic, unix in connection.execute(
        """SELECT recording, body, monotonic, unix
        FROM spans JOIN recordings ON recordings.number = recording WHERE id IN (SELECT value FROM json_each(?))""",
        (msgspec.json.encode(list(places)).decode(),),
    ).fetchall():
        offsets[recording] = unix - monotonic
        moving.setdefault(recording, []).append(row_of(span_of(body), offsets[recording]))
    for recording, rows in moving.items():
        write_rows(connection, recording, offsets[recording], rows)


def _renew(connection: sqlite3.Connection, task: int) -> None:
    """Tell a task anew from the spans that it still has; without any it is gone."""
    rows = [
        row_of(span_of(body), 0.0)
        for (body,) in connection.execute("SELECT body FROM spans WHERE task = ? ORDER BY number", (task,))
    ]
    if not rows:
        connection.execute("DELETE FROM tasks WHERE number = ?", (task,))
        return
    connection.execute(
        """UPDATE tasks SET started = (SELECT min(began) FROM spans WHERE task = ?1), name = ?2, called = ?3, session = ?4
        WHERE number = ?1""",
        (
            task,
            next((row.name for row in rows if row.name is not None), None),
            next((row.called for row in rows if row.called is not None), None),
            next((row.session for row in rows if row.session is not None), None),
        ),
    )
