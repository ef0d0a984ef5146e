"""The client's own part: its floor and its lag, beside the figures that they could have spoilt."""

from tithe.audit import FAR_BELOW, About, AuditReport, Client, Judgement
from tithe.report.audit_figures.words import NOT_MEASURED, written
from tithe.report.drawing import Axis, Colour, Interval, Place, Samples, Series, Symbol, logarithmic
from tithe.report.figures import number, seconds
from tithe.report.headline import NAMES
from tithe.report.page import Figure, Panel, Table
from tithe.report.sampled import warmed_up

ANCHOR = "client"


def client_figure(report: AuditReport) -> Figure:
    """One row a verdict: the figure it stands on, a fifth of that, and what the client took for itself."""
    client = report.client
    calibration = report.warm_up.calibration
    source = (
        "as the endpoint reports"
        if calibration.reported
        else "assumed: no usage was reported for the calls that tell"
    )
    return Figure(
        anchor=ANCHOR,
        title=_title(client),
        panels=(
            Panel(
                title="The client's part of what was measured",
                drawing=_drawing(client),
                empty="Nothing to draw: neither a figure nor the client's floor was measured.",
            ),
        ),
        reading="The floor is the same calls by the same client against an endpoint that answers at once; the lag is how "
        "late the client's event loop was. Where either lies beyond the bar, over a fifth of the figure, no verdict is given.",
        caption=(*warmed_up(report), f"A prompt word is {calibration.tokens_a_word:.2f} tokens, {source}."),
        formulas=("a verdict stands where floor ≤ figure / 5 and lag (p99) ≤ figure / 5",),
        tables=(_table(client), _floor_table(client)),
    )


def _title(client: Client) -> str:
    judged = client.judgements.values()
    nothing = sum(one.figure_s is None for one in judged)
    withheld = sum(one.withheld is not None for one in judged) - nothing
    if withheld:
        return f"The client cannot vouch for {withheld} of {len(judged)} verdicts"
    if nothing:
        have = "has" if nothing == 1 else "have"
        return f"Of {len(judged)} verdicts, {nothing} {have} no answered call to stand on"
    return "The client stayed far below what it measured"


def _drawing(client: Client) -> Samples:
    """A bar as far as a fifth of the figure, and the client's part above it. Milliseconds, logarithmic."""
    judged = client.judgements
    lines: tuple[tuple[str, Colour, Symbol, float, dict[About, float | None]], ...] = (
        ("a fifth of the figure", "grey", "plus", 0.0, {about: _fifth(one) for about, one in judged.items()}),
        ("figure", "blue", "circle", 0.0, {about: one.figure_s for about, one in judged.items()}),
        ("client's floor", "orange", "square", -0.9, {about: one.floor_s for about, one in judged.items()}),
        (
            "client's lag (p99)",
            "purple",
            "triangle",
            -0.9,
            {about: one.lag.p99_s for about, one in judged.items()},
        ),
    )
    known = [
        value * 1e3 for *_, values in lines for value in values.values() if value is not None and value > 0
    ]
    axis = logarithmic("time (ms, logarithmic)", known)
    return Samples(
        along="y",
        position=Axis(label="", scale="category", values=tuple(NAMES[about] for about in judged)),
        value=axis,
        series=tuple(
            Series(
                name=name,
                colour=colour,
                symbol=symbol,
                lane=lane,
                intervals=_marks(name, values, axis.low if name == lines[0][0] else None),
            )
            for name, colour, symbol, lane, values in lines
        ),
    )


def _marks(name: str, values: dict[About, float | None], start: float | None) -> tuple[Interval, ...]:
    """A mark for each value, with a bar from `start` where there is one. A logarithmic axis has no place for zero."""
    found: list[tuple[Place, float]] = [
        (NAMES[about], value * 1e3) for about, value in values.items() if value is not None and value > 0
    ]
    return tuple(
        Interval(
            at=at,
            value=value,
            low=start,
            high=value if start is not None else None,
            told=f"{at}, {name}: {seconds(value / 1e3)}",
        )
        for at, value in found
    )


def _fifth(judgement: Judgement) -> float | None:
    return FAR_BELOW * judgement.figure_s if judgement.figure_s is not None else None


def _table(client: Client) -> Table:
    return Table(
        title="What each verdict stands on",
        heads=(
            "verdict",
            "figure (ms)",
            "floor (ms)",
            "lag p50 (ms)",
            "lag p99 (ms)",
            "lag max (ms)",
            "withheld",
        ),
        rows=tuple(
            (
                NAMES[about],
                *(
                    number(value * 1e3) if value is not None else NOT_MEASURED
                    for value in (one.figure_s, one.floor_s, one.lag.p50_s, one.lag.p99_s, one.lag.max_s)
                ),
                one.withheld or "no",
            )
            for about, one in client.judgements.items()
        ),
    )


def _floor_table(client: Client) -> Table:
    floor = client.floor
    rows: tuple[tuple[str, str], ...] = (("not measured", NOT_MEASURED),)
    if floor is not None:
        rows = (
            ("first token of the longest prompt", written(floor.ttft_s, 1e3)),
            (f"{floor.step_tokens} tokens", written(floor.step_s, 1e3)),
            (f"first token, {floor.agents} agents at once", written(floor.crowd_ttft_s, 1e3)),
            (f"{floor.step_tokens} tokens, {floor.agents} agents at once", written(floor.crowd_step_s, 1e3)),
        )
    return Table(
        title="The client's floor: median [95 % interval]",
        heads=("against an endpoint that answers at once", "ms"),
        rows=rows,
    )
