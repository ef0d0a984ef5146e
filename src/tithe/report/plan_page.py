"""A plan as a page: what fits into each budget, and the frontier of success against time at each speed."""

from collections.abc import Callable, Sequence

import tithe
from tithe.report.drawing import (
    Axis,
    Colour,
    Interval,
    Place,
    Rule,
    Samples,
    Series,
    Symbol,
    logarithmic,
)
from tithe.report.figures import NOTHING, counted, seconds
from tithe.report.headline import Headline
from tithe.report.page import Fact, Figure, Page, Panel, Table, render
from tithe.report.plan import chance, fitting, in_order, least, most, steps_that_fit, uncounted
from tithe.whatif import MOST_STEPS, BudgetPlan, Row

_LOOKS: tuple[tuple[Colour, Symbol, Symbol], ...] = (
    ("blue", "circle", "times"),
    ("orange", "square", "plus"),
    ("green", "triangle", "asterisk"),
)
_FRONTIER = "frontier"
_BEST = {True: "yes", False: "no", None: "not known"}
_MISSING = (
    "For the frontier of success against time give the task's steps (--steps) and the chance that one is right (--success), "
    "or an audit whose tasks were judged (--evaluation)."
)


def plan_page(budgets: Sequence[BudgetPlan], notes: Sequence[str], *, endpoint: str, agent: str) -> str:
    """The plan as one HTML file that needs nothing else. `endpoint` and `agent` are what was planned with, in words."""
    return render(as_plan_page(budgets, notes, endpoint=endpoint, agent=agent))


def as_plan_page(budgets: Sequence[BudgetPlan], notes: Sequence[str], *, endpoint: str, agent: str) -> Page:
    """What the page says and draws."""
    rows = budgets[0].rows if budgets else ()
    return Page(
        kind="tithe plan",
        title="Designs of an agent that fit into a budget of time",
        facts=(
            Fact(name="Endpoint", value=endpoint),
            Fact(name="Agent", value=agent),
            Fact(name="Budgets", value=", ".join(seconds(one.budget_s) for one in budgets)),
        ),
        alerts=(),
        headlines=tuple(_headline(one) for one in budgets),
        anchors={_about(one): _anchor(one) for one in budgets},
        figures=(
            _success(rows, budgets) if any(row.best is not None for row in rows) else _time(rows),
            *(_budget(one) for one in budgets),
        ),
        notes=(*notes, f"Made by Tithe {tithe.__version__}. This file reaches for nothing on any network."),
    )


def _about(budget: BudgetPlan) -> str:
    return f"{budget.name}, {seconds(budget.budget_s)}" if budget.name else seconds(budget.budget_s)


def _anchor(budget: BudgetPlan) -> str:
    """One for each budget: two may be as long and differ by name."""
    name = "".join(one for one in budget.name if one.isalpha())
    return f"budget-{name}{budget.budget_s:g}".replace(".", "-")


def _headline(budget: BudgetPlan) -> Headline:
    speeds = _speeds(budget.rows)
    rows = {speed: [row for row in budget.rows if row.speed == speed] for speed in speeds}
    found = next((speed for speed in speeds if any(row.fits for row in rows[speed])), None)
    return Headline(
        about=_about(budget),
        outcome="nothing fits" if found is None else f"fits at {found:g}x",
        sentence=" ".join(f"At {speed:g}x: {_named(here)}." for speed, here in rows.items()),
        good=None if found is not None and found != speeds[0] else found is not None,
    )


def _named(rows: Sequence[Row]) -> str:
    names = [row.design for row in rows if row.fits]
    open_ = [row.design for row in rows if row.fits is None]
    told = "all designs" if len(names) == len(rows) else ", ".join(names) or "none"
    return f"{told}; not known of {', '.join(open_)}" if open_ else told


def _speeds(rows: Sequence[Row]) -> list[float]:
    return sorted({row.speed for row in rows})


def _success(rows: Sequence[Row], budgets: Sequence[BudgetPlan]) -> Figure:
    times = [row.task_p50_s for row in rows if row.task_p50_s]
    axis = logarithmic("time of a task, p50 (s, logarithmic)", times)
    return Figure(
        anchor=_FRONTIER,
        title=_frontier_title(rows),
        panels=(
            Panel(
                title="Success against time",
                drawing=Samples(
                    along="x",
                    position=axis,
                    value=Axis(label="tasks that are right (%)", low=0.0, high=100.0),
                    series=tuple(_frontier_series(rows)),
                    rules=tuple(
                        _rule(one)
                        for one in dict.fromkeys(budget.budget_s for budget in budgets)
                        if _within(one, axis)
                    ),
                ),
                empty="Nothing to draw: no task takes time.",
            ),
        ),
        reading="A mark is a design at one speed: the farther to the left the sooner, the higher the more often right. Joined are those "
        "that no other design at their speed is as good as in less time; crosses are the others. Dotted lines are budgets.",
        caption=(
            "An answer that is checked, or chosen among several, is right more often and comes later: speed buys success.",
        ),
        formulas=(
            "right = (chance of a step)^steps; the chance of an answer is s, and an attempt fails with the chance p",
            "plain: s' = (1 − p) · s; retries: s' = s",
            "verify, critique: s' = s + (1 − s) · finds · s",
            "k candidates: s' = s + (1 − s) · finds · (1 − (1 − s)^(k − 1))",
        ),
        tables=(_designs(rows),),
    )


def _frontier_title(rows: Sequence[Row]) -> str:
    ends: list[str] = []
    for speed in _speeds(rows):
        best = [row for row in in_order(rows) if row.speed == speed and row.best]
        if best:
            most = max(best, key=lambda row: row.right or 0.0)
            ends.append(
                f"{chance(most.right)} in {least(most)}{seconds(most.task_p50_s or 0.0)} at {speed:g}x"
            )
    return "Right at most: " + ", ".join(ends)


def _frontier_series(rows: Sequence[Row]) -> list[Series]:
    found: list[Series] = []
    for speed, (colour, symbol, other) in zip(_speeds(rows), _LOOKS, strict=False):
        here = [row for row in in_order(rows) if row.speed == speed]
        kinds: tuple[tuple[str, Symbol, bool], ...] = (("best", symbol, True), ("others", other, False))
        for name, sign, best in kinds:
            marks = tuple(
                Interval(
                    at=row.task_p50_s or 0.0,
                    value=100 * (row.right or 0.0),
                    low=None,
                    high=None,
                    told=f"{row.design} at {speed:g}x: {least(row)}{seconds(row.task_p50_s or 0.0)}, "
                    f"right in {chance(row.right)}",
                )
                for row in here
                if bool(row.best) is best
            )
            found.append(
                Series(name=f"{speed:g}x, {name}", colour=colour, symbol=sign, intervals=marks, joined=best)
            )
    return found


def _rule(budget_s: float) -> Rule:
    name = f"budget of {seconds(budget_s)}"
    return Rule(name=name, label=seconds(budget_s), at=budget_s, low=None, high=None, told=name)


def _within(budget_s: float, axis: Axis) -> bool:
    return axis.low is not None and axis.high is not None and axis.low <= budget_s <= axis.high


def _time(rows: Sequence[Row]) -> Figure:
    of_task = any(row.task_p50_s is not None for row in rows)
    what = "a task" if of_task else "a step"
    shown = [row for row in rows if (row.task_p50_s if of_task else row.step_s)]

    def mark(row: Row) -> Interval:
        value = row.task_p50_s or 0.0 if of_task else row.step_s
        spread = of_task and row.task_p95_s is not None
        return Interval(
            at=row.design,
            value=value,
            low=value if spread else None,
            high=row.task_p95_s if spread else None,
            told=f"{row.design} at {row.speed:g}x: {least(row)}{seconds(value)}",
        )

    marks = [mark(row) for row in shown]
    ends = [end for one in marks for end in (one.value, one.high) if end]
    axis = logarithmic(f"time of {what} (s, logarithmic)", ends)
    return Figure(
        anchor=_FRONTIER,
        title=f"What {what} takes; how often it is right is not known",
        panels=(
            Panel(
                title=f"Time of {what}, by design",
                drawing=_by_design(shown, mark, axis),
                empty=f"Nothing to draw: {what} takes no time.",
            ),
        ),
        reading="A mark is a design at one speed"
        + (": half of the tasks are done by then; a line ends where 95 of 100 are." if of_task else "."),
        caption=(_MISSING,),
        formulas=(),
        tables=(_designs(rows),),
    )


def _by_design(
    rows: Sequence[Row],
    mark: Callable[[Row], Interval],
    axis: Axis,
    open_ended: Callable[[Row], bool] = lambda _: False,
) -> Samples:
    """`open_ended`: whether a row's figure is as far as was counted, which has a mark of its own."""
    names: tuple[Place, ...] = tuple(dict.fromkeys(row.design for row in rows))
    speeds = _speeds(rows)
    series: list[Series] = []
    for place, (speed, (colour, symbol, other)) in enumerate(zip(speeds, _LOOKS, strict=False)):
        here = [row for row in rows if row.speed == speed]
        lane = place - (len(speeds) - 1) / 2
        marks = tuple(mark(row) for row in here if not open_ended(row))
        series.append(Series(name=f"{speed:g}x", colour=colour, symbol=symbol, lane=lane, intervals=marks))
        if beyond := tuple(mark(row) for row in here if open_ended(row)):
            name = f"{speed:g}x, {MOST_STEPS:,} or more"
            series.append(Series(name=name, colour=colour, symbol=other, lane=lane, intervals=beyond))
    return Samples(
        along="y",
        position=Axis(label="", scale="category", values=names),
        value=axis,
        series=tuple(series),
    )


def _designs(rows: Sequence[Row]) -> Table:
    heads = ["design", "speed", "step, mean"]
    of_task = any(row.task_p50_s is not None for row in rows)
    with_success = any(row.right is not None for row in rows)
    heads += ["task p50", "task p95"] if of_task else []
    heads += ["right", "best"] if with_success else []

    def cells(row: Row) -> tuple[str, ...]:
        found = [row.design, f"{row.speed:g}x", least(row) + seconds(row.step_s)]
        found += [_seconds(row, row.task_p50_s), _seconds(row, row.task_p95_s)] if of_task else []
        found += [chance(row.right), _BEST[row.best]] if with_success else []
        return tuple(found)

    title = f"Designs: time{' and success' if with_success else ''}"
    return Table(title=title, heads=tuple(heads), rows=tuple(map(cells, rows)), open=True)


def _budget(budget: BudgetPlan) -> Figure:
    def mark(row: Row) -> Interval:
        return Interval(
            at=row.design,
            value=float(row.steps_p50),
            low=float(row.steps_p95),
            high=float(row.steps_p50),
            told=f"{row.design} at {row.speed:g}x: {most(row)}{steps_that_fit(row.steps_p50)} steps (p50), "
            f"{most(row)}{steps_that_fit(row.steps_p95)} (p95)",
        )

    return Figure(
        anchor=_anchor(budget),
        title=_budget_title(budget),
        panels=(
            Panel(
                title="Steps that fit",
                # Where no step fits there is no axis of steps.
                drawing=_by_design(
                    budget.rows if any(row.steps_p50 for row in budget.rows) else (),
                    mark,
                    Axis(label="steps", low=0.0),
                    lambda row: uncounted(row.steps_p50),
                ),
                empty="No step fits.",
            ),
        ),
        reading="A mark is what half of the runs take in the budget (p50); a line from it ends at what 95 of 100 do (p95)."
        + (
            f" A mark of another shape at {MOST_STEPS:,} is that or more: runs are not followed farther."
            if any(uncounted(row.steps_p50) for row in budget.rows)
            else ""
        ),
        caption=(),
        formulas=(),
        tables=(_within_budget(budget),),
    )


def _within_budget(budget: BudgetPlan) -> Table:
    with_success = any(row.success is not None for row in budget.rows)
    return Table(
        title=f"Designs within {seconds(budget.budget_s)}",
        heads=("design", "speed", "steps p50", "steps p95", *(("success",) if with_success else ()), "fits"),
        rows=tuple(
            (
                row.design,
                f"{row.speed:g}x",
                most(row) + steps_that_fit(row.steps_p50),
                most(row) + steps_that_fit(row.steps_p95),
                *((most(row) + chance(row.success),) if with_success else ()),
                fitting(row),
            )
            for row in budget.rows
        ),
        open=True,
    )


def _budget_title(budget: BudgetPlan) -> str:
    fit = sum(row.fits is True for row in budget.rows)
    open_ = sum(row.fits is None for row in budget.rows)
    return (
        f"{_about(budget)}: {fit} of {counted(len(budget.rows), 'combination')} of design and speed fit"
        + (f", and of {open_} it is not known" if open_ else "")
    )


def _seconds(row: Row, value: float | None) -> str:
    return NOTHING if value is None else least(row) + seconds(value)
