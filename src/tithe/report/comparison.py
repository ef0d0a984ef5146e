"""A comparison on the terminal, and the words that its page shares: a letter for each endpoint, A the base."""

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.audit import (
    About,
    AuditReport,
    Comparison,
    Contrast,
    Difference,
    Estimate,
    Finding,
    Row,
    fewest_pairs,
)
from tithe.report.failures import cut_short, failures, why_not_measured
from tithe.report.figures import NOTHING, TimeUnit, counted, interval, number, seconds
from tithe.report.headline import NAMES, Headline, verdict_grid
from tithe.report.letters import letter
from tithe.report.tables import calm_table

_INDENT = 2
# Of interleaved runs, and of kept ones.
_BY = {
    "pairs": ("by pairs of one lap", "by pairs of one task or number of agents"),
    "ranks": ("by ranks", "otherwise by ranks"),
    "shares": ("of shares by Newcombe's method", "of shares by Newcombe's method"),
}
_MORE: dict[About, str] = {
    "cache": "--repeats, --max-time",
    "short generations": "--repeats, --max-time",
    "structured output": "--repeats, --max-time",
    "concurrency": "--rounds, --most-agents",
    "task": "--task-repeats",
}


def endpoint_name(report: AuditReport) -> str:
    """What an endpoint is called in a comparison."""
    where = "the embedded endpoint" if report.endpoint.embedded else report.endpoint.url
    return f"{report.endpoint.model} at {where}"


def comparison_headlines(comparison: Comparison, contrast: Contrast) -> tuple[Headline, ...]:
    """One for each verdict; good is what speaks for the other endpoint."""
    return tuple(_headline(finding, letter(contrast.other), comparison) for finding in contrast.findings)


def _headline(finding: Finding, other: str, comparison: Comparison) -> Headline:
    name, difference, level = NAMES[finding.about], finding.difference, comparison.level
    if finding.withheld:
        return _withheld(finding, comparison)
    if difference is None or difference.ratio is None or difference.ratio.low is None:
        n = difference.ratio.n if difference is not None and difference.ratio is not None else 0
        return Headline(
            about=name,
            outcome="unclear",
            sentence=_too_few(finding, n, level),
            good=None,
        )
    outcome = {
        "faster": f"{other} is faster",
        "slower": f"{other} is slower",
        "no_detectable_difference": "no detectable difference",
        "unclear": "unclear",
    }[finding.outcome]
    return Headline(
        about=name,
        outcome=outcome,
        sentence=f"{_sentence(finding.figure, difference, other)} ({100 * level:.3g} % interval).",
        good={"faster": True, "slower": False}.get(finding.outcome),
    )


def _withheld(finding: Finding, comparison: Comparison) -> Headline:
    """Why each endpoint that has no verdict of its own has none."""
    reasons: list[str] = []
    measured = True
    for place, reason in finding.withheld.items():
        report = comparison.reports[place]
        figure = report.client.judgements[finding.about].figure_s
        measured = measured and figure is not None
        said = f"{reason}." if figure is not None else why_not_measured(report, finding.about)
        reasons.append(f"{letter(place)}: {said}")
    return Headline(
        about=NAMES[finding.about],
        outcome="withheld" if measured else "not measured",
        sentence=" ".join(reasons),
        good=None,
    )


def _too_few(finding: Finding, n: int, level: float) -> str:
    if finding.difference is None:
        return f"{finding.figure}: not measured at both."
    if finding.difference.by != "pairs":
        return f"{finding.figure}: {counted(n, 'sample')} of it at both, too few to tell."
    return (
        f"{finding.figure}: {counted(n, 'pair')}, and a verdict needs {fewest_pairs(level)}; take more "
        f"({_MORE[finding.about]})."
    )


def _sentence(figure: str, difference: Difference, other: str) -> str:
    ratio = difference.ratio
    assert ratio is not None
    assert difference.base is not None
    assert difference.other is not None
    times = f"{number(ratio.value)} times [{number(ratio.low or 0)} {number(ratio.high or 0)}]"
    return f"{figure}: A {seconds(difference.base)}, {other} {seconds(difference.other)}, {times}"


def comparison_notes(comparison: Comparison) -> list[str]:
    """How it was compared, and what that is worth."""
    how = (
        "Measured by turns: in each lap every endpoint takes one round, in random order."
        if comparison.interleaved
        else "Measured apart: a difference may be the hour's or the machine's, which no interval here knows."
    )
    methods = {row.difference.by for contrast in comparison.contrasts for row in contrast.rows}
    by = [
        _BY[method][not comparison.interleaved]
        for method in ("pairs", "ranks", "shares")
        if method in methods
    ]
    worth = (
        ", so that all of them together find a difference that is not there in at most one comparison of twenty"
        if comparison.interleaved
        else ""
    )
    if not methods:
        return [how]
    return [
        how,
        (
            "Figures are p50: TTFT by prefix tokens, time to so many tokens (fresh: of a prompt that was not cached), an answer "
            "by its kind, a step by agents at once (all rounds: each number of agents with itself), seconds a step of a task. "
            "Differences and ratios are medians over the pairs, not of the two columns: a few slow calls move a column and hardly a pair."
        ),
        (
            f"Intervals {', '.join(by)}; 95 % in the tables, {100 * comparison.level:.3g} % behind the verdicts{worth}."
        ),
    ]


def knees(comparison: Comparison, contrast: Contrast) -> list[str]:
    """Both endpoints' knees, which no row has: a step is compared at numbers of agents that both served."""
    both = {place: comparison.reports[place].measured.concurrency.knee for place in (0, contrast.other)}
    told = [
        f"{letter(place)} {interval(knee.agents) if knee.agents is not None else f'not up to {knee.beyond}'}"
        for place, knee in both.items()
        if knee is not None
    ]
    return [f"Knee, in agents: {', '.join(told)}."] if len(told) == len(both) else []


def row_groups(contrast: Contrast) -> list[tuple[About, list[Row]]]:
    """A contrast's rows by measurement, in order."""
    groups: dict[About, list[Row]] = {}
    for row in contrast.rows:
        groups.setdefault(row.about, []).append(row)
    return list(groups.items())


def row_heads(other: str, unit: str) -> tuple[str, ...]:
    return ("figure", f"A\n({unit})", f"{other}\n({unit})", f"{other} - A\n({unit})", f"{other} / A")


def group_unit(rows: Sequence[Row]) -> TimeUnit:
    """One unit for the times of a measurement."""
    medians = [row.difference.base for row in rows if row.difference.by != "shares"]
    return TimeUnit.of(
        Estimate(value=value, low=None, high=None, n=0) for value in medians if value is not None
    )


def row_cells(row: Row, unit: TimeUnit) -> tuple[str, ...]:
    """Name, both values, their difference and their ratio; a share's are in per cent and points."""
    difference = row.difference
    shares = difference.by == "shares"
    scale = 100.0 if shares else unit.scale
    values = (
        number(value * scale) if value is not None else NOTHING
        for value in (difference.base, difference.other)
    )
    return (
        f"{row.figure} (%)" if shares else row.figure,
        *values,
        interval(difference.difference, scale),
        interval(difference.ratio),
    )


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison: who is compared, the verdicts, the figures."""
    console.print()
    console.print(Text.assemble(("tithe audit", "bold"), "  ", ("compared", "bold cyan")))
    console.print(Padding(_legend(comparison), (0, 0, 0, _INDENT)), highlight=False)
    for place, report in enumerate(comparison.reports):
        for said in (*cut_short(report), *failures(report)):
            console.print(Padding(Text(f"{letter(place)}: {said}", style="red"), (0, 0, 0, _INDENT)))
    for said in comparison.missing:
        console.print(Padding(Text(f"Not compared: {said}", style="red"), (0, 0, 0, _INDENT)))
    console.print()
    for contrast in comparison.contrasts:
        _print_contrast(comparison, contrast, console)
    for note in comparison_notes(comparison):
        console.print(Text(note, style="dim"))
    console.print()


def _legend(comparison: Comparison) -> Table:
    legend = Table.grid(padding=(0, 2))
    for place, report in enumerate(comparison.reports):
        calls = (
            f"{report.calls:,} calls, {report.failures:,} failed"
            if report.failures
            else f"{report.calls:,} calls"
        )
        legend.add_row(
            Text(letter(place), style="bold"),
            endpoint_name(report),
            Text(calls, style="dim"),
            Text(report.date, style="dim"),
        )
    return legend


def _print_contrast(comparison: Comparison, contrast: Contrast, console: Console) -> None:
    other = letter(contrast.other)
    console.print(Text(f"{other} against A", style="bold"))
    console.print(
        Padding(verdict_grid(comparison_headlines(comparison, contrast)), (0, 0, 0, _INDENT)), highlight=False
    )
    for said in (*contrast.unlike, *knees(comparison, contrast)):
        console.print(Padding(Text(said, style="yellow"), (0, 0, 0, _INDENT)))
    console.print()
    for about, rows in row_groups(contrast):
        unit = group_unit(rows)
        table = calm_table(*row_heads(other, unit.name))
        table.columns[0].no_wrap = False  # where it is narrow a name breaks, and no figure is cut
        for row in rows:
            table.add_row(*row_cells(row, unit))
        console.print(Text(NAMES[about], style="bold"))
        console.print(Padding(table, (0, 0, 0, _INDENT)), highlight=False)
        console.print()
