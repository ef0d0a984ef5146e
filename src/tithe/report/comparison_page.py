"""A comparison as a page: who is compared, the verdicts, and how many times as long each figure takes."""

import msgspec

from tithe.audit import Comparison, Contrast, Row
from tithe.report.comparison import (
    comparison_headlines,
    comparison_notes,
    endpoint_name,
    group_unit,
    knees,
    row_cells,
    row_groups,
    row_heads,
)
from tithe.report.drawing import Axis, Colour, Guide, Samples, Series, Symbol, intervals, logarithmic
from tithe.report.failures import cut_short, failures
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
            headlines.append(msgspec.structs.replace(line, about=about))
    reports = comparison.reports
    return Page(
        kind="tithe audit, compared",
        title=" and ".join(report.endpoint.model for report in reports),
        facts=(
            *(
                Fact(
                    name=letter(place), value=f"{endpoint_name(report)}, {report.date[:16].replace('T', ' ')}"
                )
                for place, report in enumerate(reports)
            ),
            Fact(name="Date", value=comparison.date.replace("T", " ").replace("+00:00", " UTC")),
            Fact(name="Calls", value=" and ".join(f"{report.calls:,}" for report in reports)),
            Fact(name="Duration", value=" and ".join(seconds(report.wall_s) for report in reports)),
        ),
        alerts=(
            *(
                f"{letter(place)}: {said}"
                for place, report in enumerate(reports)
                for said in (*cut_short(report), *failures(report))
            ),
            *(f"Not compared: {said}" for said in comparison.missing),
            *(said for contrast in comparison.contrasts for said in contrast.unlike),
        ),
        headlines=tuple(headlines),
        anchors=anchors,
        figures=tuple(_figure(comparison, contrast) for contrast in comparison.contrasts),
        notes=(
            *comparison_notes(comparison),
            f"Made by Tithe {comparison.tithe}. This file reaches for nothing on any network.",
        ),
    )


def _anchor(contrast: Contrast) -> str:
    return f"against-{letter(contrast.other).lower()}"


def _figure(comparison: Comparison, contrast: Contrast) -> Figure:
    other = letter(contrast.other)
    ratios = [row.difference.ratio for row in contrast.rows if row.difference.ratio is not None]
    ends = [end for ratio in ratios for end in (ratio.value, ratio.low, ratio.high) if end is not None]
    axis = logarithmic(f"{other} / A (times, logarithmic)", [1.0, *ends])
    return Figure(
        anchor=_anchor(contrast),
        title=f"How many times as long {other} takes as A",
        panels=tuple(
            Panel(
                title=f"{NAMES[about]}, {other} / A",
                drawing=_ratios(rows, other, axis),
                empty="Nothing to draw: no time was measured at both.",
            )
            for about, rows in row_groups(contrast)
        ),
        reading=f"Left of the dashed line {other} is faster, right of it slower. Lines are 95 % intervals; a mark without one has too few samples.",
        caption=tuple(knees(comparison, contrast)),
        formulas=(
            f"pairs: {other} / A = median over the pairs of (time at {other} / time at A), the sign test's interval",
            *(
                ()
                if comparison.interleaved
                else (
                    f"ranks: {other} / A = exp of the Hodges-Lehmann shift of the logarithms, Wilcoxon's interval",
                )
            ),
        ),
        tables=_tables(contrast, other),
    )


def _ratios(rows: list[Row], other: str, axis: Axis) -> Samples:
    known = [row for row in rows if row.difference.ratio is not None]
    names = tuple(row.figure for row in known)
    looks: tuple[tuple[str, Colour, Symbol, bool], ...] = (
        ("a difference detected", "orange", "square", True),
        ("none detected, or too few samples", "blue", "circle", False),
    )
    return Samples(
        along="y",
        position=Axis(label="", scale="category", values=names),
        value=axis,
        series=tuple(
            Series(
                name=name,
                colour=colour,
                symbol=symbol,
                intervals=intervals(
                    [
                        (row.figure, row.difference.ratio)
                        for row in known
                        if bool(row.difference.detected) is detected
                    ],
                    name=f"{other} / A",
                    unit="times",
                ),
            )
            for name, colour, symbol, detected in looks
        ),
        guides=(Guide(name="alike", colour="ink", line=((1.0, names[0]), (1.0, names[-1]))),)
        if names
        else (),
    )


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
