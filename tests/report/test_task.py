"""The task's block shows a goal, the calls that were made of it, and how it ended."""

import io

import msgspec
import pytest
from rich.console import Console

from tithe.audit import QUICK, costs
from tithe.core import Message, ToolCall
from tithe.report.task import task_block


def shown(task, width=80):
    out = io.StringIO()
    console = Console(file=out, width=width, no_color=True)
    for part in task_block(task, width).parts:
        console.print(part)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_solved_task_is_read_from_goal_to_answer(report):
    task = report().measured.task
    lines, run = shown(task), task.shown
    assert run.outcome == "solved"
    assert lines[0].startswith(f"{run.family}: {run.goal}"[:70])
    calls = [call for message in run.messages for call in message.tool_calls]
    listed = [line for line in lines if " -> " in line and not line.startswith("call ->")]
    assert [line.split(" ")[0] for line in listed] == [call.name for call in calls]
    for line, step in zip(listed, run.steps, strict=True):
        assert line.split()[-3] == f"{1000 * step.attempts[-1].ttft:.1f}"
    assert "Solved: the final state and the answer are right." in lines
    assert any(line.startswith("wall clock") for line in lines)
    assert "Solved: lookup 1 of 1, repair 1 of 1, records 1 of 1; 100 [44 100] % of all." in lines
    assert any("all called a tool" in line and "all fit" in line for line in lines)


def test_an_unsolved_task_is_cut_in_the_middle_and_says_why(report):
    task = report(solves=()).measured.task
    lines = shown(task)
    assert len(task.shown.steps) == 16
    assert "... 4 more ..." in lines
    assert len([line for line in lines if " -> dooream" in line or "list_files" in line]) <= 12
    assert "Not solved: its steps were used up." in lines
    assert "a solved task" not in " ".join(lines)


def test_failed_runs_and_a_refused_temperature_are_told(report):
    before = sum(cost.calls for cost in costs(QUICK)[:-1])
    task = report(fails_after=before + len(QUICK.task_families)).measured.task
    assert shown(task) == ["In no figure: 3 runs in which a call failed for good."]
    refused = msgspec.structs.replace(task, temperature=None)
    assert shown(refused)[0] == "The endpoint refuses the plan's temperature; its own was used."


@pytest.mark.parametrize("width", [60, 76, 200])
def test_what_a_model_wrote_stays_on_its_line_and_gives_no_orders_to_the_terminal(report, width):
    task = report().measured.task
    run = task.shown
    calls = (
        ToolCall(id="a", name="read_file", arguments='{"path": "\x1b[2J\n' + "名" * 90 + '"}'),
        ToolCall(id="b", name="calc", arguments='{"expression": "[red]1[/red]"}'),
    )
    said = (
        Message(role="assistant", tool_calls=calls),
        Message(role="tool", content="\x1b[31mred\nmore", tool_call_id="a"),
        Message(role="tool", content="1", tool_call_id="b"),
        Message(role="assistant", content="Let me\nthink. " * 20),
        Message(role="user", content="No tool was called. Call one tool."),
    )
    wrong = msgspec.structs.replace(
        run,
        steps=run.steps[:2],
        messages=(*run.messages[:2], *said),
        outcome="unsolved",
        answer="\x07" + "9" * 90,
    )
    others = tuple(one for one in task.runs if one.repeat != run.repeat)
    lines = shown(msgspec.structs.replace(task, runs=(wrong, *others)), width)
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "…" not in text
    assert "no call: Let me think. Let me" in text
    assert "No tool was called" not in text
    assert "Not solved: '9999" in text
    assert "[red]1" in text
    assert ("(+1)" in text) == (width > 60)
    assert max(len(line) for line in lines) <= width
