"""`tithe import`: files, folders and standard input into the record, what is said of them, and nothing twice."""

import io
import json
import sys
from pathlib import Path

import pytest

from tithe.cli.main import run
from tithe.trace import Store

MOONCAKE = b'{"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": [1, 2]}\n'
LOG = b"".join(
    json.dumps(record).encode() + b"\n"
    for record in (
        {"type": "user", "uuid": "u", "parentUuid": None, "sessionId": "s", "timestamp": "2026-03-01T10:00:00Z",
         "message": {"content": "secret"}},
        {"type": "assistant", "uuid": "a", "parentUuid": "u", "sessionId": "s", "timestamp": "2026-03-01T10:00:04Z",
         "message": {"id": "m", "model": "claude-x", "content": [{"type": "tool_use", "id": "t", "name": "Bash"}]}},
        {"type": "user", "uuid": "r", "parentUuid": "a", "sessionId": "s", "timestamp": "2026-03-01T10:00:06Z",
         "message": {"content": [{"type": "tool_result", "tool_use_id": "t"}]}},
    )
)  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "record.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "logs" / "deep"
    inside.mkdir(parents=True)
    (inside / "session.jsonl").write_bytes(LOG)
    (inside.parent / "requests.jsonl").write_bytes(MOONCAKE)
    (inside.parent / "settings.json").write_bytes(b'{"theme": "dark"}')
    (inside.parent / "notes.txt").write_bytes(b"hello")
    return inside.parent


def imported(capsys, db: Path, *arguments: str) -> dict:
    assert run(["import", "--json", "--db", str(db), *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_file_is_told_in_a_line_and_what_it_lacks(db, folder, capsys):
    path = str(folder / "deep" / "session.jsonl")
    assert run(["import", "--db", str(db), path]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{path}: claude-code, 1 task, 1 call, 1 tool run"
    assert second.startswith("  not reported: when a request was sent")


def test_what_was_imported_is_in_the_record(db, folder, capsys):
    told = imported(capsys, db, str(folder / "deep" / "session.jsonl"))
    [file] = told["files"]
    assert (file["format"], file["calls"], file["tools"]) == ("claude-code", 1, 1)
    with Store.open(db, write=False) as store:
        [task] = store.tasks()
        assert [task.id] == file["tasks"]
        assert (task.source, task.session, task.wall_s) == ("import:claude-code", "s", 6.0)
        assert task.finished
        assert task.started == 1_772_359_200.0


def test_a_folder_is_read_through_and_what_is_of_no_format_is_counted(db, folder, capsys):
    assert run(["import", "--db", str(db), str(folder)]) == 0
    said = capsys.readouterr()
    assert "session.jsonl: claude-code" in said.out
    assert "requests.jsonl: mooncake" in said.out
    assert "1 file not read, such as: settings.json is of no format" in said.out
    assert "notes.txt" not in said.out
    assert said.err == ""


def test_importing_twice_doubles_nothing(db, folder, capsys):
    once = imported(capsys, db, str(folder))
    with Store.open(db, write=False) as store:
        before = {task.id: store.task(task.id).spans for task in store.tasks()}
    again = [file | {"kept": 1} for file in once["files"]]
    assert imported(capsys, db, str(folder), str(folder / "requests.jsonl")) == once | {
        "files": [*again, once["files"][1]]
    }
    with Store.open(db, write=False) as store:
        assert {task.id: store.task(task.id).spans for task in store.tasks()} == before


def test_what_is_there_already_is_told_and_whether_it_differs(db, folder, capsys):
    path = folder / "deep" / "session.jsonl"
    line = f"{path}: claude-code, 1 task, 1 call, 1 tool run"
    told = []
    for text in (LOG, LOG, LOG.replace(b"10:00:06", b"10:00:09")):
        path.write_bytes(text)
        assert run(["import", "--db", str(db), str(path)]) == 0
        told.append(capsys.readouterr().out.splitlines()[0])
    assert told == [line, f"{line}; already there: kept 1", f"{line}; already there: replaced 1"]


def test_standard_input(db, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MOONCAKE)))
    [file] = imported(capsys, db, "-")["files"]
    assert (file["file"], file["format"]) == ("-", "mooncake")


def test_a_task_without_a_date_has_none(db, folder, capsys):
    imported(capsys, db, str(folder / "requests.jsonl"))
    with Store.open(db, write=False) as store:
        assert store.tasks()[0].started == 0.0
    run(["tasks", "--db", str(db)])
    assert "n/r" in capsys.readouterr().out


def test_one_file_that_cannot_be_read_does_not_keep_the_others_out(db, folder, capsys):
    assert run(["import", "--db", str(db), "/nowhere.json", str(folder / "requests.jsonl")]) == 0
    said = capsys.readouterr()
    assert "mooncake, 1 task" in said.out
    assert "/nowhere.json cannot be read: No such file or directory" in said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "No file is named"),
        (["/nowhere.json"], "/nowhere.json cannot be read"),
        (
            ["settings.json"],
            "settings.json is of no format that is known: its first object (line 1) has theme",
        ),
        (["notes.txt"], "notes.txt holds no JSON object"),
        (["requests.jsonl", "--format", "weka"], "requests.jsonl has no requests of a weka session"),
        (["requests.jsonl", "--format", "wekka"], "--format is 'wekka'"),
        (["--fromat", "weka"], "There is no option --fromat"),
    ],
)
def test_nothing_imported_is_status_2_with_a_reason(db, folder, capsys, arguments, says):
    given = [str(folder / one) if (folder / one).is_file() else one for one in arguments]
    assert run(["import", "--db", str(db), *given]) == 2
    assert says in capsys.readouterr().err
    assert not db.exists()


def test_a_sub_agents_file_joins_its_sessions_task_on_one_clock(db, folder, capsys):
    def record(kind, uuid, second, content, **more):
        message = {"id": f"m-{uuid}", "content": content}
        stamp = f"2026-03-01T10:00:{second:02}Z"
        return {
            "type": kind,
            "uuid": uuid,
            "parentUuid": None,
            "sessionId": "s2",
            "timestamp": stamp,
            "message": message,
            **more,
        }

    asks = [{"type": "tool_use", "id": "t", "name": "Task", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "t"}]
    side = {"isSidechain": True, "agentId": "ag"}
    files = {
        "main.jsonl": [
            record("user", "u", 0, "go"), record("assistant", "a", 1, asks),
            record("user", "r", 20, result, toolUseResult={"agentId": "ag"}),
        ],
        "agent-ag.jsonl": [record("user", "su", 2, "look", **side), record("assistant", "sa", 18, [], **side)],
    }  # fmt: skip
    for name, records in files.items():
        (folder / name).write_text("".join(json.dumps(each) + "\n" for each in records))
    told = imported(capsys, db, *(str(folder / name) for name in files))
    assert [(file["kept"], file["replaced"]) for file in told["files"]] == [(0, 0)] * 2
    with Store.open(db, write=False) as store:
        [summary] = store.tasks()
        assert (summary.calls, summary.tools, summary.wall_s) == (2, 1, 20.0)
        spans = store.task(summary.id).spans
    whole = next(span for span in spans if span.kind == "task")
    branch = next(span for span in spans if span.kind == "branch")
    tool = next(span for span in spans if span.kind == "tool")
    assert branch.parent == tool.id
    assert [round(stamp - whole.start, 6) for stamp in (branch.start, branch.end)] == [2.0, 18.0]
