"""Where the agent's own spans go: nowhere, the recording that `tithe record` made, or what the program named.

The recording is found at the first span, in the environment variable `TITHE_RECORDING`, which `tithe record` sets for
what it runs: `{"db": "/home/me/tithe.db", "recording": 7}`. It is the one variable that is not read by the command line: the
process that reads it here is the agent's.

An agent is never stopped by its own recording. What goes wrong with one that the environment named is a warning, once,
and the spans from then on are not kept. `record_to` is the program's own wish, and raises.

SQLite must not be carried through a fork: a child that inherits a connection inherits its idea of the locks it holds
(sqlite.org/howtocorrupt.html, 2.6). So before a fork the database is closed, in good order, and parent and child each
open it again at their next span.
"""

import atexit
import os
import threading
import warnings
from pathlib import Path
from typing import Protocol

import msgspec

from tithe.core.clock import SystemClock
from tithe.core.errors import UsageError
from tithe.core.span import Anchor, Recorder, Span
from tithe.trace.clocks import machine_clock
from tithe.trace.store import Store
from tithe.trace.writer import SpanWriter

VARIABLE = "TITHE_RECORDING"


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recording in a database, as `TITHE_RECORDING` tells it."""

    db: str
    recording: int


class Destination(Protocol):
    """What takes the spans: each when it begins, still open, and again when it has ended."""

    def begin(self, span: Span) -> None: ...

    def end(self, span: Span) -> None: ...

    def flush(self) -> None: ...


class Given:
    """A recorder of the program's own. It gets each span once, when it has ended, and is not closed here."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def begin(self, span: Span) -> None:
        """Nothing: a list or a file would have it twice."""

    def end(self, span: Span) -> None:
        self._recorder.record(span)

    def flush(self) -> None:
        """Nothing is held."""


class Stored:
    """A recording in a store, for every thread of this process and of the processes that it forks.

    `recording` None begins a new one. Raises `UsageError` when the database cannot be opened for writing.
    """

    def __init__(self, path: Path, recording: int | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._over = False  # after exit, or when the disk failed
        self._began_by = os.getpid() if recording is None else None
        self._recording = recording if recording is not None else self._begin()
        self._writer: SpanWriter | None = self._open()

    def begin(self, span: Span) -> None:
        self._record(span)

    def end(self, span: Span) -> None:
        self._record(span)

    def flush(self) -> None:
        """Wait until what was recorded is in the file."""
        with self._lock:
            if self._writer is not None:
                try:
                    self._writer.flush()
                except UsageError as error:
                    self._give_up(error)

    def finish(self, *, exiting: bool = False) -> None:
        """Write what is left and close the database; note in a recording that was begun here that it is over.

        A span that ends later opens it again, unless the program is at its end.
        """
        with self._lock:
            self._shut()
            self._over |= exiting
        if self._began_by == os.getpid():
            try:
                with Store.open(self._path) as store:
                    store.finish(self._recording, at=SystemClock().now())
            except UsageError as error:
                self._give_up(error)

    def hold(self) -> None:
        """Close, and keep every thread from opening it again until `release`: a fork is about to happen."""
        self._lock.acquire()
        self._shut()

    def release(self) -> None:
        self._lock.release()

    def _record(self, span: Span) -> None:
        with self._lock:
            if self._over:
                return
            try:
                if self._writer is None:
                    self._writer = self._open()
                self._writer.record(span)
            except UsageError as error:
                self._give_up(error)

    def _begin(self) -> int:
        with Store.open(self._path) as store:
            return store.begin(Anchor.take(SystemClock().now()), source="api", clock=machine_clock())

    def _open(self) -> SpanWriter:
        with Store.open(self._path) as store:
            return store.writer(self._recording, heartbeat=self._began_by == os.getpid())

    def _shut(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except UsageError as error:
                self._give_up(error)

    def _give_up(self, error: UsageError) -> None:
        self._over = True
        _warn(f"Spans from here on are not recorded. {error}")


class _Choice:
    """What this process records to. `asked`: whether the environment was asked, or the program told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked = False
        self.into: Destination | None = None
        self._watching = False

    def ask(self) -> Destination | None:
        with self.lock:
            if not self.asked:
                told = os.environ.get(VARIABLE)
                if told:
                    self.into = _named(told)
                    self.watch()
                self.asked = True
            return self.into

    def set(self, into: Destination | None) -> Destination | None:
        """Record to `into` from now on; returns what was recorded to before."""
        with self.lock:
            before, self.into, self.asked = self.into, into, True
            self.watch()
        return before

    def watch(self) -> None:
        """See to the end of the process and to its forks. Called with the lock held."""
        if not self._watching:
            self._watching = True
            atexit.register(self._at_exit)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(
                    before=self._before_fork,
                    after_in_parent=self._after_fork,
                    after_in_child=self._after_fork,
                )

    def _at_exit(self) -> None:
        if isinstance(self.into, Stored):
            self.into.finish(exiting=True)

    def _before_fork(self) -> None:
        self.lock.acquire()
        if isinstance(self.into, Stored):
            self.into.hold()

    def _after_fork(self) -> None:
        if isinstance(self.into, Stored):
            self.into.release()
        self.lock.release()


_choice = _Choice()


def chosen() -> Destination | None:
    """Where spans go now; None where nothing records."""
    return _choice.into if _choice.asked else _choice.ask()


def record_to(where: str | Path | Recorder | None) -> None:
    """Send this program's spans to a database (made if there is none), or to a recorder of one's own; None stops it.

    What was recorded until then is written out. A recorder gets each span once, when it has ended; a database has it from
    its beginning, so that a killed program leaves those that were open.

    Raises:
        UsageError: the database cannot be opened for writing.
    """
    if where is None:
        into = None
    elif isinstance(where, str | Path):
        into = Stored(Path(where))
    else:
        into = Given(where)
    before = _choice.set(into)
    if isinstance(before, Stored):
        before.finish()


def _named(told: str) -> Destination | None:
    """The recording that the environment names; None, and a warning, where it cannot be written."""
    try:
        recording = msgspec.json.decode(told, type=Recording)
        return Stored(Path(recording.db), recording.recording)
    except (msgspec.DecodeError, UsageError) as error:
        _warn(f"No spans are recorded: {VARIABLE} names no recording that can be written. {error}")
        return None


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=3)
