"""Tools and models: what each was waited for, and what of it ran beside something else."""

from tithe.ledger import Ledger
from tithe.report.drawing import Colour, Part, Row, Stacks
from tithe.report.figures import TimeUnit, counted, number
from tithe.report.ledger_figures.costs import as_table
from tithe.report.ledger_rows import model_cells, tool_cells, unit_of
from tithe.report.ledger_words import TOGETHER, bound, of_all, visible
from tithe.report.page import Figure, Panel

TOOLS, MODELS = "tools", "models"
_MOST_ROWS = 15
_NAME = 32


def tools_figure(ledger: Ledger) -> Figure:
    """A bar for each tool."""
    unit = unit_of(row.busy_s for row in ledger.tools)
    rows = tuple(
        _row(
            row.name,
            row.wall_s,
            row.busy_s,
            f"{counted(row.runs, 'run')}{', ≤' if row.outside else ''}",
            unit,
            outside=row.outside > 0,
        )
        for row in ledger.tools[:_MOST_ROWS]
    )
    outside = sum(row.outside for row in ledger.tools)
    runs = sum(row.runs for row in ledger.tools)
    told: list[str] = []
    if outside:
        seen = f"{outside:,} of {counted(runs, 'run')} are seen from outside"
        told.append(
            f"{seen}, between an answer and the request that brings the result: upper bounds, marked ≤."
        )
    if any(row.together for row in ledger.tools):
        told.append(f"{TOGETHER[:1].upper()}{TOGETHER[1:]}; together they are no longer than that.")
    if len(ledger.tools) > _MOST_ROWS:
        told.append(f"Drawn are the {_MOST_ROWS} that take most; the table has all {len(ledger.tools):,}.")
    wall = ledger.bucket_s("tool")
    return Figure(
        anchor=TOOLS,
        title=f"{bound('tool' in ledger.outside)}{of_all(wall, ledger.wall_s)} of the wall clock is tools"
        if ledger.tools
        else "No tool was seen",
        panels=(
            Panel(
                title="Time of each tool",
                drawing=_stacks(rows, "green", unit),
                empty="Nothing to draw: no tool was seen.",
            ),
        ),
        reading="Grey ran beside something longer, so the task did not wait for it.",
        caption=tuple(told),
        formulas=(),
        tables=(as_table(tool_cells(ledger)),) if ledger.tools else (),
    )


def models_figure(ledger: Ledger) -> Figure:
    """A bar for each model."""
    unit = unit_of(row.busy_s for row in ledger.models)
    rows = tuple(
        _row(row.name, row.wall_s, row.busy_s, counted(row.calls, "call"), unit)
        for row in ledger.models[:_MOST_ROWS]
    )
    return Figure(
        anchor=MODELS,
        title=counted(sum(row.calls for row in ledger.models), "call")
        + f" of {counted(len(ledger.models), 'model')}",
        panels=(
            Panel(
                title="Time of each model's calls",
                drawing=_stacks(rows, "blue", unit),
                empty="Nothing to draw: no call was seen.",
            ),
        ),
        reading="A call's time is from its first attempt to the end of its answer, retries included.",
        caption=(),
        formulas=("decode rate = (output tokens − 1) / (last token − first token)",),
        tables=(as_table(model_cells(ledger)),) if ledger.models else (),
    )


def _row(name: str, wall_s: float, busy_s: float, end: str, unit: TimeUnit, *, outside: bool = False) -> Row:
    beside = max(0.0, busy_s - wall_s)
    return Row(
        name=visible(name, _NAME),
        values=(wall_s * unit.scale, beside * unit.scale),
        told=(
            f"{bound(outside)}{number(wall_s * unit.scale)} {unit.name} on the wall clock",
            f"{bound(outside)}{number(beside * unit.scale)} {unit.name} beside something longer",
        ),
        end=end,
    )


def _stacks(rows: tuple[Row, ...], colour: Colour, unit: TimeUnit) -> Stacks:
    parts = (
        Part(name="on the wall clock", colour=colour),
        Part(name="beside something longer", colour="grey"),
    )
    return Stacks(label=f"time ({unit.name})", parts=parts, rows=_named_apart(rows))


def _named_apart(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """A name that is cut may be another's too; a number sets them apart, since a bar's place is its name."""
    seen: dict[str, int] = {}
    apart: list[Row] = []
    for row in rows:
        seen[row.name] = seen.get(row.name, 0) + 1
        times = seen[row.name]
        apart.append(
            row
            if times == 1
            else Row(name=f"{row.name} ({times})", values=row.values, told=row.told, end=row.end)
        )
    return tuple(apart)
