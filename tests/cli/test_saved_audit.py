"""`tithe audit --from`: what was saved, shown again and made a page, without a call."""

from pathlib import Path

import msgspec
import pytest

from tithe.audit import AuditPlan, AuditReport, written_schema
from tithe.cli.main import run

from .audits import audited

PLAN = AuditPlan(
    lengths=(64,), repeats=3, concurrency=(1, 2), agent_steps=1, rounds=1, task_repeats=1, task_steps=2
)


@pytest.fixture(scope="module")
def report() -> AuditReport:
    return audited(PLAN)


@pytest.fixture
def saved(report, tmp_path: Path) -> Path:
    file = tmp_path / "report.json"
    file.write_bytes(msgspec.json.encode(report))
    return file


def test_it_is_printed_and_made_a_page_and_a_table(saved: Path, tmp_path: Path, capsys):
    page, calls = tmp_path / "page.html", tmp_path / "calls.csv"
    before = saved.read_bytes()
    assert run(["audit", "--from", str(saved), "--html", str(page), "--csv", str(calls)]) == 0
    captured = capsys.readouterr()
    assert "Cached against uncached TTFT" in captured.out
    assert captured.err == ""
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert calls.read_bytes().count(b"\r\n") == 1 + msgspec.json.decode(before)["calls"]
    assert saved.read_bytes() == before


def test_as_json_it_is_what_was_saved(saved: Path, capsys):
    assert run(["audit", "--from", str(saved), "--json"]) == 0
    assert capsys.readouterr().out.encode() == saved.read_bytes() + b"\n"


def test_a_saved_audit_that_gave_up_is_shown_and_no_failure_now(report, tmp_path: Path, capsys):
    file = tmp_path / "report.json"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(report, gave_up="25 calls failed.")))
    assert run(["audit", "--from", str(file)]) == 0
    assert "The audit gave up: 25 calls failed." in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [["http://127.0.0.1:1/v1"], ["--model", "m"], ["--save", "x.json"], ["--quick"], ["--repeats", "3"]],
)
def test_what_would_be_measured_can_not_be_said_beside_it(saved: Path, more: list[str], capsys):
    assert run(["audit", "--from", str(saved), *more]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tithe: --from shows a report that is there and measures nothing")


@pytest.mark.parametrize("flag", ["--html", "--csv", "--save"])
def test_no_file_is_written_over_another(saved: Path, flag: str, capsys):
    before = saved.read_bytes()
    other = ["--from", str(saved)] if flag != "--save" else ["http://127.0.0.1:1/v1", "--html", str(saved)]
    assert run(["audit", *other, flag, str(saved.parent / "." / saved.name)]) == 2
    assert "name the same file" in capsys.readouterr().err
    assert saved.read_bytes() == before


def test_a_page_and_a_table_are_two_files(saved: Path, tmp_path: Path, capsys):
    both = str(tmp_path / "both")
    assert run(["audit", "--from", str(saved), "--html", both, "--csv", both]) == 2
    assert "--html and --csv name the same file" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()


def test_a_table_that_can_not_be_written_is_told(saved: Path, tmp_path: Path, capsys):
    assert run(["audit", "--from", str(saved), "--csv", str(tmp_path / "gone" / "calls.csv")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Name another file with --csv" in captured.err


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, name: str, capsys):
    assert run(["audit", "--from", str(tmp_path / name)]) == 2
    assert "cannot be read: " in capsys.readouterr().err


def test_a_report_whose_parts_do_not_fit_is_refused_without_a_traceback(report, tmp_path: Path, capsys):
    run_of_one_step = msgspec.structs.replace(report.measured.task.runs[0], messages=())
    task = msgspec.structs.replace(report.measured.task, runs=(run_of_one_step,))
    measured = msgspec.structs.replace(report.measured, task=task)
    file = tmp_path / "report.json"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(report, measured=measured)))
    assert run(["audit", "--from", str(file), "--html", str(tmp_path / "page.html")]) == 2
    assert "its parts do not fit each other" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_the_schema_of_a_report_is_printed(capsys):
    assert run(["audit", "--schema"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (written_schema(), "")


@pytest.mark.parametrize(
    "more", [["--json"], ["--self-test"], ["--csv", "x.csv"], ["http://127.0.0.1:1/v1"], ["--quick"]]
)
def test_the_schema_goes_alone(more: list[str], capsys):
    assert run(["audit", "--schema", *more]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "tithe: --schema measures no endpoint: give it nothing else.\n"
