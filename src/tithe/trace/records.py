"""Tasks read from the store, whole: their spans on one clock."""

import sqlite3
import time
from collections.abc import Iterator

import msgspec

from tithe.core.span import Anchor, Span
from tithe.trace.recorder import SILENT_S, STATE, Recorder


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it was recorded.

    `spans` are in the order in which they were first recorded, on the clock of `anchor`; those that came from another
    recording were moved to it. Of the recording that has it first: `source` (proxy | otlp | api | server | import:FORMAT),
    `recorder` (whether what wrote it still lives), and of the command that it ran `exit_status`, as a shell has it, and `signal`,
    the one that ended it; None where there was none.
    """

    id: str
    anchor: Anchor
    source: str
    name: str | None
    session: str | None
    spans: tuple[Span, ...]
    recorder: Recorder = "ended"
    exit_status: int | None = None
    signal: int | None = None

    def unix_ns(self, stamp: float) -> int:
        """The date of a stamp, in nanoseconds since the epoch. As good as the anchor; differences are exact."""
        # In parts: a float of seconds since the epoch is only good to a quarter of a microsecond.
        whole, part = divmod(self.anchor.unix, 1)
        return int(whole) * 10**9 + round(part * 1e9) + round((stamp - self.anchor.monotonic) * 1e9)


class _Recording(msgspec.Struct, frozen=True):
    """What is told of a recording: what its stamps are on, and how it ended."""

    anchor: Anchor
    source: str
    name: str | None
    clock: str | None
    recorder: Recorder
    exit_status: int | None
    signal: int | None

    def shift(self, other: "_Recording") -> float:
        """What to add to a stamp of the other clock's to have it on this one."""
        if self.clock is not None and self.clock == other.clock:
            return 0.0
        return (other.anchor.unix - self.anchor.unix) - (other.anchor.monotonic - self.anchor.monotonic)


def read_records(connection: sqlite3.Connection, ids: list[str] | None) -> Iterator[TaskRecord]:
    """Tasks by their whole ids, or all, in the order in which they were first recorded. A task is decoded when it is asked for."""
    recordings = {
        number: _Recording(Anchor(monotonic=monotonic, unix=unix), *told)
        for number, monotonic, unix, *told in connection.execute(
            f"""SELECT number, monotonic, unix, source, name, clock, {STATE}, exit_status, signal
            FROM recordings""",  # noqa: S608 - no text of anyone's
            {"now": time.time(), "silent": SILENT_S},
        )
    }
    only = "" if ids is None else "WHERE id IN (SELECT value FROM json_each(:ids))"
    asked = {} if ids is None else {"ids": msgspec.json.encode(ids).decode()}
    tasks: dict[int, tuple[str, int, str | None, bool, str | None]] = {
        number: (task, recording, name, bool(unnamed), session)
        for number, task, recording, name, unnamed, session in connection.execute(
            f"SELECT number, id, recording, coalesce(name, called), name IS NULL, session FROM tasks {only}",  # noqa: S608 - no text of anyone's
            asked,
        )
    }
    for number, group in _groups(connection, ids, list(tasks)):
        if number not in tasks:
            continue  # recorded since
        task, recording, name, unnamed, session = tasks[number]
        its = recordings[recording]
        yield TaskRecord(
            id=task,
            anchor=its.anchor,
            source=its.source,
            name=its.name if unnamed and its.name is not None else name,
            session=session,
            spans=tuple(
                span if of == recording else _moved(span, its.shift(recordings[of])) for of, span in group
            ),
            recorder=its.recorder,
            exit_status=its.exit_status,
            signal=its.signal,
        )


def _moved(span: Span, by: float) -> Span:
    if not by:
        return span
    return msgspec.structs.replace(
        span, start=span.start + by, end=None if span.end is None else span.end + by
    )


def _groups(
    connection: sqlite3.Connection, ids: list[str] | None, tasks: list[int]
) -> Iterator[tuple[int, list[tuple[int, Span]]]]:
    """Each task's number, and its spans with the recording that they are of, in one scan."""
    only = "" if ids is None else "WHERE task IN (SELECT value FROM json_each(:tasks))"
    asked = {} if ids is None else {"tasks": msgspec.json.encode(tasks).decode()}
    decode = msgspec.msgpack.Decoder(Span).decode
    current, group = -1, list[tuple[int, Span]]()
    for task, recording, body in connection.execute(
        f"SELECT task, recording, body FROM spans {only} ORDER BY task, number",  # noqa: S608 - no text of anyone's
        asked,
    ):
        if task != current:
            if group:
                yield current, group
            current, group = task, []
        group.append((recording, decode(body)))
    if group:
        yield current, group
