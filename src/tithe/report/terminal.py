"""An audit on the terminal: verdicts first, then one table a measurement, then the client's own part.

Colour only repeats what the words say, so nothing is lost without it.
"""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tithe.audit import About, AuditReport, Extent, Pace, Task
from tithe.report.failures import cut_short, doubts, failures
from tithe.report.figures import NOTHING, counted, seconds
from tithe.report.headline import headlines, verdict_grid
from tithe.report.pace import pace_heads, pace_notes, pace_rows
from tithe.report.sampled import sampled, warmed_up
from tithe.report.tables import (
    Section,
    calm_table,
    concurrency_section,
    pairs_section,
    structured_section,
    totals_section,
)
from tithe.report.task import predicted, task_block

_INDENT = 2


def print_audit(report: AuditReport, console: Console) -> None:
    """Print the whole report; made for 80 columns and wider."""
    measured = report.measured
    _print_head(report, console)
    withheld = {verdict.about for verdict in report.verdicts if verdict.withheld is not None}
    if "short generations" not in withheld:
        _print_pace(report.pace, console)
    doubted = doubts(report)
    sections: tuple[tuple[About, Section, Extent, str | None], ...] = (
        ("cache", pairs_section(measured.pairs), measured.pairs.extent, "TTFT"),
        (
            "short generations",
            totals_section(measured.totals),
            measured.totals.extent,
            "total of a step's lengths",
        ),
        (
            "structured output",
            structured_section(measured.structured),
            measured.structured.extent,
            "time of an answer",
        ),
        ("concurrency", concurrency_section(measured.concurrency), measured.concurrency.extent, None),
    )
    for about, section, extent, sought in sections:
        _print_section(section, sampled(extent, report.plan, sought), console, doubted.get(about))
    shaky = bool(withheld & {"cache", "short generations"})
    notes = [*predicted(report.prediction, withheld=shaky), *sampled(measured.task.extent, report.plan)]
    _print_task(measured.task, notes, console, doubted.get("task"))
    _print_client(report, console)


def _print_head(report: AuditReport, console: Console) -> None:
    endpoint = report.endpoint
    where = "the embedded endpoint" if endpoint.embedded else endpoint.url
    console.print()
    console.print(Text.assemble(("tithe audit", "bold"), "  ", (endpoint.model, "bold cyan"), f"  {where}"))
    failed = f"{report.failures:,} failed" if report.failures else "none failed"
    again = f" ({report.asked_again:,} asked again)" if report.asked_again else ""
    asked = f"{counted(report.calls, 'call')}{again} in {seconds(report.wall_s)}, {failed}"
    console.print(Text(f"{report.date}  {asked}", style="dim"))
    for said in cut_short(report):
        console.print(Text(said, style="red"))
    console.print()
    console.print(Padding(verdict_grid(headlines(report)), (0, 0, 0, _INDENT)), highlight=False)
    for line in failures(report):
        console.print(Padding(Text(line, style="red"), (0, 0, 0, _INDENT)))
    console.print()


def _print_pace(pace: Pace | None, console: Console) -> None:
    """How many steps fit into the waits that people accept."""
    if pace is None:
        return
    table = calm_table(*pace_heads(pace))
    for row in pace_rows(pace):
        table.add_row(*row)
    _print_section(Section(title="In an agent's terms", table=table, notes=pace_notes(pace)), [], console)


def _print_section(section: Section, sampling: list[str], console: Console, doubt: str | None = None) -> None:
    _print_title(section.title, doubt, console)
    console.print(Padding(section.table, (0, 0, 0, _INDENT)), highlight=False)
    for note in (*section.notes, *sampling):
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, _INDENT)))
    console.print()


def _print_title(title: str, doubt: str | None, console: Console) -> None:
    """A section's title and, where its verdict is withheld, what that says of the figures below."""
    console.print(Text(title, style="bold"))
    if doubt is not None:
        console.print(Padding(Text(doubt, style="yellow"), (0, 0, 0, _INDENT)))


def _print_task(task: Task, notes: list[str], console: Console, doubt: str | None) -> None:
    """One task as the agent went about it, where its time went, and how all of them ended."""
    block = task_block(task, console.width - _INDENT)
    _print_title(block.title, doubt, console)
    for part in block.parts:
        console.print(Padding(part, (0, 0, 0, _INDENT)), highlight=False)
    for note in notes:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, _INDENT)))
    console.print()


def _print_client(report: AuditReport, console: Console) -> None:
    """What the client took for itself, and how words became tokens."""
    floor, judged = report.client.floor, report.client.judgements
    lags = [judgement.lag.p99_s for judgement in judged.values() if judgement.lag.p99_s is not None]
    lines: list[str] = []
    if floor is not None:
        answered = [
            ("TTFT", floor.ttft_s),
            (f"{floor.step_tokens} tokens", floor.step_s),
            (f"with {floor.agents} at once TTFT", floor.crowd_ttft_s),
            (f"{floor.step_tokens} tokens", floor.crowd_step_s),
        ]
        told = ", ".join(
            f"{name} {seconds(figure.value) if figure is not None else NOTHING}" for name, figure in answered
        )
        lines.append(f"Against an endpoint that answers at once: {told}.")
    if lags:
        lines.append(f"Event loop late by at most {seconds(max(lags))} (p99 of the worst measurement).")
    lines += warmed_up(report)
    calibration = report.warm_up.calibration
    source = (
        "as the endpoint reports"
        if calibration.reported
        else "assumed: no usage was reported for the calls that tell"
    )
    lines.append(
        f"A prompt word is {calibration.tokens_a_word:.2f} tokens, {source}. Figures: p50 [95 % interval]."
    )
    console.print(Text("The client", style="bold"))
    for line in lines:
        console.print(Padding(Text(line, style="dim"), (0, 0, 0, _INDENT)))
    console.print()
