"""A task's ledger as a page: its head, its conclusions, and a figure for each view of it."""

import datetime as dt

import tithe
from tithe.ledger import Diagnosis, Ledger
from tithe.report.figures import counted, seconds
from tithe.report.ledger_figures import (
    costs_figure,
    models_figure,
    prefixes_figure,
    steps_figure,
    tax_figure,
    tools_figure,
    waterfall_figure,
)
from tithe.report.ledger_words import (
    BLIND,
    CLOCK,
    PREFIX,
    TAX,
    TOOLS,
    alerts,
    ledger_headlines,
    title,
    visible,
)
from tithe.report.outcome import OUTCOME, outcome_headline
from tithe.report.page import Fact, Page, render

_ANCHORS = {
    OUTCOME: "steps",
    CLOCK: "costs",
    TAX: "tax",
    PREFIX: "prefix",
    TOOLS: "tools",
    BLIND: "waterfall",
}


def ledger_page(ledger: Ledger, diagnosis: Diagnosis | None = None) -> str:
    """The ledger as one HTML file that needs nothing else."""
    return render(as_ledger_page(ledger, diagnosis))


def as_ledger_page(ledger: Ledger, diagnosis: Diagnosis | None) -> Page:
    """What the page says and draws."""
    return Page(
        kind="tithe ledger",
        title=title(ledger),
        facts=_facts(ledger),
        alerts=alerts(ledger),
        headlines=(*outcome_headline(ledger.outcome), *ledger_headlines(ledger, diagnosis)),
        anchors=_ANCHORS,
        figures=(
            costs_figure(ledger),
            tax_figure(ledger),
            waterfall_figure(ledger),
            steps_figure(ledger),
            prefixes_figure(diagnosis),
            tools_figure(ledger),
            models_figure(ledger),
        ),
        notes=(
            (
                "The account is the critical path: what the task waited for, from its end backwards to its start. What an "
                "endpoint or a format does not tell is called not reported, and never counted as zero."
            ),
            f"Made by Tithe {tithe.__version__}. This file holds no message of the task, and reaches for nothing on any network.",
        ),
    )


def _facts(ledger: Ledger) -> tuple[Fact, ...]:
    facts = [Fact(name="Task", value=visible(ledger.task, 64))]
    if ledger.session is not None:
        facts.append(Fact(name="Session", value=visible(ledger.session, 64)))
    if ledger.started is not None:
        begun = dt.datetime.fromtimestamp(ledger.started, dt.UTC)
        facts.append(Fact(name="Started", value=f"{begun:%Y-%m-%d %H:%M:%S} UTC"))
    calls = sum(row.calls for row in ledger.models)
    failed = sum(row.attempts for row in ledger.models) - calls
    again = f" in {calls + failed:,} attempts" if failed > 0 else ""
    return (
        *facts,
        Fact(name="Source", value=visible(ledger.source, 64)),
        Fact(name="Duration", value=seconds(ledger.wall_s)),
        Fact(name="Steps", value=f"{len(ledger.steps):,}"),
        Fact(name="Calls", value=f"{counted(calls, 'call')}{again}"),
        Fact(name="Tool runs", value=f"{sum(row.runs for row in ledger.tools):,}"),
    )
