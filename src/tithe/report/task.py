"""The task as it is shown: a real run step by step, where its wall clock went, and how all runs ended."""

from collections.abc import Iterator

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tithe.audit import Account, Estimate, FamilyFigures, Prediction, Task, TaskFigures, TaskRun, TaskStep
from tithe.core import Message
from tithe.report.failures import said
from tithe.report.figures import NOTHING, TimeUnit, counted, interval, number, percent, seconds, share, tokens
from tithe.report.tables import calm_table

_BAR_WIDTH = 30
# The three columns of times with the space before each; what a step's words may take.
_TIMES_WIDTH = 3 * 7
_LEAST_WORDS, _MOST_WORDS = 16, 120
# Of a run with more calls than all of these lines, the first and the last are shown.
_FIRST_LINES, _LAST_LINES = 8, 4
# Of those, what a call may take from its result.
_CALL_SHARE = 0.65


class TaskBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The title, and what stands below it from top to bottom."""

    title: str
    parts: tuple[RenderableType, ...]


def task_block(task: Task, width: int) -> TaskBlock:
    """Everything about the task, to be printed `width` columns wide."""
    figures, shown = task.figures, task.shown
    parts: list[RenderableType] = []
    if shown is not None and figures.account is not None:
        parts += [Text(f"{shown.family}: {shown.goal}"), _steps(shown, width), _ending(shown), Text()]
        parts += [_split(figures.account)]
    parts += [Text(note, style="dim") for note in _notes(task)]
    return TaskBlock(title="The task: one run, and how all of them ended", parts=tuple(parts))


def predicted(prediction: Prediction | None, *, withheld: bool) -> list[str]:
    """How well the measurements above the task tell what it takes; `withheld`: one that it stands on is."""
    if withheld:
        return ["Not predicted: a verdict on what it stands on is withheld."]
    if prediction is None:
        return ["Not predicted: the measurements above, or the task's own token counts, tell too little."]
    runs, error = prediction.runs, prediction.error
    told, took = (sum(each) for each in zip(*((run.predicted_s, run.wall_s) for run in runs), strict=True))
    line = f"Predicted from the measurements above: {seconds(told)} for {counted(len(runs), 'run')} that took {seconds(took)}"
    return [line + (f"; error a run {interval(error, 100)} %." if error is not None else ".")]


def _steps(run: TaskRun, width: int) -> Table:
    """A line for each call of the run: what was asked, what came of it, and how long that took."""
    unit = TimeUnit.of(_exactly(time) for step in run.steps for time in step_times(step))
    room = max(_LEAST_WORDS, min(_MOST_WORDS, width - _TIMES_WIDTH))
    head = _clipped("call -> first line of its result (+ further lines)", room)
    table = calm_table(head, *(f"{name}\n({unit.name})" for name in ("TTFT", "total", "tool")))
    table.columns[0].width = room
    rows: list[tuple[Text, *tuple[str, ...]]] = []
    for step, lines in zip(run.steps, exchanges(run), strict=True):
        times = [number(time * unit.scale) if time is not None else NOTHING for time in step_times(step)]
        # The calls of one answer share its times.
        for place, (asked, came) in enumerate(lines):
            rows.append((Text(_line(asked, came, room)), *(times if place == 0 else ())))
    between = len(rows) - _FIRST_LINES - _LAST_LINES
    if between > 1:
        rows[_FIRST_LINES:-_LAST_LINES] = [(Text(f"... {between} more ..."),)]
    for row in rows:
        table.add_row(*row)
    return table


def step_times(step: TaskStep) -> tuple[float | None, float | None, float | None]:
    """TTFT and total of the answer, and how long its tools ran, in seconds."""
    seen = step.attempts[-1]
    if step.tool_start is None or step.tool_end is None:
        return seen.ttft, seen.total, None
    return seen.ttft, seen.total, step.tool_end - step.tool_start


def _exactly(value: float | None) -> Estimate | None:
    return Estimate(value=value, low=None, high=None, n=1) if value is not None else None


def exchanges(run: TaskRun) -> Iterator[list[tuple[str, str]]]:
    """For each answer of the conversation, its calls and their results; one without a call has itself alone."""
    answers: list[tuple[Message, list[str]]] = []
    for message in run.messages[2:]:
        if message.role == "assistant":
            answers.append((message, []))
        else:
            answers[-1][1].append(message.content or "")
    for answer, results in answers:
        calls = [f"{call.name} {call.arguments}" for call in answer.tool_calls]
        yield list(zip(calls, results, strict=True)) if calls else [(f"no call: {answer.content}", "")]


def _line(asked: str, came: str, room: int) -> str:
    """`call -> first line of its result`, in at most `room` cells; a short one leaves its room to the other."""
    asked, (first, *more) = plain(asked), came.split("\n")
    if not came:
        return _clipped(asked, room)
    result = plain(first) + (f" (+{len(more)})" if more else "")
    arrow = " -> "
    for_call = max(int(_CALL_SHARE * room), room - len(arrow) - cell_len(result))
    asked = _clipped(asked, for_call)
    return asked + arrow + _clipped(result, room - len(arrow) - cell_len(asked))


def plain(text: str) -> str:
    """A model's text on one line, without what a terminal would obey."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _clipped(text: str, cells: int) -> str:
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(0, cells - 3)) + "..."[:cells]


def _ending(run: TaskRun) -> Text:
    if run.outcome == "solved":
        return Text("Solved: the final state and the answer are right.", style="green")
    if run.answer is None:
        return Text("Not solved: its steps were used up.", style="red")
    return Text(
        f"Not solved: {_clipped(plain(run.answer), 40)!r} or what it left behind is wrong.", style="red"
    )


def _split(split: Account) -> Table:
    """The run's wall clock, in parts that sum to it."""
    unit = TimeUnit.of([_exactly(split.wall_s)])
    table = calm_table("part", f"({unit.name})", "share", "")
    table.columns[3].justify = "left"
    parts = {
        "TTFT": (split.ttft_s, "cyan"),
        "decode": (split.decode_s, "blue"),
        "tools": (split.tool_s, "green"),
        "retries": (split.retry_s, "red"),
        "overhead": (split.overhead_s, "yellow"),
    }
    for name, (value, colour) in parts.items():
        filled = round(_BAR_WIDTH * value / split.wall_s) if split.wall_s else 0
        table.add_row(
            name, number(value * unit.scale), percent(value, split.wall_s), Text("█" * filled, style=colour)
        )
    table.add_section()
    table.add_row("wall clock", number(split.wall_s * unit.scale), "100 %", "")
    return table


def _notes(task: Task) -> Iterator[str]:
    figures = task.figures
    if figures.solved is not None:
        yield _which(figures)
        by_family = ", ".join(_family(one) for one in figures.families if one.solved is not None)
        yield f"Solved: {by_family}; {share(figures.solved)} % of all."
        yield _how_long(figures)
        yield _how_well(figures)
    if task.temperature is None:
        yield "The endpoint refuses the plan's temperature; its own was used."
    if figures.failed:
        yield f"In no figure: {counted(figures.failed, 'run')} in which a call failed for good."
    if task.refused is not None:
        yield f"No task was begun, the endpoint {said(task.refused)}"


def _which(figures: TaskFigures) -> str:
    """What the run shown is, and its tokens."""
    solved = figures.solved.successes if figures.solved is not None else 0
    kind, runs = ("solved", solved) if solved else ("unsolved", figures.solved.n if figures.solved else 0)
    which = f"the median of {runs} {kind} ones by wall clock" if runs > 1 else f"the only {kind} one"
    cached = f", {tokens(figures.cached_tokens)} of them cached" if figures.cached_tokens is not None else ""
    return (
        f"The run shown is {which}: {counted(figures.steps, 'step')}, {tokens(figures.output_tokens)} "
        f"tokens out, {tokens(figures.prompt_tokens)} in{cached}."
    )


def _family(figures: FamilyFigures) -> str:
    assert figures.solved is not None
    return f"{figures.family} {figures.solved.successes} of {figures.solved.n}"


def _how_long(figures: TaskFigures) -> str:
    told: list[str] = []
    if figures.step_s is not None:
        unit = TimeUnit.of([figures.step_s])
        told.append(f"A step takes {unit.write(figures.step_s)} {unit.name} with its tools")
    if figures.solved_wall_s is not None:
        unit = TimeUnit.of([figures.solved_wall_s])
        told.append(
            f"a solved task {unit.write(figures.solved_wall_s)} {unit.name} and "
            f"{interval(figures.solved_steps)} steps"
        )
    return ", ".join(told) + ", p50."


def _how_well(figures: TaskFigures) -> str:
    """Of all answers and calls, those that did not help."""
    fit = f"{figures.faults} did not fit their tool" if figures.faults else "all fit"
    calls = f"; of {counted(figures.calls, 'call')}, {fit}" if figures.calls else ""
    idle = f"{figures.idle} called no tool" if figures.idle else "all called a tool"
    cut = f", {figures.cut} were cut at the most tokens (--task-out)" if figures.cut else ""
    return f"Of {counted(figures.answers, 'answer')}, {idle}{cut}{calls}."
