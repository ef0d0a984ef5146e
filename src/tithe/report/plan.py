"""A plan for people: for each budget the designs, how many steps fit, and at which speed."""

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
        cells = [row.design if row.design != last else "", f"{row.speed:g}x", seconds(row.step_s)]
        cells += [_count(row.steps_p50), _count(row.steps_p95)]
        if of_task:
            cells += [_time(row.task_p50_s), _time(row.task_p95_s)]
        if with_success:
            cells.append(f"{100 * row.success:.0f} %" if row.success is not None else NOTHING)
        table.add_row(*cells, _fits(row))
        last = row.design
    return table


def _count(steps: int) -> str:
    return f"{steps:,}" + ("+" if steps >= _MOST else "")


def _time(value: float | None) -> str:
    return NOTHING if value is None else f"{number(value)} s"


def _fits(row: Row) -> Text:
    return Text("yes", style="green") if row.fits else Text("no", style="red")
