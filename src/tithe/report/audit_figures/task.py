"""The task: where the wall clock of one run went, how all runs ended, and what the agent did in the one shown."""

from tithe.audit import Account, Prediction, Task, TaskFigures, TaskOutcome, TaskRun, account
from tithe.report.audit_figures.words import counted, figure
from tithe.report.drawing import Part, Row, Stacks
from tithe.report.failures import said, unanswered
from tithe.report.figures import TimeUnit, interval, number, percent, seconds, share
from tithe.report.figures import counted as plural
from tithe.report.page import Figure, Panel, Table
from tithe.report.task import exchanges, plain, predicted, step_times

ANCHOR = "task"
PARTS = (
    Part(name="TTFT", colour="orange"),
    Part(name="decode", colour="blue"),
    Part(name="tools", colour="green"),
    Part(name="retries", colour="purple"),
    Part(name="overhead", colour="grey"),
)
_ENDS: dict[TaskOutcome, str] = {"solved": "✓ solved", "unsolved": "✗ not solved", "failed": "– calls failed"}
_MOST_WORDS = 400


def task_figure(task: Task, prediction: Prediction | None, *, withheld: bool, shaky: bool) -> Figure:
    """`withheld`: the client cannot vouch for the figures, so the title claims nothing; `shaky`: nor for what the
    prediction stands on."""
    figures, shown = task.figures, task.shown
    seen = [seen for run in task.runs for step in run.steps for seen in step.attempts]
    why = unanswered(seen)
    none = "Nothing to draw: no run came to its end." if any(one.answered for one in seen) else why
    tables = (_parts_table(figures), _runs_table(task)) if task.runs else ()
    return Figure(
        anchor=ANCHOR,
        title=_title(figures, withheld=withheld),
        panels=(
            Panel(title=_shown_title(shown), drawing=_shown(shown, figures), empty=none),
            Panel(title="Every run, on one scale", drawing=_runs(task), empty=why),
        ),
        reading=_goal(shown),
        caption=(*_sums(figures), *predicted(prediction, withheld=shaky), *_refused(task)),
        formulas=(
            "wall clock = TTFT + decode + tools + retries + overhead, every instant in exactly one",
            "retries = failed attempts whole; overhead = what lies between",
            "predicted = sum over steps of TTFT and decode by the prices measured above, and the tools as they ran",
        ),
        tables=(*tables, *((_steps_table(shown),) if shown is not None else ())),
    )


def _title(figures: TaskFigures, *, withheld: bool) -> str:
    split = figures.account
    if withheld or split is None or figures.solved is None or split.wall_s <= 0:
        return "An agent at work on real tasks"
    most, value = max(zip(PARTS, _values(split), strict=True), key=lambda one: one[1])
    ended = f"{figures.solved.successes} of {figures.solved.n} tasks solved"
    return f"{ended}; {percent(value, split.wall_s)} of the run shown is {most.name}"


def _values(split: Account) -> tuple[float, ...]:
    """The parts in their order; they sum to the wall clock."""
    return (split.ttft_s, split.decode_s, split.tool_s, split.retry_s, split.overhead_s)


def _shown_title(shown: TaskRun | None) -> str:
    if shown is None:
        return "One run"
    return f"Run {shown.repeat + 1}, {shown.family}: {_ENDS[shown.outcome]}"


def _row(run: TaskRun, unit: TimeUnit, name: str, end: str) -> Row:
    split = account(run)
    return Row(
        name=name,
        values=tuple(value * unit.scale for value in _values(split)),
        told=tuple(
            f"{part.name}: {number(value * unit.scale)} {unit.name}, {percent(value, split.wall_s)}"
            for part, value in zip(PARTS, _values(split), strict=True)
        ),
        end=end,
    )


def _shown(shown: TaskRun | None, figures: TaskFigures) -> Stacks:
    if shown is None:
        return Stacks(label="wall clock (s)", parts=PARTS, rows=())
    unit = TimeUnit(name="s", scale=1.0) if shown.wall_s >= 1 else TimeUnit(name="ms", scale=1e3)
    row = _row(shown, unit, "", f"{figures.steps} steps")
    return Stacks(label=f"wall clock ({unit.name})", parts=PARTS, rows=(row,))


def _runs(task: Task) -> Stacks:
    longest = max((run.wall_s for run in task.runs), default=0.0)
    unit = TimeUnit(name="s", scale=1.0) if longest >= 1 else TimeUnit(name="ms", scale=1e3)
    rows = tuple(_row(run, unit, f"{run.repeat + 1} {run.family}", _ENDS[run.outcome]) for run in task.runs)
    return Stacks(label=f"wall clock ({unit.name})", parts=PARTS, rows=rows)


def _goal(shown: TaskRun | None) -> str:
    if shown is None:
        return "No run came to its end; what is drawn was spent on calls that failed."
    return f"Goal of the run shown: {_clipped(shown.goal)}"


def _sums(figures: TaskFigures) -> list[str]:
    """How all runs ended, and how long a step is."""
    told: list[str] = []
    if figures.solved is not None:
        families = ", ".join(
            f"{one.family} {one.solved.successes} of {one.solved.n}"
            for one in figures.families
            if one.solved is not None
        )
        found = figures.solved
        told.append(f"Solved: {families}; in all {found.successes} of {found.n}, {share(found)} %.")
    if figures.step_s is not None:
        unit = TimeUnit.of([figures.step_s])
        told.append(
            f"A step takes {interval(figures.step_s, unit.scale)} {unit.name} with its tools, median."
        )
    if figures.answers:
        told.append(
            f"Of {plural(figures.answers, 'answer')}, {figures.idle} called no tool and {figures.cut} ran into the most "
            f"tokens. In all {plural(figures.calls, 'call')}, of which {figures.faults} did not fit their tool."
        )
    if figures.failed:
        told.append(f"In no figure: {plural(figures.failed, 'run')} in which a call failed for good.")
    return told


def _refused(task: Task) -> list[str]:
    told = (
        ["The endpoint refuses the plan's temperature; its own was used."] if task.temperature is None else []
    )
    return [*told, *([f"No task was begun, the endpoint {said(task.refused)}"] if task.refused else [])]


def _parts_table(figures: TaskFigures) -> Table:
    """The run shown, in parts."""
    split = figures.account
    rows: tuple[tuple[str, ...], ...] = ()
    if split is not None:
        rows = tuple(
            (part.name, seconds(value), percent(value, split.wall_s))
            for part, value in zip(PARTS, _values(split), strict=True)
        )
        rows += (
            ("wall clock", seconds(split.wall_s), "100 %"),
            ("output tokens", counted(figures.output_tokens), ""),
            ("prompt tokens", counted(figures.prompt_tokens), ""),
            ("of them cached", counted(figures.cached_tokens), ""),
        )
    else:
        rows = (("no run came to its end", "", ""),)
    return Table(title="The run shown, in parts", heads=("part", "time", "share"), rows=rows)


def _runs_table(task: Task) -> Table:
    unit = TimeUnit(name="s", scale=1.0)
    return Table(
        title="Every run",
        heads=(
            "run",
            "ended",
            "steps",
            f"wall clock ({unit.name})",
            *(f"{part.name} (s)" for part in PARTS),
        ),
        rows=tuple(
            (
                f"{run.repeat + 1} {run.family}",
                _ENDS[run.outcome],
                str(len(run.steps)),
                figure(run.wall_s),
                *(figure(value) for value in _values(account(run))),
            )
            for run in task.runs
        ),
    )


def _steps_table(run: TaskRun) -> Table:
    """What the agent asked for and what came of it; the calls of one answer share its times."""
    rows: list[tuple[str, ...]] = []
    for number_of, (step, lines) in enumerate(zip(run.steps, exchanges(run), strict=True), start=1):
        spent = [seconds(time) if time is not None else "" for time in step_times(step)]
        for place, (asked, came) in enumerate(lines):
            shown = spent if place == 0 else ["", "", ""]
            rows.append((str(number_of), _clipped(asked), _clipped(came), *shown))
    return Table(
        title="The run shown, step by step",
        heads=("step", "call", "result", "TTFT", "total", "tools"),
        rows=tuple(rows),
    )


def _clipped(text: str) -> str:
    text = plain(text)
    return text if len(text) <= _MOST_WORDS else text[: _MOST_WORDS - 3] + "..."
