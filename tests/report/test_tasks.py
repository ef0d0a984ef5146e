"""The list of tasks: nothing cut that tells one from another, and names obeyed by no terminal."""

import io
from datetime import UTC, datetime

import msgspec
from rich.console import Console

from tithe.report import print_tasks
from tithe.trace import TaskSummary

TASK = TaskSummary(
    id="4bf92f3577b34da6a3ce929d0e0e4736",
    name="fix bug",
    session=None,
    source="proxy",
    recording=1,
    started=1_700_000_000.0,
    wall_s=12.34,
    calls=20,
    attempts=23,
    tools=18,
    errors=3,
    input_tokens=1_234_567,
    output_tokens=None,
    finished=True,
)


def shown(*tasks: TaskSummary, width: int = 80, more: bool = False) -> list[str]:
    out = io.StringIO()
    print_tasks(tasks, Console(file=out, width=width, no_color=True), more=more)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def changed(**told: object) -> TaskSummary:
    return msgspec.structs.replace(TASK, **told)


def test_a_task_is_a_row_with_what_was_not_reported_said_so():
    lines = shown(TASK)
    assert lines[1].split() == "task started name wall calls tools failed in out".split()
    assert lines[3].split() == "4bf92f35 2023-11-14 fix bug 12.3 s 20 18 3 1,234,567 n/r".split()
    assert "1 task, all recorded by proxy." in lines[-1]


def test_today_s_tasks_have_a_time_and_this_year_s_a_day():
    now = datetime.now(UTC).astimezone()
    assert now.strftime("%H:%M") in shown(changed(started=now.timestamp()))[3]
    other = now.replace(month=1 if now.month > 1 else 12, day=20, hour=12)
    assert other.strftime("%b %d") in shown(changed(started=other.timestamp()))[3]


def test_ids_are_as_long_as_it_takes_to_tell_them_apart():
    lines = shown(TASK, changed(id="4bf92f3577b3ffff"))
    assert [line.split()[0] for line in lines[3:5]] == ["4bf92f3577b34", "4bf92f3577b3f"]


def test_sources_have_a_column_when_they_differ():
    lines = shown(TASK, changed(id="b" * 16, source="import:weka"), width=100)
    assert [line.split()[-1] for line in lines[1:5:1] if line and "─" not in line] == [
        "source",
        "proxy",
        "import:weka",
    ]
    assert "2 tasks." in lines[-1]


def test_what_has_no_end_and_what_is_not_listed_is_said():
    text = "\n".join(shown(changed(finished=False, recorder="unknown"), more=True))
    assert "12.3 s+" in text
    assert "its end was not seen" in text
    assert "--limit 0" in text


def test_a_recorder_that_was_killed_and_one_that_runs_do_not_look_alike():
    lines = shown(
        changed(finished=False, recorder="running"),
        changed(id="a" * 16, finished=False, recorder="killed"),
        changed(id="b" * 16),
    )
    assert [line.endswith(end) for line, end in zip(lines[3:6], ("running", "cut off", "n/r"), strict=True)]
    text = "\n".join(lines)
    assert "its recorder was heard of within the last 3 s" in text
    assert "its recorder was killed" in text
    assert max(map(len, lines)) <= 80


def test_a_command_that_ended_badly_is_told_beside_its_tasks():
    lines = shown(
        changed(exit_status=3),
        changed(id="a" * 16, exit_status=139, signal=11),
        changed(id="b" * 16, exit_status=0),
        width=100,
    )
    assert lines[3].endswith("exit 3")
    assert lines[4].endswith("SIGSEGV")
    assert lines[5].endswith("n/r")
    assert "end: how the command ended" in "\n".join(lines)


def test_a_name_is_told_before_tokens_on_a_narrow_terminal():
    lines = shown(changed(name="resolve_ticket.py", exit_status=3))
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if "resolve_ticket.py" in line)
    assert row.endswith("exit 3")
    assert "For want of width without tokens out, tokens in." in "\n".join(lines)
    assert "For want of width" not in "\n".join(shown(changed(name="resolve_ticket.py"), width=120))


def test_a_long_name_is_cut_and_a_wicked_one_is_text():
    wicked = changed(name="[red]x[/] \x1b[2J\nnext " + "long " * 30)
    lines = shown(wicked, width=100)
    assert len(lines) == len(shown(TASK))
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in "".join(lines)
    assert "[red]x" in "".join(lines)
    assert "1,234,567" in "".join(lines)
