"""The tasks of a record as a list."""

from collections.abc import Mapping, Sequence
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
_FAIR_NAME = 16  # of a longer name, what a narrow terminal shows
_BETWEEN = 2
_WORDS = ("started", "name", "end", "source")
_SPARE = (
    "tokens\nout",
    "tokens\nin",
    "source",
    "tools",
)  # what it does without for that, the first to go first
_INDENT = 2
_UNFINISHED = {"running": "running", "killed": "cut off"}


def print_tasks(tasks: Sequence[TaskSummary], console: Console, *, more: bool = False) -> None:
    """Print a row a task, as they are given; for 80 columns and wider. Ids are cut to what tells these tasks apart.

    `more`: there are older ones that were not asked for.
    """
    sources = list(dict.fromkeys(task.source for task in tasks))
    ends = [_end(task) for task in tasks]
    columns = _columns(tasks, ends, sources)
    gone = _spared(columns, console.width)
    table = calm_table(*(head for head in columns if head not in gone))
    for column in table.columns:
        if column.header in _WORDS:
            column.justify = "left"
        if column.header == "name":  # the last to be cut, on a terminal that is too narrow for the rest
            column.no_wrap = False
            column.max_width = _LONGEST_NAME
    for row in zip(*(cells for head, cells in columns.items() if head not in gone), strict=True):
        # As text, not as markup: a name is somebody else's.
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
    console.print(table, highlight=False)
    console.print()
    for note in _notes(tasks, sources, ends, gone, more=more):
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, _INDENT)), highlight=False)


def _columns(
    tasks: Sequence[TaskSummary], ends: Sequence[str], sources: Sequence[str]
) -> dict[str, list[str]]:
    """The cells of each column, by its head."""
    digits = _telling([task.id for task in tasks])
    columns = {
        "task": [plain(task.id[:digits]) for task in tasks],
        "started": [_date(task.started) for task in tasks],
        "name": [plain(task.name or task.session or "") for task in tasks],
        "wall": [seconds(task.wall_s) + ("" if task.finished else "+") for task in tasks],
        "calls": [f"{task.calls:,}" for task in tasks],
        "tools": [f"{task.tools:,}" for task in tasks],
        "failed": [f"{task.errors:,}" for task in tasks],
        "tokens\nin": [tokens(task.input_tokens) for task in tasks],
        "tokens\nout": [tokens(task.output_tokens) for task in tasks],
    }
    if any(ends):
        columns["end"] = list(ends)
    if len(sources) > 1:
        columns["source"] = [task.source for task in tasks]
    return columns


def _spared(columns: Mapping[str, Sequence[str]], width: int) -> tuple[str, ...]:
    """The columns that have to go for names to be told."""
    wide = {
        head: max(Text(cell).cell_len for cell in (*head.split("\n"), *cells))
        for head, cells in columns.items()
    }
    wide["name"] = min(wide["name"], _FAIR_NAME)
    gone: list[str] = []
    for head in _SPARE:
        if sum(wide.values()) + _BETWEEN * (len(wide) - 1) <= width:
            break
        if wide.pop(head, None) is not None:
            gone.append(head)
    return tuple(gone)


def _end(task: TaskSummary) -> str:
    """How a task ended, where there is something to say: its command's failure, or what is to be made of an end that is missing."""
    if not task.finished and task.recorder in ("running", "killed"):
        return _UNFINISHED[task.recorder]
    return command_end(task.exit_status, task.signal) or ""


def _notes(
    tasks: Sequence[TaskSummary],
    sources: Sequence[str],
    ends: Sequence[str],
    gone: Sequence[str],
    *,
    more: bool,
) -> list[str]:
    notes = [
        f"{counted(len(tasks), 'task')}"
        + (f", all recorded by {sources[0]}" if len(sources) == 1 else "")
        + "."
    ]
    if more:
        notes.append("There are older ones: --limit 0 lists all.")
    if gone:
        notes.append(f"For want of width without {', '.join(head.replace(chr(10), ' ') for head in gone)}.")
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
