"""`tithe tasks`: what is in the record, what is left of it after a deletion, and what to do when there is nothing."""

import json
from pathlib import Path

import pytest

from tithe.cli.main import run
from tithe.cli.store import record_path
from tithe.cli.tasks import instant
from tithe.core import Anchor, Span
from tithe.trace import Store


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = tmp_path / "record.db"
    with Store.open(path) as store:
        for source, trace, start in (
            ("proxy", "aaa1", 10.0),
            ("proxy", "aaa2", 20.0),
            ("import:weka", "bbb1", 5.0),
        ):
            recording = store.begin(Anchor(monotonic=0.0, unix=1_790_000_000.0), source=source)
            store.add(
                recording,
                [
                    Span(
                        id=f"{trace}.1",
                        trace=trace,
                        kind="task",
                        name=f"Task {trace}",
                        start=start,
                        end=start + 2,
                    )
                ],
            )
            store.finish(recording, at=30.0)
    return str(path)


def listed(capsys, *arguments: str) -> list[str]:
    assert run(["tasks", "--json", *arguments]) == 0
    return [task["id"] for task in json.loads(capsys.readouterr().out)["tasks"]]


def test_tasks_are_listed_newest_first_and_narrowed(db, capsys):
    assert listed(capsys, "--db", db) == ["aaa2", "aaa1", "bbb1"]
    assert listed(capsys, "--db", db, "--limit", "1") == ["aaa2"]
    assert listed(capsys, "--db", db, "--source", "import:weka") == ["bbb1"]
    assert listed(capsys, "--db", db, "task AAA") == ["aaa2", "aaa1"]
    assert listed(capsys, "--db", db, "--since", "2026-01-01") == ["aaa2", "aaa1", "bbb1"]
    assert listed(capsys, "--db", db, "--since", "2100-01-01") == []


def test_it_is_a_table_for_people(db, capsys):
    assert run(["tasks", "--db", db, "--limit", "2"]) == 0
    out = capsys.readouterr().out
    assert out.index("Task aaa2") < out.index("Task aaa1")
    assert "Task bbb1" not in out
    assert "--limit 0 lists all" in out


def test_json_has_every_field_and_null_for_what_was_not_reported(db, capsys):
    run(["tasks", "--json", "--db", db])
    [first, *_] = json.loads(capsys.readouterr().out)["tasks"]
    assert first == {
        "id": "aaa2", "name": "Task aaa2", "session": None, "source": "proxy", "recording": 2,
        "started": 1_790_000_020.0, "wall_s": 2.0, "calls": 0, "attempts": 0, "tools": 0, "errors": 0,
        "input_tokens": None, "output_tokens": None, "finished": True, "recorder": "ended",
        "exit_status": None, "signal": None,
    }  # fmt: skip


def test_deleted_tasks_are_gone_and_the_others_stay(db, capsys):
    assert run(["tasks", "--db", db, "--delete", "aaa1", "bbb"]) == 0
    assert "Deleted 2 tasks" in capsys.readouterr().out
    assert listed(capsys, "--db", db) == ["aaa2"]


def test_a_deletion_that_names_what_is_not_there_deletes_nothing(db, capsys):
    assert run(["tasks", "--db", db, "--delete", "aaa1", "ccc"]) == 2
    assert "There is no task ccc" in capsys.readouterr().err
    assert run(["tasks", "--db", db, "--delete", "aaa"]) == 2
    assert "2 tasks begin with aaa" in capsys.readouterr().err
    assert run(["tasks", "--db", db, "--delete", "aaa1", "--source", "proxy"]) == 2
    capsys.readouterr()
    assert len(listed(capsys, "--db", db)) == 3


def test_nothing_recorded_says_what_to_do_next_and_makes_no_file(tmp_path, capsys):
    path = tmp_path / "none.db"
    assert run(["tasks", "--db", str(path)]) == 0
    assert "tithe record -- " in capsys.readouterr().out
    assert listed(capsys, "--db", str(path)) == []
    assert run(["tasks", "--db", str(path), "--delete", "last"]) == 2
    assert not path.exists()


def test_nothing_that_fits_is_another_matter(db, capsys):
    assert run(["tasks", "--db", db, "nothing of it"]) == 0
    assert "tithe record" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since", "yesterday"], "--since is 'yesterday'"),
        (["--limit", "-1"], "--limit is -1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_flag(db, capsys, arguments, says):
    assert run(["tasks", "--db", db, *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ago", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("3d", 259_200), ("1w", 604_800)]
)
def test_an_instant_some_time_ago(ago, seconds):
    assert instant(ago, 1_790_000_000.0) == 1_790_000_000.0 - seconds


def test_a_date_is_local_unless_it_says_otherwise():
    assert instant("2026-05-01T12:00:00Z", 0.0) == 1_777_636_800.0
    assert instant("2026-05-01T14:00:00+02:00", 0.0) == 1_777_636_800.0


def test_the_record_is_where_the_flag_or_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("TITHE_DB", str(tmp_path / "env.db"))
    assert record_path(Path("flag.db")) == Path("flag.db")
    assert record_path(None) == tmp_path / "env.db"
    monkeypatch.delenv("TITHE_DB")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert record_path(None).name == "record.db"
