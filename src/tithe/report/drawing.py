"""What a chart of a page shows, as data: charts/draw.js draws it and computes nothing.

Every value is in the unit that its axis names, every word is written here; a mark's `told` is what a
reader sees who points at it. Colours are names that charts/page.css gives a value in each theme.
"""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from tithe.audit import Estimate
from tithe.report.figures import interval, number
from tithe.whatif import Program

Colour = Literal[
    "blue", "orange", "green", "red", "purple", "teal", "brown", "gold", "pink", "slate", "grey", "ink"
]
Symbol = Literal["circle", "square", "triangle", "diamond", "star", "wye", "times", "plus", "asterisk"]
Place = float | str

# An axis ends here at the latest: so many times the highest figure on it. What lies beyond stands at its edge.
_EDGE = 2.0
# A logarithmic axis of values that differ by this factor has ticks at powers of ten alone.
_DECADES_FROM = 300.0


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """`values` are a category's names, or where to put ticks (empty: anywhere). `low` and `high` None: as the marks need."""

    label: str
    scale: Literal["category", "linear", "log"] = "linear"
    values: tuple[Place, ...] = ()
    low: float | None = None
    high: float | None = None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One raw value. `beyond`: it is greater than the axis shows, and drawn at its edge."""

    at: Place
    value: float
    told: str
    beyond: bool = False


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its interval, where it has one."""

    at: Place
    value: float
    low: float | None
    high: float | None
    told: str


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Marks of one kind. `lane` sets them off to a side, so that series at one place don't hide each other."""

    name: str
    colour: Colour
    symbol: Symbol = "circle"
    points: tuple[Point, ...] = ()
    intervals: tuple[Interval, ...] = ()
    lane: float = 0.0
    joined: bool = False


class Guide(msgspec.Struct, frozen=True, kw_only=True):
    """A dashed line through (x, y)s: what would be, not what was measured."""

    name: str
    colour: Colour
    line: tuple[tuple[Place, Place], ...]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A place on the axis of places that is marked across the whole drawing, with its interval as a band.

    `label` stands at its end; `name` is what the legend calls it.
    """

    name: str
    label: str
    at: float
    low: float | None
    high: float | None
    told: str


class Samples(msgspec.Struct, frozen=True, kw_only=True, tag="samples", tag_field="kind"):
    """Raw values beside what was computed of them. `along` is the axis of their places; values run on the other.

    Rules need `along` to be x, and places that are numbers.
    """

    along: Literal["x", "y"]
    position: Axis
    value: Axis
    series: tuple[Series, ...]
    guides: tuple[Guide, ...] = ()
    rules: tuple[Rule, ...] = ()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a colour stands for. `hatched`: stripes of it, for what nobody knows."""

    name: str
    colour: Colour
    hatched: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One bar: a value for each part, what is said of each, and what stands at its end."""

    name: str
    values: tuple[float, ...]
    told: tuple[str, ...]
    end: str = ""


class Stacks(msgspec.Struct, frozen=True, kw_only=True, tag="stacks", tag_field="kind"):
    """Stacked bars. Where there is one alone, its legend tells the values too."""

    label: str
    parts: tuple[Part, ...]
    rows: tuple[Row, ...]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One upright bar: where it stands, a value for each part, and what is said of it. `sign` stands above it, if any."""

    at: float
    values: tuple[float, ...]
    told: str
    sign: bool = False


class Columns(msgspec.Struct, frozen=True, kw_only=True, tag="columns", tag_field="kind"):
    """Stacked upright bars, so many that they have no names: of a step each, or of a call. `sign`: what a sign means."""

    position: str
    label: str
    parts: tuple[Part, ...]
    columns: tuple[Column, ...]
    sign: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a waterfall. Instants are in the axis' unit, from its beginning.

    `pieces` are (start, end, number of the part); `path` what of it is on the critical path. A row that only holds
    others has no pieces. `above` is the row that holds it, by number. `facts` are what a reader sees who chooses it.
    """

    name: str
    depth: int
    above: int | None
    start: float
    end: float
    length: str
    told: str
    pieces: tuple[tuple[float, float, int], ...] = ()
    path: tuple[tuple[float, float], ...] = ()
    first: float | None = None
    error: bool = False
    outside: bool = False
    unended: bool = False
    facts: tuple[tuple[str, str], ...] = ()


class Waterfall(msgspec.Struct, frozen=True, kw_only=True, tag="waterfall", tag_field="kind"):
    """What ran when, a row each. `over` is the whole path as pieces; `gaps` are stretches of which nothing was seen."""

    unit: str
    end: float
    parts: tuple[Part, ...]
    lines: tuple[Line, ...]
    over: tuple[tuple[float, float, int], ...]
    gaps: tuple[tuple[float, float], ...]


class Slider(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a program. All figures are in `unit`, of which there are `scale` to one of what the program counts in.

    `initial`: as projected. `low` and `high`: what the slider can reach; `least` and `most`: what can be typed. `steps`: how its places
    lie; "whole" ones are numbers of something. `hint` says what it does.
    """

    key: Literal["ttft_s", "tokens_per_s", "retries", "candidates", "tools"]
    name: str
    unit: str
    scale: float
    initial: float
    low: float
    high: float
    least: float
    most: float
    steps: Literal["linear", "log", "whole"]
    hint: str


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What the sliders' bar stands beside: seconds by bucket, before and as projected on average, which sum to these.

    `spread`: what the projection says of its draws, in words; empty where nothing scatters.
    """

    name: str
    before_s: float
    projected_s: float
    spread: str
    before: tuple[float, ...]
    projected: tuple[float, ...]


class Sliders(msgspec.Struct, frozen=True, kw_only=True, tag="sliders", tag_field="kind"):
    """A program whose settings are moved in the page, and a bar that follows. It is in `unit`, `scale` of them to a second.

    `accounts`: of all tasks together, and, where there are several, of each in the program's order.
    """

    program: Program
    sliders: tuple[Slider, ...]
    accounts: tuple[Account, ...]
    parts: tuple[Part, ...]
    unit: str
    scale: float


Drawing = Samples | Stacks | Columns | Waterfall | Sliders


def intervals(
    figures: Sequence[tuple[Place, Estimate | None]], *, name: str, unit: str, scale: float = 1.0
) -> tuple[Interval, ...]:
    """The figures that there are, scaled into the axis' unit."""
    return tuple(
        Interval(
            at=at,
            value=one.value * scale,
            low=one.low * scale if one.low is not None else None,
            high=one.high * scale if one.high is not None else None,
            told=f"{name}: {interval(one, scale)} {unit}, n = {one.n}",
        )
        for at, one in figures
        if one is not None
    )


def points(
    values: Sequence[tuple[Place, float]], *, name: str, unit: str, scale: float = 1.0
) -> tuple[Point, ...]:
    """Raw values, scaled into the axis' unit."""
    return tuple(
        Point(at=at, value=value * scale, told=f"{name}: {number(value * scale)} {unit}")
        for at, value in values
    )


def held(axis: Axis, series: Sequence[Series]) -> tuple[Axis, tuple[Series, ...]]:
    """The axis ended where a few stragglers would flatten all else, and those put at its edge."""
    figures = [value for one in series for mark in one.intervals for value in (mark.value, mark.high or 0.0)]
    edge = _EDGE * max(figures, default=0.0)
    if edge <= 0 or not any(point.value > edge for one in series for point in one.points):
        return axis, tuple(series)
    return msgspec.structs.replace(axis, high=edge), tuple(
        msgspec.structs.replace(
            one,
            points=tuple(
                msgspec.structs.replace(point, value=edge, beyond=True) if point.value > edge else point
                for point in one.points
            ),
        )
        for one in series
    )


def beyond(series: Sequence[Series]) -> str | None:
    """A sentence on what stands at the axis' edge; None when nothing does."""
    count = sum(point.beyond for one in series for point in one.points)
    if not count:
        return None
    if count == 1:
        return (
            "1 call took longer than the axis shows: a hollow triangle at its edge; point at it for its time."
        )
    return f"{count} calls took longer than the axis shows: hollow triangles at its edge; point at them for their times."


def logarithmic(label: str, values: Sequence[float]) -> Axis:
    """An axis for positive values of many sizes: ticks at 1, 2, 5, 10, ... around them, or at powers of ten alone."""
    if not values:
        return Axis(label=label, scale="log")
    least, most = min(values), max(values)
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    steps = (1, 2, 5) if most / least < _DECADES_FROM else (1,)
    ticks = [step * 10.0**power for power in powers for step in steps]
    first = max((place for place, tick in enumerate(ticks) if tick <= least), default=0)
    last = min((place for place, tick in enumerate(ticks) if tick >= most), default=len(ticks) - 1)
    kept = tuple(ticks[first : max(last, first + 1) + 1])
    return Axis(label=label, scale="log", values=kept, low=kept[0], high=kept[-1])


def marks(drawing: Drawing) -> int:
    """How many marks it would have: none means that there is nothing to draw."""
    if isinstance(drawing, Stacks):
        return sum(value > 0 for row in drawing.rows for value in row.values)
    if isinstance(drawing, Columns):
        return sum(value > 0 for column in drawing.columns for value in column.values)
    if isinstance(drawing, Waterfall):
        return len(drawing.lines)
    if isinstance(drawing, Sliders):
        return len(drawing.sliders)
    return sum(len(one.points) + len(one.intervals) for one in drawing.series)
