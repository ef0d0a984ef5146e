"""The steps: where the time of each went."""

from collections.abc import Sequence

from tithe.ledger import BUCKETS, Ledger, StepRow
from tithe.report.buckets import LOOKS, PARTS
from tithe.report.drawing import Column, Columns
from tithe.report.figures import TimeUnit, counted, percent, seconds, tokens
from tithe.report.ledger_figures.costs import as_table
from tithe.report.ledger_rows import kept_steps, step_cells, step_name, unit_of
from tithe.report.ledger_words import bound, visible
from tithe.report.page import Figure, Panel

ANCHOR = "steps"


def steps_figure(ledger: Ledger) -> Figure:
    """Stacked bars, a step each: the task's own line, and below it the branches."""
    own = [row for row in ledger.steps if row.line is None]
    others = [row for row in ledger.steps if row.line is not None]
    unit = unit_of(row.wall_s for row in ledger.steps)
    panels = [
        Panel(
            title="Each step of the task's own line",
            drawing=_drawing(own, unit),
            empty="Nothing to draw: no step was seen.",
        )
    ]
    if any(row.wall_s > 0 for row in others):
        panels.append(
            Panel(
                title="Each step of a branch, one branch after the other",
                drawing=_drawing(others, unit),
                empty="Nothing to draw: no branch was waited for.",
            )
        )
    return Figure(
        anchor=ANCHOR,
        title=_title(ledger),
        panels=tuple(panels),
        reading="A bar is what of the critical path lies in that step; one that ran beside something longer has none.",
        caption=("A step reaches from its first request to the next step of its line.",),
        formulas=(),
        tables=(as_table(step_cells(ledger)),),
    )


def _title(ledger: Ledger) -> str:
    steps = counted(len(ledger.steps), "step")
    own = [row for row in ledger.steps if row.line is None]
    if len(own) <= len(kept_steps(own)) or ledger.wall_s <= 0:
        return f"{steps} in {seconds(ledger.wall_s)}"
    tenth = max(1, len(own) // 10)
    most = sum(sorted((row.wall_s for row in own), reverse=True)[:tenth])
    return f"{steps} in {seconds(ledger.wall_s)}; the costliest tenth of them is {percent(most, ledger.wall_s)} of it"


def _drawing(rows: Sequence[StepRow], unit: TimeUnit) -> Columns:
    return Columns(
        position="step",
        label=f"on the wall clock ({unit.name})",
        parts=PARTS,
        columns=tuple(_column(place, row, unit) for place, row in enumerate(rows, start=1)),
        sign="a call of it failed",
    )


def _column(place: int, row: StepRow, unit: TimeUnit) -> Column:
    sums = dict.fromkeys(BUCKETS, 0.0)
    for entry in row.entries:
        sums[entry.bucket] += entry.wall_s
    outside = {entry.bucket for entry in row.entries if entry.outside}
    parts = [
        f"{LOOKS[bucket].name}: {bound(bucket in outside)}{seconds(value)}"
        for bucket, value in sorted(sums.items(), key=lambda one: -one[1])
        if value > 0
    ]
    prompt = f"prompt {tokens(row.input_tokens)}, cached {tokens(row.cached_tokens)}, out {tokens(row.output_tokens)} tokens"
    tools = [f"tools: {', '.join(visible(name, 40) for name in row.tools)}"] if row.tools else []
    failed = [f"failed: {visible(row.error, 60)}"] if row.error is not None else []
    return Column(
        at=float(place),
        values=tuple(sums[bucket] * unit.scale for bucket in BUCKETS),
        told="\n".join([f"step {step_name(row)}: {seconds(row.wall_s)}", *parts, prompt, *tools, *failed]),
        sign=row.error is not None,
    )
