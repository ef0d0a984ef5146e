"""A comparison as a page: who is compared, the verdicts, and how many times as long each figure takes."""

from tithe.audit import Comparison, Contrast, Estimate, Row
from tithe.report.comparison import (
    comparison_headlines,
    comparison_notes,
    endpoint_name,
    group_unit,
    row_cells,
    row_groups,
    row_heads,
)
from tithe.report.drawing import Axis, Colour, Guide, Samples, Series, intervals, logarithmic
from tithe.report.failures import cut_short, failures, observations
from tithe.report.figures import seconds
from tithe.report.headline import NAMES, Headline
from tithe.report.letters import letter
from tithe.report.page import Fact, Figure, Page, Panel, Table, render


def comparison_page(comparison: Comparison) -> str:
    """The comparison as one HTML file that needs nothing else."""
    return render(as_comparison_page(comparison))


def as_comparison_page(comparison: Comparison) -> Page:
    """What the page says and draws."""
    several = len(comparison.contrasts) > 1
    headlines: list[Headline] = []
    anchors: dict[str, str] = {}
    for contrast in comparison.contrasts:
        for line in comparison_headlines(comparison, contrast):
            about = f"{line.about}, {letter(contrast.other)}" if several else line.about
            anchors[about] = _anchor(contrast)
            headlines.append(
                Headline(about=about, outcome=line.outcome, sentence=line.sentence, good=line.good)
            )
    reports = comparison.reports
    return Page(
        kind="tithe audit, compared",
        title=" and ".join(report.endpoint.model for report in reports),
        facts=(
            *(Fact(name=letter(place), value=endpoint_name(report)) for place, report in enumerate(reports)),
            Fact(name="Date", value=comparison.date.replace("T", " ").replace("+00:00", " UTC")),
            Fact(name="Calls", value=" and ".join(f"{report.calls:,}" for report in reports)),
            Fact(name="Duration", value=" and ".join(seconds(report.wall_s) for report in reports)),
        ),
        alerts=(
            *(
                f"{letter(place)}: {said}"
                for place, report in enumerate(reports)
                for said in (*cut_short(report), *failures(observations(report)))
            ),
            *(said for contrast in comparison.contrasts for said in contrast.unlike),
        ),
        headlines=tuple(headlines),
        anchors=anchors,
        figures=tuple(_figure(contrast) for contrast in comparison.contrasts),
        notes=(
            *comparison_notes(comparison),
            f"Made by Tithe {comparison.tithe}. This file reaches for nothing on any network.",
        ),
    )


def _anchor(contrast: Contrast) -> str:
    return f"against-{letter(contrast.other).lower()}"


def _figure(contrast: Contrast) -> Figure:
    other = letter(contrast.other)
    return Figure(
        anchor=_anchor(contrast),
        title=f"How many times as long {other} takes as A",
        panels=(
            Panel(
                title=f"{other} / A, with 95 % intervals",
                drawing=_ratios(contrast),
                empty="Nothing to draw: no figure was measured at both.",
            ),
        ),
        reading=f"Left of the dashed line {other} is faster, right of it slower. A figure without a line has too few samples for an interval.",
        caption=(),
        formulas=(
            f"{other} / A = median over the pairs of (time at {other} / time at A)",
            "pairs: exp of the sign test's interval of the logarithms; ranks: of Wilcoxon's",
        ),
        tables=_tables(contrast, other),
    )


def _ratios(contrast: Contrast) -> Samples:
    rows = [row for row in contrast.rows if row.difference.ratio is not None]
    names = tuple(_name(row) for row in rows)
    looks: tuple[tuple[str, Colour, bool], ...] = (
        ("a difference detected", "orange", True),
        ("none detected", "blue", False),
    )
    series = tuple(
        Series(
            name=name,
            colour=colour,
            symbol="square" if detected else "circle",
            intervals=intervals(
                [
                    (_name(row), row.difference.ratio)
                    for row in rows
                    if bool(row.difference.detected) is detected
                ],
                name=f"{letter(contrast.other)} / A",
                unit="times",
            ),
        )
        for name, colour, detected in looks
    )
    ends = [end for row in rows if row.difference.ratio is not None for end in _ends(row.difference.ratio)]
    return Samples(
        along="y",
        position=Axis(label="", scale="category", values=names),
        value=logarithmic(f"{letter(contrast.other)} / A (times, logarithmic)", [1.0, *ends]),
        series=series,
        guides=(Guide(name="alike", colour="ink", line=((1.0, names[0]), (1.0, names[-1]))),)
        if names
        else (),
    )


def _ends(ratio: Estimate) -> tuple[float, ...]:
    return tuple(end for end in (ratio.value, ratio.low, ratio.high) if end is not None)


def _name(row: Row) -> str:
    return f"{NAMES[row.about]}: {row.figure}"


def _tables(contrast: Contrast, other: str) -> tuple[Table, ...]:
    tables: list[Table] = []
    for about, rows in row_groups(contrast):
        unit = group_unit(rows)
        tables.append(
            Table(
                title=NAMES[about],
                heads=tuple(head.replace("\n", " ") for head in row_heads(other, unit.name)),
                rows=tuple(row_cells(row, unit) for row in rows),
            )
        )
    return tuple(tables)
