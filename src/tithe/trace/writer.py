"""Spans written as things happen: the caller hands them over and goes on, a thread commits them.

What has been handed over is in the file after `PAUSE_S` and a commit, and then outlives the process. Who records is
never held up by the disk: an error of it is raised at the next call.
"""

import atexit
import contextlib
import sqlite3
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from tithe.core.errors import UsageError
from tithe.core.part import Part
from tithe.core.span import Anchor, Span
from tithe.trace.prompts import write_prompt
from tithe.trace.recorder import BEAT_S
from tithe.trace.rows import SpanRow, row_of, write_rows
from tithe.trace.schema import connect, refusal, transaction

PAUSE_S = 0.1  # between the first of what is handed over and its commit


class _Prompt(NamedTuple):
    span: str
    parts: Sequence[Part]


class _Content(NamedTuple):
    span: str
    request: bytes | None
    response: bytes | None


class SpanWriter:
    """A `core.Recorder` that writes to a store, for any number of threads. Made by `Store.writer`.

    Every call raises `UsageError` once the disk has refused something, or when the writer is closed.
    """

    def __init__(self, path: Path, recording: int, anchor: Anchor, *, heartbeat: bool = False) -> None:
        self._path = path
        self._recording = recording
        self._offset = anchor.unix - anchor.monotonic
        self._connection = connect(path, write=True)
        self._beat_every = BEAT_S if heartbeat else None
        self._next_beat = 0.0
        self._changed = threading.Condition()
        self._hurry = threading.Event()
        self._waiting: list[SpanRow | _Prompt | _Content] = []
        self._taken = self._written = 0
        self._closed = False
        self._failure: UsageError | None = None
        self._thread = threading.Thread(target=self._run, name="tithe-store", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # a program that ends without closing loses nothing

    def record(self, span: Span) -> None:
        """Keep a span, in place of an earlier one with its id: once when it starts, and again when it has ended."""
        self._hand_over(row_of(span, self._offset))

    def add_prompt(self, span_id: str, parts: Sequence[Part]) -> None:
        """Keep the fingerprints of the prompt that a call or attempt sent."""
        self._hand_over(_Prompt(span_id, parts))

    def add_content(self, span_id: str, request: bytes | None, response: bytes | None) -> None:
        """Keep the bodies of a call or attempt, where they were asked for. None leaves what there is."""
        self._hand_over(_Content(span_id, request, response))

    def flush(self) -> None:
        """Wait until everything handed over so far is in the file."""
        with self._changed:
            until = self._taken
            self._hurry.set()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._written >= until)
            self._check()

    def close(self) -> None:
        """Write what is left. Closing twice is harmless."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._hurry.set()
            self._changed.notify_all()
        self._thread.join()
        atexit.unregister(self.close)
        self._connection.close()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hand_over(self, item: SpanRow | _Prompt | _Content) -> None:
        with self._changed:
            self._check()
            if self._closed:
                raise UsageError(f"The recording in {self._path} is closed: record before closing it.")
            self._taken += 1
            self._waiting.append(item)
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._write_until_closed()
        finally:
            # Whatever ended this thread: nobody waits for it.
            with self._changed:
                if not self._closed:
                    self._failure = self._failure or UsageError(
                        f"The writer of {self._path} broke off: what was handed over since is lost."
                    )
                self._written = self._taken
                self._changed.notify_all()

    def _write_until_closed(self) -> None:
        while True:
            self._beat()
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed, self._beat_every)
                if not self._waiting:
                    if self._closed:
                        return
                    continue
            self._hurry.wait(PAUSE_S)
            with self._changed:
                batch, self._waiting = self._waiting, []
                self._hurry.clear()
                if self._closed:
                    self._hurry.set()
            failure = None
            try:
                self._commit(batch)
            except sqlite3.Error as error:
                failure = UsageError(
                    f"{refusal(self._path, error).message} {len(batch):,} records were lost."
                )
            with self._changed:
                self._failure = self._failure or failure
                self._written += len(batch)
                self._changed.notify_all()

    def _beat(self) -> None:
        if self._beat_every is None or time.monotonic() < self._next_beat:
            return
        # A disk that refuses this refuses the next span too, and then it is told.
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute(
                "UPDATE recordings SET heard = ? WHERE number = ?", (time.time(), self._recording)
            )
        self._next_beat = time.monotonic() + self._beat_every

    def _commit(self, batch: list[SpanRow | _Prompt | _Content]) -> None:
        with transaction(self._connection):
            write_rows(
                self._connection,
                self._recording,
                self._offset,
                [item for item in batch if isinstance(item, SpanRow)],
            )
            for item in batch:
                if isinstance(item, _Prompt):
                    write_prompt(self._connection, item.span, item.parts)
                elif isinstance(item, _Content):
                    write_content(self._connection, item.span, item.request, item.response)


def write_content(
    connection: sqlite3.Connection, span: str, request: bytes | None, response: bytes | None
) -> None:
    """Keep the bodies of a call, in the transaction that is open."""
    connection.execute(
        """INSERT INTO contents VALUES (?, ?, ?) ON CONFLICT (span) DO UPDATE SET
            request = coalesce(excluded.request, request), response = coalesce(excluded.response, response)""",
        (span, *(None if body is None else zlib.compress(body, 1) for body in (request, response))),
    )


def read_content(connection: sqlite3.Connection, span: str) -> tuple[bytes | None, bytes | None]:
    """Request and answer of a call; None for what was not kept."""
    row = connection.execute("SELECT request, response FROM contents WHERE span = ?", (span,)).fetchone()
    request, response = row if row is not None else (None, None)
    return (
        None if request is None else zlib.decompress(request),
        None if response is None else zlib.decompress(response),
    )
