"""The ledger before and after, and the floor, as bars of one scale."""

from collections.abc import Mapping

from tithe.report.buckets import LOOKS, PARTS
from tithe.report.drawing import Row, Stacks
from tithe.report.figures import TimeUnit, number, seconds
from tithe.report.ledger_rows import unit_of
from tithe.report.page import Figure, Panel, Table
from tithe.report.whatif import bounded, faster, floor_told, signed
from tithe.trace.buckets import BUCKETS
from tithe.whatif import Projection

ANCHOR = "ledgers"


def ledgers_figure(found: Projection) -> Figure:
    """What each bucket takes before and as projected, and what is left of it without inference."""
    unit = unit_of((found.before_s, found.wall.mean))
    wall = found.wall
    return Figure(
        anchor=ANCHOR,
        title=f"{seconds(found.before_s)} before, {seconds(wall.mean)} projected{faster(found)}",
        panels=(
            Panel(
                title="The wall clock, by bucket",
                drawing=Stacks(
                    label=f"wall clock ({unit.name})",
                    parts=PARTS,
                    rows=(
                        _row("before", found.before, found.before_s, unit),
                        _row("projected", found.after, wall.mean, unit),
                        *([_row("floor", found.floor, found.floor_s, unit)] if found.floor_s > 0 else []),
                    ),
                ),
                empty="Nothing to draw: the task takes no time.",
            ),
        ),
        reading="Every instant is in exactly one bucket, so a bar is the wall clock. The floor is what is left when inference takes no time.",
        caption=(_draws(found), *floor_told(found)),
        formulas=(),
        tables=(_table(found, unit),),
    )


def _draws(found: Projection) -> str:
    wall = found.wall
    if wall.ends is None:
        return "Nothing is known that scatters, so the projection has no interval: its mean is its median."
    return (
        f"The projection is the mean of its draws, {seconds(wall.mean)}, since only means of buckets sum to the wall clock's. Their median is "
        f"{seconds(wall.p50)}, and 80 % of them take {seconds(wall.ends[0])} to {seconds(wall.ends[1])}."
    )


def _row(name: str, account: Mapping[str, float], total_s: float, unit: TimeUnit) -> Row:
    values = tuple(account.get(bucket, 0.0) * unit.scale for bucket in BUCKETS)
    return Row(
        name=name,
        values=values,
        told=tuple(
            f"{LOOKS[bucket].name}: {number(value)} {unit.name}"
            for bucket, value in zip(BUCKETS, values, strict=True)
        ),
        end=seconds(total_s),
    )


def _table(found: Projection, unit: TimeUnit) -> Table:
    def cells(name: str, before: float | None, after: float | None, bucket: str = "") -> tuple[str, ...]:
        told = (bounded(found, bucket, value, unit.scale) for value in (before, after))
        return (name, *told, signed(((after or 0.0) - (before or 0.0)) * unit.scale))

    rows = [
        cells(LOOKS[bucket].name, found.before.get(bucket), found.after.get(bucket), bucket)
        for bucket in BUCKETS
        if bucket in found.before or bucket in found.after
    ]
    return Table(
        title="Before and after",
        heads=(f"({unit.name})", "before", "projected", "change"),
        rows=(*rows, cells("wall clock, mean", found.before_s, found.wall.mean)),
        open=True,
    )
