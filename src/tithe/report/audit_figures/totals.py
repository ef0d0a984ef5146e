"""Short generations: time to so many tokens, beside what the chat figure promises."""

from tithe.audit import ChatFigures, Estimate, Observation, Pace, TotalFigures, Totals
from tithe.report.audit_figures.words import (
    NOT_REPORTED,
    RAW,
    counted,
    figure,
    in_no_figure,
    stragglers,
    written,
)
from tithe.report.drawing import Axis, Guide, Place, Point, Samples, Series, held, intervals, points
from tithe.report.failures import unanswered
from tithe.report.figures import TimeUnit, interval, seconds
from tithe.report.pace import pace_heads, pace_notes, pace_rows
from tithe.report.page import Figure, Panel, Table

ANCHOR = "short-generations"


def totals_figure(totals: Totals, pace: Pace | None, *, withheld: bool) -> Figure:
    """`withheld`: the client cannot vouch for the figures, so the title claims nothing."""
    figures = totals.figures
    chat = figures.chat
    unit = TimeUnit.of(row.total_s for row in figures.lengths)
    drawing = _drawing(totals, unit)
    seen = [sample.observation for sample in totals.samples if not sample.chat]
    return Figure(
        anchor=ANCHOR,
        title=_title(chat, withheld=withheld),
        panels=(
            Panel(title="Time to so many tokens, prefix cached", drawing=drawing, empty=unanswered(seen)),
        ),
        reading=f"{RAW} A call stands at the tokens that came.",
        caption=(
            *_promise(chat),
            *(pace_notes(pace) if pace is not None else ()),
            *stragglers(drawing.series),
            *in_no_figure(sum(row.failed for row in figures.lengths) + chat.figures.failed),
        ),
        formulas=(
            "time to N tokens = last generated token − request sent",
            "chat figure = output tokens / (last token − request sent), of a fresh prompt",
            "promised = tokens / chat figure",
            "steps a minute = 60 / time of a step; steps that fit = the most whose total, drawn from those measured, stays within",
        ),
        tables=(_table(figures.lengths, chat, unit), *_fits(pace)),
    )


def _fits(pace: Pace | None) -> tuple[Table, ...]:
    if pace is None:
        return ()
    return (Table(title="Steps that fit into a wait", heads=pace_heads(pace), rows=pace_rows(pace)),)


def _title(chat: ChatFigures, *, withheld: bool) -> str:
    if withheld or chat.misjudged is None or chat.measured_step_s is None:
        return "Short generations, as long as an agent's steps"
    times = f"{chat.misjudged:.2f} times what the chat figure promises"
    return f"A step of {chat.step_tokens} tokens takes {seconds(chat.measured_step_s.value)}, {times}"


def _promise(chat: ChatFigures) -> list[str]:
    if chat.tokens_per_s is None:
        return [
            "The chat figure is not there: its calls were not answered, or the endpoint reports no tokens."
        ]
    return [
        (
            f"Dashed, what the chat figure promises: {interval(chat.tokens_per_s)} tok/s, measured in the same minutes "
            f"on {chat.figures.wanted} tokens from a fresh prompt."
        )
    ]


def _place(seen: Observation, wanted: int) -> float:
    """The tokens that came or, where they are not reported, those that were asked for."""
    return float(seen.output_tokens if seen.output_tokens is not None else wanted)


def _drawing(totals: Totals, unit: TimeUnit) -> Samples:
    rows, chat = totals.figures.lengths, totals.figures.chat
    medians: list[tuple[Place, Estimate | None]] = [
        (row.generated if row.generated is not None else float(row.wanted), row.total_s) for row in rows
    ]
    measured = Series(
        name="measured",
        colour="blue",
        joined=True,
        points=_calls(totals, "measured", unit, short=False),
        intervals=intervals(medians, name="median", unit=unit.name, scale=unit.scale),
    )
    ended = "ended before its length"
    short = Series(name=ended, colour="grey", symbol="plus", points=_calls(totals, ended, unit, short=True))
    axis, series = held(Axis(label=f"time to the last token ({unit.name})", low=0.0), (measured, short))
    lengths = tuple(float(row.wanted) for row in rows)
    return Samples(
        along="x",
        position=Axis(label="generated (tokens)", values=(0.0, *lengths), low=0.0),
        value=axis,
        series=series,
        guides=_guides(chat, max(lengths, default=0.0), unit),
    )


def _calls(totals: Totals, name: str, unit: TimeUnit, *, short: bool) -> tuple[Point, ...]:
    """The answered calls that reached their length, or those that fell short of it."""
    found: list[tuple[Place, float]] = [
        (_place(sample.observation, sample.wanted), sample.observation.total)
        for sample in totals.samples
        if not sample.chat
        and sample.observation.answered
        and sample.fell_short == short
        and sample.observation.total is not None
    ]
    return points(found, name=name, unit=unit.name, scale=unit.scale)


def _guides(chat: ChatFigures, most: float, unit: TimeUnit) -> tuple[Guide, ...]:
    if chat.tokens_per_s is None or chat.tokens_per_s.value <= 0:
        return ()
    promised = most / chat.tokens_per_s.value * unit.scale
    return (Guide(name="the chat figure's promise", colour="orange", line=((0.0, 0.0), (most, promised))),)


def _table(rows: tuple[TotalFigures, ...], chat: ChatFigures, unit: TimeUnit) -> Table:
    rate = chat.tokens_per_s.value if chat.tokens_per_s is not None else None
    return Table(
        title="Short generations: median [95 % interval]",
        heads=(
            "asked for (tokens)",
            "came (tokens)",
            f"total ({unit.name})",
            f"promised by chat ({unit.name})",
            f"TTFT ({unit.name})",
            "decode (tok/s)",
            "ended early (calls)",
        ),
        rows=(
            *(_cells(row, rate, unit, "") for row in rows),
            _cells(chat.figures, rate, unit, " (chat)"),
        ),
    )


def _cells(row: TotalFigures, rate: float | None, unit: TimeUnit, mark: str) -> tuple[str, ...]:
    tokens = row.generated if row.generated is not None else float(row.wanted)
    return (
        f"{row.wanted:,}{mark}",
        counted(row.generated),
        written(row.total_s, unit.scale),
        figure(tokens / rate if rate else None, unit.scale),
        written(row.ttft_s, unit.scale),
        written(row.decode_tokens_per_s, missing=NOT_REPORTED),
        str(row.fell_short),
    )
