"""The store: every recording and import in one SQLite file, written as things happen and read beside that.

Many processes may write and read at once (WAL): a recorder, the agents that it runs, and whoever looks. It keeps what
was seen (spans, prompts as fingerprints, content where that was asked for) and nothing that follows from it.
"""

import difflib
import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Self

import msgspec

from tithe.core.errors import UsageError
from tithe.core.part import Part
from tithe.core.span import Anchor, Span
from tithe.trace.prompts import drop_prompts, read_prompts, write_prompt
from tithe.trace.records import TaskRecord, read_records
from tithe.trace.rows import place_rows, row_of, write_rows
from tithe.trace.schema import connect, transaction, translated
from tithe.trace.summaries import TaskSummary, read_summaries
from tithe.trace.writer import SpanWriter, read_content

LAST = "last"  # names the newest task that has a call or was reported as one, or the newest where none was


class Store:
    """A record in a file. Methods may be called from any thread; every one raises `UsageError` when the file fails."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._turn = threading.Lock()

    @classmethod
    def open(cls, path: str | Path, *, write: bool = True) -> Self:
        """Open the record at `path`; with `write`, make it, and the folders it is in, where there is none.

        Raises:
            UsageError: there is none to read, it cannot be written, it is no record of Tithe's, it is damaged, or a
                newer Tithe wrote it.
        """
        return cls(Path(path), connect(Path(path), write=write))

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        with self._turn:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing.

    def begin(
        self,
        anchor: Anchor,
        *,
        source: str,
        command: str | None = None,
        name: str | None = None,
        clock: str | None = None,
    ) -> int:
        """Begin a recording; returns its number.

        Args:
            anchor: ties its stamps to dates.
            source: proxy, otlp, api, server or import:FORMAT.
            name: what its tasks are called that have no name of their own.
            clock: names the clock of its stamps. Recordings of the same clock need no dates to be put together, and so
                are exact among each other.
        """
        with self._writing():
            number = self._connection.execute(
                "INSERT INTO recordings (source, command, name, clock, monotonic, unix) VALUES (?, ?, ?, ?, ?, ?)",
                (source, command, name, clock, anchor.monotonic, anchor.unix),
            ).lastrowid
        assert number is not None
        return number

    def finish(
        self, recording: int, *, at: float, exit_status: int | None = None, signal: int | None = None
    ) -> None:
        """End a recording. `at` is on its clock.

        `exit_status` is that of the command it ran, as a shell has it; `signal` the one that ended it, if one did.
        """
        with self._writing():
            self._connection.execute(
                "UPDATE recordings SET finished = ?, exit_status = ?, signal = ? WHERE number = ?",
                (at, exit_status, signal, recording),
            )

    def writer(self, recording: int, *, heartbeat: bool = False) -> SpanWriter:
        """What writes a recording's spans as they come, in the background.

        `heartbeat`: it is the recorder's own, and says every `BEAT_S` that the recorder lives, so that one that was killed
        is told from one that has nothing to write.
        """
        return SpanWriter(self._path, recording, self._anchor(recording), heartbeat=heartbeat)

    def add(
        self, recording: int, spans: Iterable[Span], prompts: Mapping[str, Sequence[Part]] | None = None
    ) -> None:
        """Write spans, and prompts by span, all or none. Those that are there already, by their ids, are replaced."""
        anchor = self._anchor(recording)
        offset = anchor.unix - anchor.monotonic
        rows = [row_of(span, offset) for span in spans]
        with self._writing():
            write_rows(self._connection, recording, offset, rows)
            for span, parts in (prompts or {}).items():
                write_prompt(self._connection, span, parts)

    def compare(self, spans: Iterable[Span]) -> tuple[int, int]:
        """Of these spans, by their ids, how many are there already just as they are, and how many otherwise."""
        given = {span.id: row_of(span, 0.0).body for span in spans}
        with self._reading():
            there: list[tuple[str, bytes]] = self._connection.execute(
                "SELECT id, body FROM spans WHERE id IN (SELECT value FROM json_each(?))",
                (msgspec.json.encode(list(given)).decode(),),
            ).fetchall()
        same = sum(given[span] == body for span, body in there)
        return same, len(there) - same

    def place(self, places: Mapping[str, tuple[str, str | None]]) -> None:
        """Move spans, by id, to a trace and a parent, all or none. They stay there when they are recorded again."""
        with self._writing():
            place_rows(self._connection, places)

    def delete(self, task_ids: Iterable[str]) -> None:
        """Forget tasks, by whole ids, with all that was kept of them; it is overwritten in the file."""
        with self._writing():
            self._connection.execute("PRAGMA secure_delete = ON")
            for task_id in task_ids:
                self._delete(task_id)
        with self._reading():
            # The log has the pages as they were, too. Whoever is reading may keep it from being emptied just now.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _delete(self, task_id: str) -> None:
        run = self._connection.execute
        spans = run(
            "SELECT spans.id, spans.recording FROM spans JOIN tasks ON tasks.number = task WHERE tasks.id = ?",
            (task_id,),
        ).fetchall()
        drop_prompts(self._connection, [span for span, _ in spans])
        for span, _ in spans:
            run("DELETE FROM contents WHERE span = ?", (span,))
            run("DELETE FROM placed WHERE span = ?", (span,))
            run("DELETE FROM spans WHERE id = ?", (span,))
        run("DELETE FROM tasks WHERE id = ?", (task_id,))
        for recording in {recording for _, recording in spans}:
            run(
                """DELETE FROM recordings WHERE number = ?1 AND finished IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM spans WHERE recording = ?1)
                AND NOT EXISTS (SELECT 1 FROM tasks WHERE recording = ?1)""",
                (recording,),
            )

    # Reading.

    def tasks(
        self,
        *,
        source: str | None = None,
        since: float | None = None,
        recording: int | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> list[TaskSummary]:
        """The newest tasks first.

        Args:
            source: only those with a span from this source, or of a recording from it.
            since: only those that started at this instant or later, in seconds since the epoch.
            recording: only those that it has a span of.
            text: only those with it in their name or session; case does not matter.
        """
        with self._reading():
            return list(
                read_summaries(
                    self._connection,
                    source=source,
                    since=since,
                    recording=recording,
                    text=text,
                    limit=limit,
                )
            )

    def find(self, named: str) -> str:
        """The whole id of a task, from its id, a beginning of it that no other has, or `last`.

        Raises `UsageError` when there is none, or several.
        """
        with self._reading():
            return self._find(named)

    def task(self, named: str) -> TaskRecord:
        """A task, named as in `find`."""
        with self._reading():
            return next(read_records(self._connection, [self._find(named)]))

    def task_records(self, ids: Iterable[str] | None = None) -> Iterator[TaskRecord]:
        """Tasks, each named as in `find`, or all: in the order in which they were recorded, one at a time in memory."""
        with self._reading():
            whole = None if ids is None else [self._find(named) for named in ids]
            # Its own connection: a scan that is under way would keep this one from writing.
            with closing(connect(self._path, write=False)) as scanned:
                yield from read_records(scanned, whole)

    def prompt(self, span_id: str) -> tuple[Part, ...]:
        """The prompt that a call or attempt sent; empty if none was kept."""
        with self._reading():
            return read_prompts(self._connection, [span_id]).get(span_id, ())

    def prompts(self, task_id: str) -> dict[str, tuple[Part, ...]]:
        """The prompts of a task's spans, by span; what they have in common are the same objects."""
        with self._reading():
            spans = [
                span
                for (span,) in self._connection.execute(
                    "SELECT spans.id FROM spans JOIN tasks ON tasks.number = task WHERE tasks.id = ?",
                    (task_id,),
                )
            ]
            return read_prompts(self._connection, spans)

    def content(self, span_id: str) -> tuple[bytes | None, bytes | None]:
        """Request and answer of a call or attempt; None for what was not kept."""
        with self._reading():
            return read_content(self._connection, span_id)

    def _find(self, named: str) -> str:
        run = self._connection.execute
        if named == LAST:
            newest = (
                run(
                    """SELECT id FROM tasks WHERE EXISTS (
                    SELECT 1 FROM spans WHERE task = tasks.number AND kind IN ('task', 'call', 'attempt'))
                ORDER BY started DESC, number DESC LIMIT 1"""
                ).fetchone()
                or run("SELECT id FROM tasks ORDER BY started DESC, number DESC LIMIT 1").fetchone()
            )
            if newest is None:
                raise UsageError(f"There is no task in {self._path} yet. Record one first (tithe record).")
            return newest[0]
        # By the index, and for thousands of whole ids.
        if run("SELECT 1 FROM tasks WHERE id = ?", (named,)).fetchone() is not None:
            return named
        found: list[str] = [
            each for (each,) in run("SELECT id FROM tasks WHERE substr(id, 1, length(?1)) = ?1", (named,))
        ]
        if named and len(found) == 1:
            return found[0]
        if named and found:
            shown = ", ".join(sorted(found)[:5])
            raise UsageError(f"{len(found)} tasks begin with {named}: {shown}. Give more of the id.")
        newest = [each for (each,) in run("SELECT id FROM tasks ORDER BY started DESC LIMIT 200")]
        near = difflib.get_close_matches(named, newest, n=3, cutoff=0.5) or newest[:3]
        hint = f" The nearest: {', '.join(near)}." if near else ""
        raise UsageError(f"There is no task {named} in {self._path}.{hint} `tithe tasks` lists them.")

    def _anchor(self, recording: int) -> Anchor:
        with self._reading():
            row = self._connection.execute(
                "SELECT monotonic, unix FROM recordings WHERE number = ?", (recording,)
            ).fetchone()
        if row is None:
            raise UsageError(f"There is no recording {recording} in {self._path}: begin one first.")
        return Anchor(monotonic=row[0], unix=row[1])

    @contextmanager
    def _writing(self) -> Generator[None]:
        with self._turn, translated(self._path), transaction(self._connection):
            yield

    def _reading(self) -> AbstractContextManager[None]:
        return translated(self._path)
