"""The database of the record: its tables, how an older one is brought up to date, and how a file is opened.

    recordings   what one recorder wrote: its source and its anchor; `finished` is empty while it runs or if it was killed,
                 and `heard` is then when it last said that it lives; `exit_status` and `signal` are the command's that it ran
    tasks        one row a trace: where it came from, and what a list shows without reading its spans; `called` is what its
                 requests say of who sends them, for want of a name
    spans        one row a span: `body` is the whole span (MessagePack), the other columns are copies for lists, where one that is told elsewhere is of
                 kind `duplicate`
    placed       spans that were moved to another task or parent after they were recorded; a later record of them stays there
    nodes        prompts as a trie: a node is a part of a prompt after all the parts before it
    prompts      which node a span's prompt ends in
    contents     request and answer bodies, deflated; only where they were asked for

`user_version` counts the steps of `STEPS` that a database has been through. A step that was released is never changed:
what a table should be next is a further step.
"""

import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

import tithe
from tithe.core.errors import UsageError

APPLICATION = 0x54495448  # "TITH", SQLite's `application_id`
BUSY_S = 30.0  # how long a writer waits for another's transaction

Step = Callable[[sqlite3.Connection], None]

VERSION_1 = (
    "CREATE TABLE wrote (version TEXT NOT NULL)",
    """CREATE TABLE recordings (
        number INTEGER PRIMARY KEY, source TEXT NOT NULL, command TEXT, name TEXT, clock TEXT,
        monotonic REAL NOT NULL, unix REAL NOT NULL, finished REAL, exit_status INTEGER)""",
    """CREATE TABLE tasks (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, recording INTEGER NOT NULL, started REAL NOT NULL,
        name TEXT, session TEXT)""",
    "CREATE INDEX tasks_started ON tasks (started)",
    """CREATE TABLE spans (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, task INTEGER NOT NULL, recording INTEGER NOT NULL,
        kind TEXT NOT NULL, call TEXT, began REAL NOT NULL, ended REAL, failed INTEGER NOT NULL,
        input INTEGER, output INTEGER, results INTEGER NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX spans_of_task ON spans (task)",
    "CREATE INDEX spans_of_recording ON spans (recording)",
    # Holds all that a list needs, so that it reads no bodies.
    "CREATE INDEX spans_told ON spans (task, call, kind, began, ended, failed, input, output, results)",
    "CREATE TABLE placed (span TEXT PRIMARY KEY, trace TEXT NOT NULL, parent TEXT) WITHOUT ROWID",
    """CREATE TABLE nodes (
        number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, parent INTEGER, part BLOB NOT NULL)""",
    "CREATE INDEX nodes_after ON nodes (parent)",
    "CREATE TABLE prompts (span TEXT PRIMARY KEY, node INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX prompts_at ON prompts (node)",
    "CREATE TABLE contents (span TEXT PRIMARY KEY, request BLOB, response BLOB)",
)


def _first(connection: sqlite3.Connection) -> None:
    for statement in VERSION_1:
        connection.execute(statement)


def _second(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE recordings ADD COLUMN signal INTEGER")
    connection.execute("ALTER TABLE recordings ADD COLUMN heard REAL")
    connection.execute("ALTER TABLE tasks ADD COLUMN called TEXT")


STEPS: tuple[Step, ...] = (_first, _second)


def connect(path: Path, *, write: bool, steps: Sequence[Step] = STEPS) -> sqlite3.Connection:
    """A connection to the database at `path`, which is made, or brought up to date, where that is needed.

    It is in autocommit mode, and may be passed between threads that take turns.

    Raises:
        UsageError: there is no such file to read, it cannot be made or written, it is no database of Tithe's, it is
            damaged, or a newer Tithe wrote it.
    """
    with translated(path):
        if write:
            _make(path)
        elif not path.is_file():
            raise UsageError(
                f"There is no record at {path}. Record a task first (tithe record), or name another with --db."
            )
        connection = _open(path, write=write)
        try:
            found = _version(connection, path, len(steps))
            if found < len(steps) and not write:
                # Only a writer can bring it up to date.
                connect(path, write=True, steps=steps).close()
            elif write:
                _log_ahead(connection)
                connection.execute("PRAGMA synchronous = NORMAL")
                _upgrade(connection, steps)
        except BaseException:
            connection.close()
            raise
    return connection


def _make(path: Path) -> None:
    """An empty file that only its owner can read; SQLite gives its side files the same mode.

    A file that is there is not so much as opened: closing it again would drop the locks that this process's other
    connections hold on it, and the last process to close would take the log from under them
    (sqlite.org/howtocorrupt.html, 2.2).
    """
    if path.is_file():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        if not path.is_file():  # it may have been made just now
            raise UsageError(
                f"The record {path} cannot be written: {error.strerror}. Name another file with --db."
            ) from error


def _open(path: Path, *, write: bool) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={'rw' if write else 'ro'}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _version(connection: sqlite3.Connection, path: Path, known: int) -> int:
    """How many steps the database has been through; 0 for an empty file."""
    connection.execute("BEGIN")  # one look: another process may be making it
    try:
        [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        [application] = connection.execute("PRAGMA application_id").fetchone()
        [found] = connection.execute("PRAGMA user_version").fetchone()
    finally:
        connection.rollback()
    if application != APPLICATION and (tables or found or application):
        raise UsageError(
            f"{path} is a database, and not one of Tithe's: it is left as it is. Name another file with --db."
        )
    if found > known:
        [version] = connection.execute("SELECT version FROM wrote").fetchone()
        raise UsageError(
            f"The record {path} was written by Tithe {version} (schema {found}; this one, {tithe.__version__}, "
            f"knows {known}). Read it with that version or a later one, or name another file with --db."
        )
    return found


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. For this alone SQLite doesn't wait its turn when several make the file at once."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _upgrade(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    with transaction(connection):
        # Read again under the lock: another process may have been faster.
        [found] = connection.execute("PRAGMA user_version").fetchone()
        if found >= len(steps):
            return
        for step in steps[found:]:
            step(connection)
        connection.execute("DELETE FROM wrote")
        connection.execute("INSERT INTO wrote VALUES (?)", (tithe.__version__,))
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """All or nothing. The lock is taken at the start, so that two writers wait for each other and neither fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Errors of SQLite's, and of what it holds, as `UsageError`, which names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise refusal(path, error) from error
    except (msgspec.DecodeError, zlib.error) as error:
        raise _damaged(path, error) from error


def refusal(path: Path, error: sqlite3.Error) -> UsageError:
    """What an error of SQLite's means to whoever named the file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return UsageError(f"{path} is not a record of Tithe's. Name another file with --db.")
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(path, error)
    if code == sqlite3.SQLITE_BUSY:
        return UsageError(f"The record {path} was locked by another program for {BUSY_S:g} s. Try again.")
    return UsageError(
        f"The record {path} cannot be used: {error}. See that it can be written and that the disk has room, "
        "or name another file with --db."
    )


def _damaged(path: Path, error: Exception) -> UsageError:
    return UsageError(
        f"The record {path} is damaged ({error}). Move it away; `sqlite3 FILE .recover` saves what can be read."
    )
