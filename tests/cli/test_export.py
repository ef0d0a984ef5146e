"""`tithe export`: the format that was meant, the tasks that were named, and a whole file or none."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tithe.cli.main import run
from tithe.core import Anchor, Span
from tithe.trace import Store


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = tmp_path / "record.db"
    with Store.open(path) as store:
        recording = store.begin(Anchor(monotonic=0.0, unix=1_790_000_000.0), source="proxy")
        store.add(
            recording,
            [
                Span(id=f"{trace}.{number}", trace=trace, kind="attempt", name="chat", start=at, end=at + 1)
                for at, trace in ((1.0, "aaa1"), (2.0, "bbb1"))
                for number in range(3)
            ],
        )
    return str(path)


def test_the_format_is_told_by_the_name_of_the_file(db, tmp_path, capsys):
    for name in ("all.json", "all.trace.json", "all.csv", "ALL.PARQUET"):
        assert run(["export", "--db", db, "--out", str(tmp_path / name)]) == 0
    assert len(json.loads((tmp_path / "all.json").read_bytes())["resourceSpans"]) == 2
    assert len(json.loads((tmp_path / "all.trace.json").read_bytes())["traceEvents"]) > 6
    assert (tmp_path / "all.csv").read_bytes().count(b"\r\n") == 7
    assert pq.read_table(tmp_path / "ALL.PARQUET").num_rows == 6
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == f"tithe: wrote 2 tasks to {tmp_path / 'all.json'} (otlp)."
    assert len(said.err.splitlines()) == 4


def test_tasks_that_are_named_are_written_and_no_others(db, capfdbinary):
    assert run(["export", "bbb", "--db", db, "--format", "csv"]) == 0
    rows = capfdbinary.readouterr().out.split(b"\r\n")[1:-1]
    assert {row.partition(b",")[0] for row in rows} == {b"bbb1"}
    assert run(["export", "last", "aaa1", "--db", db, "--format", "otlp"]) == 0
    assert len(json.loads(capfdbinary.readouterr().out)["resourceSpans"]) == 2


def test_the_format_that_is_named_comes_before_the_one_of_the_name(db, tmp_path):
    assert run(["export", "--db", db, "--format", "chrome", "--out", str(tmp_path / "x.json")]) == 0
    assert "traceEvents" in json.loads((tmp_path / "x.json").read_bytes())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give --format otlp, chrome, csv or parquet"),
        (["--out", "x.txt"], "x.txt does not tell the format"),
        (["nosuch", "--format", "csv"], "There is no task nosuch"),
        (["--out", "nosuch/folder/x.csv"], "cannot be written to nosuch/folder/x.csv"),
    ],
)
def test_what_cannot_be_done_says_why_and_leaves_no_file(db, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert run(["export", "--db", db, *arguments]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert [path for path in sorted(tmp_path.iterdir()) if not path.name.startswith("record.db")] == [
        path for path in before if not path.name.startswith("record.db")
    ]


def test_a_record_that_is_not_there_is_not_made(tmp_path, capsys):
    assert run(["export", "--db", str(tmp_path / "none.db"), "--format", "csv"]) == 2
    assert "There is no record at" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_there_stays_whole_when_the_export_fails(db, tmp_path, capsys):
    out = tmp_path / "x.csv"
    out.write_text("before")
    with Store.open(db) as store:
        store._connection.execute("UPDATE spans SET body = x'c1' WHERE id = 'bbb1.2'")
    assert run(["export", "--db", db, "--out", str(out)]) == 2
    assert "damaged" in capsys.readouterr().err
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir() if "csv" in path.name) == ["x.csv"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_link_and_a_pipe_are_written_through_and_not_replaced(db, tmp_path):
    link, kept, pipe = tmp_path / "link.csv", tmp_path / "kept.csv", tmp_path / "pipe.csv"
    kept.write_text("before")
    link.symlink_to(kept)
    assert run(["export", "--db", db, "--out", str(link)]) == 0
    assert link.is_symlink()
    assert kept.read_bytes().startswith(b"task,")
    os.mkfifo(pipe)
    reading = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    assert run(["export", "--db", db, "--out", str(pipe)]) == 0
    assert reading.communicate()[0] == kept.read_bytes()
    assert pipe.is_fifo()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_an_export_that_is_ended_in_its_midst_leaves_nothing(db, tmp_path):
    with Store.open(db) as store:
        store.add(
            store.begin(Anchor(monotonic=0.0, unix=0.0), source="proxy"),
            [
                Span(id=f"x{n}", trace=f"x{n}", kind="attempt", name="chat", start=0.0, end=1.0)
                for n in range(20_000)
            ],
        )
    for ended, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        out = tmp_path / "out" / "x.json"
        out.parent.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tithe", "export", "--db", db, "--out", str(out)]
        running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not list(out.parent.iterdir()):
            assert running.poll() is None
        running.send_signal(ended)
        assert running.wait() == status
        assert list(out.parent.iterdir()) == []


def test_a_reader_that_has_enough_is_no_error(db):
    command = [sys.executable, "-m", "tithe", "export", "--db", db, "--format", "otlp"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait() == 0


def test_parquet_is_not_written_to_a_terminal(db, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(["export", "--db", db, "--format", "parquet"]) == 2
    assert "--out" in capsys.readouterr().err
