"""The waterfall: what ran when, what was waited for, and what nobody saw."""

from collections.abc import Iterator

from tithe.ledger import BUCKETS, Bar, Ledger, Slice
from tithe.report.buckets import LOOKS, PARTS, UNSEEN
from tithe.report.drawing import Line, Waterfall
from tithe.report.figures import NOTHING, TimeUnit, counted, number, seconds
from tithe.report.ledger_figures.costs import as_table
from tithe.report.ledger_rows import Cells, unit_of
from tithe.report.ledger_words import bound, kind_name, visible
from tithe.report.page import Figure, Panel

ANCHOR = "waterfall"
# Decimals of an instant: a microsecond, whatever the unit.
_DECIMALS = {"s": 6, "ms": 3}
_OWN_NAME = ("call", "attempt", "tool", "other", "task")


def waterfall_figure(ledger: Ledger) -> Figure:
    """Every bar, to be scrolled, searched and zoomed."""
    unit = unit_of([ledger.wall_s])
    return Figure(
        anchor=ANCHOR,
        title=f"What ran when: {counted(len(ledger.bars), 'row')} in {seconds(ledger.wall_s)}",
        panels=(
            Panel(title="Waterfall", drawing=_drawing(ledger, unit), empty="Nothing to draw: nothing ran."),
        ),
        reading=(
            "The line under a bar is its part of the critical path; the mark in it is the first token; stripes over all rows "
            "are time of which nothing was seen; a dashed bar was seen from outside, so it is an upper bound."
        ),
        caption=(
            (
                "Choose a row for its details. Drag over the strip on top to look closer, drag a bar's row to move along; with the "
                "rows in focus, + and − zoom, ← and → move along, ↑ and ↓ choose, Enter folds what is inside, 0 shows all."
            ),
        ),
        formulas=(),
        tables=(as_table(_cells(ledger, unit)),),
    )


def _drawing(ledger: Ledger, unit: TimeUnit) -> Waterfall:
    return Waterfall(
        unit=unit.name,
        end=_at(ledger.wall_s, unit),
        parts=PARTS,
        lines=tuple(_lines(ledger, unit)),
        over=_pieces(ledger.slices, unit),
        gaps=tuple(
            (_at(one.start, unit), _at(one.end, unit))
            for one in ledger.slices
            if one.bucket == UNSEEN and one.span is None
        ),
    )


def _at(instant: float, unit: TimeUnit) -> float:
    return round(instant * unit.scale, _DECIMALS[unit.name])


def _pieces(slices: tuple[Slice, ...], unit: TimeUnit) -> tuple[tuple[float, float, int], ...]:
    """Slices as (start, end, part); those of one bucket that touch are one."""
    pieces: list[tuple[float, float, int]] = []
    for one in slices:
        start, end, part = _at(one.start, unit), _at(one.end, unit), BUCKETS.index(one.bucket)
        if pieces and pieces[-1][1:] == (start, part):
            start = pieces.pop()[0]
        pieces.append((start, end, part))
    return tuple(pieces)


def _lines(ledger: Ledger, unit: TimeUnit) -> Iterator[Line]:
    holders: list[tuple[int, int]] = []  # (depth, number) of the rows that the next one may stand in
    for number_of, bar in enumerate(ledger.bars):
        while holders and holders[-1][0] >= bar.depth:
            holders.pop()
        yield Line(
            name=bar_name(bar),
            depth=bar.depth,
            above=holders[-1][1] if holders else None,
            start=_at(bar.start_s, unit),
            end=_at(bar.end_s, unit),
            length=bar_length(bar),
            told=_told(bar),
            pieces=_pieces(ledger.slices if bar.kind == "task" and not bar.depth else bar.slices, unit),
            path=tuple((_at(start, unit), _at(end, unit)) for start, end in bar.critical),
            first=_at(bar.first_token_s, unit) if bar.first_token_s is not None else None,
            error=bar.error is not None,
            outside=bar.outside,
            unended=bar.unended,
            facts=tuple(_facts(bar)),
        )
        holders.append((bar.depth, number_of))


def bar_name(bar: Bar) -> str:
    """What a row is called: its name, its step's number before a call's, its kind where the name does not tell."""
    name = visible(bar.name, 120)
    if bar.kind == "call" and bar.step is not None:
        return f"{bar.step}  {name}"
    return name if bar.kind in _OWN_NAME or bar.kind in name else f"{name} ({bar.kind})"


def bar_length(bar: Bar) -> str:
    """How long it ran, as far as that is known."""
    return f"{bound(bar.outside)}{seconds(bar.end_s - bar.start_s)}{'?' if bar.unended else ''}"


def _told(bar: Bar) -> str:
    """The row in a sentence, for who cannot see it."""
    error = f", failed: {visible(bar.error, 60)}" if bar.error is not None else ""
    path = ", on the critical path" if bar.critical else ""
    return f"{bar.kind} {bar_name(bar)}, {bar_length(bar)} from {seconds(bar.start_s)}{path}{error}"


def _facts(bar: Bar) -> Iterator[tuple[str, str]]:
    yield "kind", bar.kind if bar.step is None else f"{bar.kind}, step {bar.step:,}"
    yield "from, to", f"{seconds(bar.start_s)}, {seconds(bar.end_s)}"
    yield "length", bar_length(bar)
    if bar.outside:
        yield "seen", "from outside, so its length is an upper bound"
    if bar.unended:
        yield "end", "not seen"
    if bar.error is not None:
        yield "failed", visible(bar.error)
    on_path = sum(end - start for start, end in bar.critical)
    yield "on the critical path", f"{bound(bar.outside)}{seconds(on_path)}" if on_path > 0 else "no"
    if bar.slack_s is not None:
        slack = "none: any longer, and the task is longer" if bar.slack_s <= 0 else seconds(bar.slack_s)
        yield "slack", slack
    if bar.first_token_s is not None:
        yield "first token", f"{seconds(bar.first_token_s - bar.start_s)} from its start"
    for one in bar.slices:
        yield kind_name(one.bucket, one.detail), f"{bound(bar.outside)}{seconds(one.end - one.start)}"
    for name, value in bar.told:
        yield visible(name, 60), visible(value)


def _slack(slack_s: float | None) -> str:
    if slack_s is None:
        return NOTHING
    return seconds(slack_s) if slack_s > 0 else "none"


def _cells(ledger: Ledger, unit: TimeUnit) -> Cells:
    """The rows as a table."""
    return Cells(
        title="Every row",
        heads=(
            "row",
            "kind",
            f"start ({unit.name})",
            "length",
            "on the critical path",
            "slack",
            f"first token ({unit.name})",
            "buckets",
            "failed",
        ),
        rows=tuple(
            (
                "  " * bar.depth + bar_name(bar),
                bar.kind,
                number(bar.start_s * unit.scale),
                bar_length(bar),
                f"{bound(bar.outside)}{seconds(sum(end - start for start, end in bar.critical))}"
                if bar.critical
                else NOTHING,
                _slack(bar.slack_s),
                number(bar.first_token_s * unit.scale) if bar.first_token_s is not None else NOTHING,
                ", ".join(dict.fromkeys(LOOKS[one.bucket].name for one in bar.slices)) or NOTHING,
                visible(bar.error, 60) if bar.error is not None else "",
            )
            for bar in ledger.bars
        ),
    )
