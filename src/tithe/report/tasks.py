"""The tasks of a record as a list."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tithe.report.figures import NOT_REPORTED, counted, seconds, tokens
from tithe.report.outcome import command_end
from tithe.report.tables import calm_table
from tithe.report.task import plain
from tithe.trace import SILENT_S, TaskSummary

_SHORTEST_ID = 8
_LONGEST_NAME = 28
_INDENT = 2
_UNFINISHED = {"running": "running", "killed": "cut off"}


def print_tasks(tasks: Sequence[TaskSummary], console: Console, *, more: bool = False) -> None:
    """Print a row a task, as they are given; for 80 columns and wider. Ids are cut to what tells these tasks apart.

    `more`: there are older ones that were not asked for.
    """
    digits = _telling([task.id for task in tasks])
    sources = list(dict.fromkeys(task.source for task in tasks))
    ends = [_end(task) for task in tasks]
    heads = ["task", "started", "name", "wall", "calls", "tools", "failed", "tokens\nin", "tokens\nout"]
    spare = (["end"] if any(ends) else []) + (["source"] if len(sources) > 1 else [])
    table = calm_table(*heads, *spare)
    for left in (1, 2, *range(len(heads), len(heads) + len(spare))):
        table.columns[left].justify = "left"
    # Where the terminal is narrow, names go on below, and are cut last of all.
    table.columns[2].no_wrap = False
    table.columns[2].max_width = _LONGEST_NAME
    for task, end in zip(tasks, ends, strict=True):
        row = [
            plain(task.id[:digits]),
            _date(task.started),
            plain(task.name or task.session or ""),
            seconds(task.wall_s) + ("" if task.finished else "+"),
            f"{task.calls:,}",
            f"{task.tools:,}",
            f"{task.errors:,}",
            tokens(task.input_tokens),
            tokens(task.output_tokens),
        ]
        # As text, not as markup: a name is somebody else's.
        cells = [*row, *([end] if any(ends) else []), *([task.source] if len(sources) > 1 else [])]
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells))
    console.print(table, highlight=False)
    console.print()
    for note in _notes(tasks, sources, ends, more):
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, _INDENT)), highlight=False)


def _end(task: TaskSummary) -> str:
    """How a task ended, where there is something to say: its command's failure, or what is to be made of an end that is missing."""
    if not task.finished and task.recorder in ("running", "killed"):
        return _UNFINISHED[task.recorder]
    return command_end(task.exit_status, task.signal) or ""


def _notes(
    tasks: Sequence[TaskSummary], sources: Sequence[str], ends: Sequence[str], more: bool
) -> list[str]:
    notes = [
        f"{counted(len(tasks), 'task')}"
        + (f", all recorded by {sources[0]}" if len(sources) == 1 else "")
        + "."
    ]
    if more:
        notes.append("There are older ones: --limit 0 lists all.")
    if not all(task.finished for task in tasks):
        notes.append("+: its end was not seen.")
    if _UNFINISHED["running"] in ends:
        notes.append(f"running: its recorder was heard of within the last {SILENT_S:g} s.")
    if _UNFINISHED["killed"] in ends:
        notes.append("cut off: its recorder was killed, and what came after is not known.")
    if any(end not in ("", *_UNFINISHED.values()) for end in ends):
        notes.append("end: how the command ended that the task ran in.")
    return notes


def _telling(ids: Sequence[str]) -> int:
    """How many characters of these ids tell them apart."""
    digits = _SHORTEST_ID
    while len({one[:digits] for one in ids}) < len(ids):
        digits += 1
    return digits


def _date(unix: float) -> str:
    """The local time of today's, the day of this year's, else the whole date. An import without dates is at the epoch."""
    if not unix:
        return NOT_REPORTED
    at, now = datetime.fromtimestamp(unix, UTC).astimezone(), datetime.now(UTC).astimezone()
    if at.date() == now.date():
        return at.strftime("%H:%M")
    return at.strftime("%b %d" if at.year == now.year else "%Y-%m-%d")
