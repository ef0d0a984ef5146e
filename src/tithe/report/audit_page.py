"""An audit as a page: its head, its verdicts as sentences, and a figure for each measurement."""

import msgspec

from tithe.audit import About, AuditReport
from tithe.report.audit_figures import (
    client_figure,
    concurrency_figure,
    pairs_figure,
    structured_figure,
    task_figure,
    totals_figure,
)
from tithe.report.failures import cut_short, doubts, failures
from tithe.report.figures import seconds
from tithe.report.headline import NAMES, headlines
from tithe.report.page import Fact, Figure, Page, render


def audit_page(report: AuditReport) -> str:
    """The report as one HTML file that needs nothing else."""
    return render(as_page(report))


def as_page(report: AuditReport) -> Page:
    """What the page says and draws."""
    measured = report.measured
    withheld = {verdict.about: verdict.withheld is not None for verdict in report.verdicts}
    figures: dict[About, Figure] = {
        "cache": pairs_figure(measured.pairs, withheld=withheld["cache"]),
        "short generations": totals_figure(
            measured.totals,
            None if withheld["short generations"] else report.pace,
            withheld=withheld["short generations"],
        ),
        "structured output": structured_figure(measured.structured, withheld=withheld["structured output"]),
        "concurrency": concurrency_figure(measured.concurrency, withheld=withheld["concurrency"]),
        "task": task_figure(
            measured.task,
            report.prediction,
            withheld=withheld["task"],
            shaky=withheld["cache"] or withheld["short generations"],
        ),
    }
    for about, doubt in doubts(report).items():
        figures[about] = msgspec.structs.replace(figures[about], caption=(doubt, *figures[about].caption))
    return Page(
        kind="tithe audit",
        title=report.endpoint.model,
        facts=_facts(report),
        alerts=(*cut_short(report), *failures(report)),
        headlines=headlines(report),
        anchors={NAMES[about]: figure.anchor for about, figure in figures.items()},
        figures=(*figures.values(), client_figure(report)),
        notes=(
            (
                "Every figure is a median with its 95 % bootstrap interval unless it is named otherwise; shares have Wilson's. "
                "TTFT runs from the request's last byte to the first generated token. What an endpoint does not report is "
                "called so, and never counted as zero."
            ),
            (
                f"Made by Tithe {report.tithe}. Of messages, this file holds the goal, the calls and the results of the run "
                "that is shown, and reaches for nothing on any network."
            ),
        ),
    )


def _facts(report: AuditReport) -> tuple[Fact, ...]:
    endpoint = report.endpoint
    again = f" ({report.asked_again:,} asked again)" if report.asked_again else ""
    return (
        Fact(
            name="Endpoint",
            value=f"embedded, {endpoint.url}" if endpoint.embedded else endpoint.url,
        ),
        Fact(name="Model", value=endpoint.model),
        Fact(name="Date", value=report.date.replace("T", " ").replace("+00:00", " UTC")),
        Fact(name="Calls", value=f"{report.calls:,}{again}"),
        Fact(name="Duration", value=seconds(report.wall_s)),
        Fact(name="Failures", value=f"{report.failures:,}" if report.failures else "none"),
    )
