"""The file of the record: who may read it, what is refused, and how an older one is brought up to date."""

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tithe.core import Anchor, Span
from tithe.core.errors import UsageError
from tithe.trace import Store
from tithe.trace.schema import APPLICATION, STEPS, connect, transaction

# The tables of version 1 as they were released: a step that was released is never changed.
VERSION_1 = """
CREATE TABLE wrote (version TEXT NOT NULL);
CREATE TABLE recordings (number INTEGER PRIMARY KEY, source TEXT NOT NULL, command TEXT, name TEXT, clock TEXT,
    monotonic REAL NOT NULL, unix REAL NOT NULL, finished REAL, exit_status INTEGER);
CREATE TABLE tasks (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, recording INTEGER NOT NULL,
    started REAL NOT NULL, name TEXT, session TEXT);
CREATE INDEX tasks_started ON tasks (started);
CREATE TABLE spans (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, task INTEGER NOT NULL,
    recording INTEGER NOT NULL, kind TEXT NOT NULL, call TEXT, began REAL NOT NULL, ended REAL,
    failed INTEGER NOT NULL, input INTEGER, output INTEGER, results INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX spans_of_task ON spans (task);
CREATE INDEX spans_of_recording ON spans (recording);
CREATE INDEX spans_told ON spans (task, call, kind, began, ended, failed, input, output, results);
CREATE TABLE placed (span TEXT PRIMARY KEY, trace TEXT NOT NULL, parent TEXT) WITHOUT ROWID;
CREATE TABLE nodes (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, parent INTEGER, part BLOB NOT NULL);
CREATE INDEX nodes_after ON nodes (parent);
CREATE TABLE prompts (span TEXT PRIMARY KEY, node INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX prompts_at ON prompts (node);
CREATE TABLE contents (span TEXT PRIMARY KEY, request BLOB, response BLOB);
INSERT INTO wrote VALUES ('0.0.1');
INSERT INTO recordings VALUES (1, 'proxy', NULL, NULL, NULL, 0.0, 1.0, 9.0, 0);
INSERT INTO tasks VALUES (1, 'task-a', 1, 2.0, NULL, NULL);
INSERT INTO spans VALUES (1, 'a', 1, 1, 'attempt', 'a', 2.0, 3.0, 0, NULL, NULL, 0,
    x'89a26964a161a57472616365a67461736b2d61a46b696e64a7617474656d7074a46e616d65a463686174a57374617274cb3ff0000000000000a3656e64cb4000000000000000a6706172656e74c0a56572726f72c0aa6174747269627574657380');
"""


def make_version_1(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()


def tables(path: Path) -> set[tuple[str, str]]:
    """Every table and index with its columns, however its statement is spaced."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            (name, "".join((sql or "").split()))
            for name, sql in connection.execute("SELECT name, sql FROM sqlite_master")
        }


@pytest.mark.parametrize("write", [True, False])
def test_a_record_of_version_1_is_read(tmp_path: Path, write: bool) -> None:
    path = tmp_path / "old.db"
    make_version_1(path)
    with Store.open(path, write=write) as store:
        record = store.task("last")
    assert record.spans == (Span(id="a", trace="task-a", kind="attempt", name="chat", start=1.0, end=2.0),)
    with Store.open(tmp_path / "new.db"):
        pass
    assert tables(path) == tables(tmp_path / "new.db")


def test_a_record_of_version_1_can_tell_how_a_recording_ends(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    make_version_1(path)
    with Store.open(path) as store:
        [before] = store.tasks()
        assert (before.recorder, before.exit_status, before.signal) == ("ended", 0, None)
        store.finish(1, at=9.0, exit_status=139, signal=11)
        [after] = store.tasks()
        assert (after.exit_status, after.signal) == (139, 11)
        record = store.task("last")
    assert (record.recorder, record.exit_status, record.signal) == ("ended", 139, 11)


@pytest.mark.parametrize("write", [True, False])
def test_an_older_record_goes_through_the_steps_that_it_has_not_been_through(path: Path, write: bool) -> None:
    with Store.open(path) as store:
        store.begin(Anchor(monotonic=0.0, unix=1.0), source="proxy")
    went: list[str] = []

    def second(connection: sqlite3.Connection) -> None:
        went.append("second")
        connection.execute("ALTER TABLE recordings ADD COLUMN host TEXT")
        connection.execute("UPDATE recordings SET host = 'here'")

    for _ in range(2):
        with closing(connect(path, write=write, steps=(*STEPS, second))) as connection:
            assert connection.execute("SELECT source, host FROM recordings").fetchall() == [("proxy", "here")]
    assert went == ["second"]


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    with Store.open(path):
        pass
    before = tables(path)

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE contents")
        connection.execute("ALTER TABLE nowhere ADD COLUMN x")

    with pytest.raises(UsageError, match="no such table: nowhere"):
        connect(path, write=True, steps=(*STEPS, broken))
    assert tables(path) == before
    with Store.open(path, write=False) as store:
        assert store.tasks() == []


@pytest.mark.parametrize("write", [True, False])
def test_a_newer_record_is_refused_with_the_version_that_wrote_it(path: Path, write: bool) -> None:
    connect(path, write=True, steps=(*STEPS, lambda connection: None)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE wrote SET version = '7.8.9'")
        connection.commit()
    with pytest.raises(UsageError, match=r"written by Tithe 7\.8\.9 \(schema 3"):
        Store.open(path, write=write)


def test_the_file_is_its_owner_s_alone_and_so_are_those_beside_it(path: Path) -> None:
    with Store.open(path) as store:
        store.begin(Anchor(monotonic=0.0, unix=0.0), source="proxy")
        files = list(path.parent.iterdir())
        assert len(files) == 3
        if sys.platform != "win32":
            assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


@pytest.mark.parametrize("write", [True, False])
def test_somebody_else_s_database_is_left_as_it_is(path: Path, write: bool) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="not one of Tithe's"):
        Store.open(path, write=write)
    assert path.read_bytes() == before


@pytest.mark.parametrize("write", [True, False])
def test_a_file_that_is_no_database_is_left_as_it_is(path: Path, write: bool) -> None:
    path.parent.mkdir()
    path.write_text("a letter to somebody, longer than a header would be " * 40)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is not a record of Tithe's"):
        Store.open(path, write=write)
    assert path.read_bytes() == before


def test_a_file_that_is_not_there_is_not_made_by_reading(path: Path) -> None:
    with pytest.raises(UsageError, match="There is no record at"):
        Store.open(path, write=False)
    assert not path.exists()


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "file" / "record.db", tmp_path):
        with pytest.raises(UsageError, match=r"cannot be written: .* --db"):
            Store.open(wrong)


def test_damage_is_told(path: Path) -> None:
    with Store.open(path) as store:
        recording = store.begin(Anchor(monotonic=0.0, unix=0.0), source="proxy")
        store.add(
            recording,
            [
                Span(
                    id=str(n),
                    trace="task-a",
                    kind="attempt",
                    name="chat",
                    start=0.0,
                    attributes={"x": "y" * 500},
                )
                for n in range(200)
            ],
        )
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xa5" * (len(whole) - 8192))
    with pytest.raises(UsageError, match="damaged"), Store.open(path, write=False) as store:
        list(store.task_records())


def test_a_span_that_is_no_span_is_damage(store, recording, span) -> None:
    store.add(recording, [span("a")])
    store._connection.execute("UPDATE spans SET body = x'c1'")
    with pytest.raises(UsageError, match="damaged"):
        store.task("task-a")


def test_opening_a_store_does_not_drop_the_locks_of_one_that_is_open(tmp_path: Path) -> None:
    # POSIX locks are the process's: a file descriptor of the same file that is closed takes them all along, and
    # whoever else closes the record then, believing to be the last, takes the log from under this process.
    path = tmp_path / "record.db"
    first = connect(path, write=True)
    first.execute("SELECT count(*) FROM spans").fetchone()
    connect(path, write=True).close()
    code = "import sys; from tithe.trace import Store; Store.open(sys.argv[1]).close()"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert path.with_name("record.db-wal").exists()
    with transaction(first):
        first.execute("DELETE FROM placed")
    first.close()
