"""The account: one bar that is the wall clock, and what each bucket costs."""

from tithe.ledger import BUCKETS, Ledger
from tithe.report.buckets import LOOKS, PARTS
from tithe.report.drawing import Row, Stacks
from tithe.report.figures import number, seconds
from tithe.report.ledger_rows import Cells, cost_cells, unit_of
from tithe.report.ledger_words import bound, bucket_seconds, first_sentence, of_all
from tithe.report.page import Figure, Panel, Table

ANCHOR = "costs"


def costs_figure(ledger: Ledger) -> Figure:
    """The buckets as a bar, and by cost."""
    unit = unit_of([ledger.wall_s])
    sums = bucket_seconds(ledger)
    values = tuple(sums.get(bucket, 0.0) for bucket in BUCKETS)
    row = Row(
        name="",
        values=tuple(value * unit.scale for value in values),
        told=tuple(
            f"{LOOKS[bucket].name}: {bound(bucket in ledger.outside)}{number(value * unit.scale)} {unit.name}, "
            f"{bound(bucket in ledger.outside)}{of_all(value, ledger.wall_s)}"
            for bucket, value in zip(BUCKETS, values, strict=True)
        ),
        end=seconds(ledger.wall_s),
    )
    return Figure(
        anchor=ANCHOR,
        title=first_sentence(ledger).removesuffix("."),
        panels=(
            Panel(
                title="The wall clock, by bucket",
                drawing=Stacks(label=f"wall clock ({unit.name})", parts=PARTS, rows=(row,)),
                empty="Nothing to draw: the task took no time.",
            ),
        ),
        reading="Every instant of the task is in exactly one bucket, so the bar is the wall clock.",
        caption=(
            (
                "Wall: seconds of the wall clock. Busy: all such work in full, at once or not. Saves: so much shorter the task is "
                "without it, which is less than wall where something else would then be waited for."
            ),
            *(
                ("≤: some of it was seen from outside, so its figures are upper bounds.",)
                if ledger.outside
                else ()
            ),
        ),
        formulas=("sum of the buckets = wall clock",),
        tables=(as_table(cost_cells(ledger), shown=True),),
    )


def as_table(cells: Cells, *, shown: bool = False) -> Table:
    """A table of the page. `shown`: it is not folded away."""
    return Table(title=cells.title, heads=cells.heads, rows=cells.rows, open=shown)
