"""Structured output: time to an answer of each arm, told by what became of it, and how often it was valid."""

from collections.abc import Sequence

from tithe.audit import Estimate, Structured, StructuredFigures, ValidityClass, judged
from tithe.report.audit_figures.words import NOT_MEASURED, RAW, figure, shared, stragglers, written
from tithe.report.drawing import (
    Axis,
    Colour,
    Interval,
    Place,
    Samples,
    Series,
    Symbol,
    held,
    intervals,
    logarithmic,
    points,
)
from tithe.report.failures import unanswered
from tithe.report.figures import TimeUnit, counted, number, percent, seconds
from tithe.report.page import Figure, Panel, Table
from tithe.report.tables import refused_arms

ANCHOR = "structured-output"
# From how many times the least time on, an axis is logarithmic.
_SPREAD = 20
_LOOKS: dict[ValidityClass, tuple[Colour, Symbol]] = {
    "valid": ("blue", "circle"),
    "cut": ("orange", "square"),
    "no call": ("purple", "triangle"),
    "parse": ("red", "times"),
    "schema": ("brown", "plus"),
    "tool name": ("teal", "wye"),
    "arguments": ("green", "asterisk"),
}


def structured_figure(structured: Structured, *, withheld: bool) -> Figure:
    """`withheld`: the client cannot vouch for the figures, so the title claims nothing."""
    arms = structured.figures
    unit = TimeUnit.of(_times(arms))
    drawing = _drawing(structured, unit)
    why = unanswered([sample.observation for sample in structured.samples])
    failed = sum(arm.classes.get("failed", 0) for arm in arms)
    return Figure(
        anchor=ANCHOR,
        title=_title(arms, withheld=withheld),
        beside=True,
        panels=(
            Panel(title="Time to an answer", drawing=drawing, empty=why),
            Panel(title="Valid answers", drawing=_validity(arms), empty=why),
        ),
        reading=f"{RAW} A call's form and colour tell what became of it; the figure is of valid answers alone. "
        "A diamond is the expected time with retries; a star, where nothing was valid, what it is at least.",
        caption=(
            *refused_arms(arms),
            *_classes(arms),
            *stragglers(drawing.series),
            *(
                [f"Not drawn, and no verdict on the model: {counted(failed, 'call')} failed or not asked."]
                if failed
                else []
            ),
        ),
        formulas=(
            "expected time with retries = mean time of a call, valid or not / share valid",
            "at least = mean time of a call / upper bound of the share (nothing was valid)",
            "share valid: Wilson's 95 % interval",
        ),
        tables=(_table(arms, unit),),
    )


def _times(arms: tuple[StructuredFigures, ...]) -> list[Estimate | None]:
    means = [arm.attempt_mean_s for arm in arms]
    exact = [Estimate(value=mean, low=None, high=None, n=1) for mean in means if mean is not None]
    return [arm.valid_total_s for arm in arms] + exact


def _title(arms: tuple[StructuredFigures, ...], *, withheld: bool) -> str:
    told = {arm.arm: arm for arm in arms}
    constrained, free = told.get("call constrained"), told.get("call free")
    if withheld or constrained is None or free is None or constrained.valid is None or free.valid is None:
        return "Structured output, constrained and free"
    return f"Constrained tool calls are {_fate(constrained)}; free ones {_fate(free)}"


def _fate(arm: StructuredFigures) -> str:
    assert arm.valid is not None
    if arm.expected_s is None:
        return f"never valid in {arm.valid.n}"
    return f"{percent(arm.valid.successes, arm.valid.n)} valid, {seconds(arm.expected_s)} with retries"


def _classes(arms: tuple[StructuredFigures, ...]) -> list[str]:
    """A sentence on what went wrong; each class is named by the first thing that was."""
    told = [
        f"{arm.arm}: "
        + ", ".join(
            f"{count} {found}" for found, count in sorted(arm.classes.items(), key=lambda one: -one[1])
        )
        for arm in arms
        if set(arm.classes) - {"valid"}
    ]
    return ["; ".join(told) + "."] if told else []


def _drawing(structured: Structured, unit: TimeUnit) -> Samples:
    arms = structured.figures
    series = [*_answers(structured, unit), *_expected(arms, unit)]
    axis, kept = _axis(series, unit)
    return Samples(along="y", position=_position(arms), value=axis, series=kept)


def _axis(series: Sequence[Series], unit: TimeUnit) -> tuple[Axis, tuple[Series, ...]]:
    """Logarithmic where retries make one arm so much slower that the others would be a line."""
    what = "request sent to last token"
    times = [mark.value for one in series for mark in (*one.points, *one.intervals)]
    if times and 0 < _SPREAD * min(times) < max(times):
        return logarithmic(f"{what} ({unit.name}, logarithmic)", times), tuple(series)
    return held(Axis(label=f"{what} ({unit.name})", low=0.0), series)


def _position(arms: tuple[StructuredFigures, ...]) -> Axis:
    return Axis(label="", scale="category", values=tuple(arm.arm for arm in arms))


def _answers(structured: Structured, unit: TimeUnit) -> list[Series]:
    classed = judged(structured.samples)
    found = {one for _, one in classed}
    return [
        Series(
            name=name,
            colour=colour,
            symbol=symbol,
            points=points(
                [
                    (sample.arm, sample.observation.total)
                    for sample, one in classed
                    if one == name and sample.observation.total is not None
                ],
                name=name,
                unit=unit.name,
                scale=unit.scale,
            ),
            intervals=intervals(
                [(arm.arm, arm.valid_total_s) for arm in structured.figures],
                name="valid answer, median",
                unit=unit.name,
                scale=unit.scale,
            )
            if name == "valid"
            else (),
        )
        for name, (colour, symbol) in _LOOKS.items()
        if name in found
    ]


def _expected(arms: tuple[StructuredFigures, ...], unit: TimeUnit) -> list[Series]:
    exact = [(arm.arm, arm.expected_s) for arm in arms if arm.expected_s is not None]
    least = [(arm.arm, arm.expected_at_least_s) for arm in arms if arm.expected_at_least_s is not None]
    return [
        _computed("expected with retries", "diamond", exact, unit),
        _computed("expected, at least", "star", least, unit),
    ]


def _computed(name: str, symbol: Symbol, values: Sequence[tuple[Place, float]], unit: TimeUnit) -> Series:
    return Series(
        name=name,
        colour="ink",
        symbol=symbol,
        lane=1.6,
        intervals=tuple(
            Interval(
                at=arm,
                value=value * unit.scale,
                low=None,
                high=None,
                told=f"{arm}, {name}: {number(value * unit.scale)} {unit.name}",
            )
            for arm, value in values
        ),
    )


def _validity(arms: tuple[StructuredFigures, ...]) -> Samples:
    shares = tuple(
        Interval(
            at=arm.arm,
            value=100 * arm.valid.value,
            low=100 * arm.valid.low,
            high=100 * arm.valid.high,
            told=f"{arm.arm}: {shared(arm.valid)}",
        )
        for arm in arms
        if arm.valid is not None
    )
    return Samples(
        along="y",
        position=_position(arms),
        value=Axis(label="valid answers (%)", low=0.0, high=100.0),
        series=(Series(name="share valid", colour="blue", intervals=shares),),
    )


def _table(arms: tuple[StructuredFigures, ...], unit: TimeUnit) -> Table:
    return Table(
        title="Structured output: median [95 % interval], share [Wilson's interval]",
        heads=(
            "answer",
            "valid (%)",
            f"TTFT ({unit.name})",
            f"valid answer ({unit.name})",
            f"with retries ({unit.name})",
            "what became of the calls",
        ),
        rows=tuple(
            (
                arm.arm,
                shared(arm.valid),
                written(arm.ttft_s, unit.scale),
                written(arm.valid_total_s, unit.scale),
                _with_retries(arm, unit),
                ", ".join(f"{count} {found}" for found, count in arm.classes.items()) or NOT_MEASURED,
            )
            for arm in arms
        ),
    )


def _with_retries(arm: StructuredFigures, unit: TimeUnit) -> str:
    if arm.expected_s is None and arm.expected_at_least_s is not None:
        return f"over {number(arm.expected_at_least_s * unit.scale)}"
    return figure(arm.expected_s, unit.scale)
