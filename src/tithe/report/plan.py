"""A plan for people: for each budget the designs, how many steps fit, and at which speed; then the frontier of success against time."""

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.report.figures import NOTHING, number, seconds
from tithe.report.tables import calm_table
from tithe.whatif import BudgetPlan, Row

_INDENT = 2
_MOST = 1000


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
            steps_that_fit(row.steps_p50),
            steps_that_fit(row.steps_p95),
        ]
        if of_task:
            cells += [_time(row.task_p50_s), _time(row.task_p95_s)]
        if with_success:
            cells.append(chance(row.success))
        table.add_row(*cells, _fits(row))
        last = row.design
    return table


def _frontier(best: Sequence[Row]) -> Table:
    table = calm_table("speed", "design", "task\np50", "p95", "right")
    table.columns[1].justify = "left"
    last = None
    for row in in_order(best):
        speed = f"{row.speed:g}x" if row.speed != last else ""
        time = least(row) + _time(row.task_p50_s)
        table.add_row(speed, row.design, time, _time(row.task_p95_s), chance(row.right))
        last = row.speed
    return table


def in_order(rows: Sequence[Row]) -> list[Row]:
    """By speed, and from the fastest to the slowest."""
    return sorted(rows, key=lambda row: (row.speed, row.task_p50_s or 0.0, row.right or 0.0))


def least(row: Row) -> str:
    """What stands before a time that is the least it can be."""
    return "≥ " if row.at_least else ""


def chance(share: float | None) -> str:
    """A chance in per cent."""
    return NOTHING if share is None else f"{100 * share:.0f} %"


def steps_that_fit(steps: int) -> str:
    """A number of steps, of which more than are told may fit."""
    return f"{steps:,}" + ("+" if steps >= _MOST else "")


def _time(value: float | None) -> str:
    return NOTHING if value is None else f"{number(value)} s"


def _fits(row: Row) -> Text:
    return Text("yes", style="green") if row.fits else Text("no", style="red")
