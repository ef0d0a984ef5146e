"""A plan for people: for each budget the designs, how many steps fit, and at which speed; then the frontier of success against time."""

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.report.figures import NOTHING, number, seconds
from tithe.report.tables import calm_table
from tithe.whatif import MOST_STEPS, BudgetPlan, Row

_INDENT = 2


def print_plan(budgets: Sequence[BudgetPlan], notes: Sequence[str], console: Console) -> None:
    """Print what fits into each budget; for 80 columns and wider."""
    for budget in budgets:
        name = f"{budget.name}: " if budget.name else ""
        console.print(Text(f"{name}{seconds(budget.budget_s)}", style="bold"), highlight=False)
        console.print(Padding(_table(budget), (0, 0, 0, _INDENT)), highlight=False)
        console.print()
    best = [row for row in budgets[0].rows if row.best] if budgets else []
    if best:
        console.print(Text("Success against time: the best designs, whatever the budget", style="bold"))
        console.print(Padding(_frontier(best), (0, 0, 0, _INDENT)), highlight=False)
        console.print()
    for note in notes:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, _INDENT)), highlight=False)


def _table(budget: BudgetPlan) -> Table:
    of_task = any(row.task_p50_s is not None for row in budget.rows)
    with_success = any(row.success is not None for row in budget.rows)
    heads = ["design", "speed", "step", "steps\np50", "p95"]
    heads += ["task\np50", "p95"] if of_task else []
    heads += ["success"] if with_success else []
    table = calm_table(*heads, "fits")
    last = None
    for row in budget.rows:
        cells = [row.design if row.design != last else "", f"{row.speed:g}x"]
        cells += [
            least(row) + seconds(row.step_s),
            most(row) + steps_that_fit(row.steps_p50),
            most(row) + steps_that_fit(row.steps_p95),
        ]
        if of_task:
            cells += [time_of(row, row.task_p50_s), time_of(row, row.task_p95_s)]
        if with_success:
            cells.append(most(row) + chance(row.success))
        table.add_row(*cells, _fits(row))
        last = row.design
    return table


def _frontier(best: Sequence[Row]) -> Table:
    table = calm_table("speed", "design", "task\np50", "p95", "right")
    table.columns[1].justify = "left"
    last = None
    for row in in_order(best):
        speed = f"{row.speed:g}x" if row.speed != last else ""
        times = (time_of(row, row.task_p50_s), time_of(row, row.task_p95_s))
        table.add_row(speed, row.design, *times, chance(row.right))
        last = row.speed
    return table


def in_order(rows: Sequence[Row]) -> list[Row]:
    """By speed, and from the fastest to the slowest."""
    return sorted(rows, key=lambda row: (row.speed, row.task_p50_s or 0.0, row.right or 0.0))


def least(row: Row) -> str:
    """What stands before a time that is the least it can be."""
    return "≥" if row.at_least else ""


def most(row: Row) -> str:
    """What stands before what is the most it can be, where times are the least."""
    return "≤" if row.at_least else ""


def chance(share: float | None) -> str:
    """A chance in per cent."""
    return NOTHING if share is None else f"{100 * share:.0f} %"


def steps_that_fit(steps: int) -> str:
    """A number of steps, of which more than are told may fit."""
    return f"{steps:,}" + ("+" if uncounted(steps) else "")


def uncounted(steps: int) -> bool:
    """Whether more steps than those may fit: a run is not followed farther."""
    return steps >= MOST_STEPS


def time_of(row: Row, value: float | None) -> str:
    """A time of a row's, or a dash where there is none."""
    return NOTHING if value is None else f"{least(row)}{number(value)} s"


def fitting(row: Row) -> str:
    """Whether a design fits, in a word or two."""
    return "not known" if row.fits is None else "yes" if row.fits else "no"


def _fits(row: Row) -> Text:
    return Text(
        "?" if row.fits is None else fitting(row),
        style="" if row.fits is None else "green" if row.fits else "red",
    )
