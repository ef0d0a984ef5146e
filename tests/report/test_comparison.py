"""A comparison's words and page; what it finds is checked in tests/audit/test_comparison.py."""

import asyncio
import io

import msgspec
import pytest
from rich.console import Console

from tithe.audit import AuditPlan, Candidate, Comparison, Endpoint, run_comparison
from tithe.audit.known import KnownEndpoint, KnownLag, KnownOptions
from tithe.core import FakeClock, ScriptedBackend
from tithe.report import comparison_page, print_comparison
from tithe.report.comparison_page import as_comparison_page

PLAN = AuditPlan(
    lengths=(128,),
    repeats=9,
    least_repeats=9,
    prefix=128,
    totals=(10,),
    step_out=16,
    chat_in=128,
    chat_out=32,
    structured_tokens=48,
    concurrency=(1, 2, 3, 4, 5),
    agent_steps=1,
    arrivals=0,
    task_repeats=2,
    task_out=16,
)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    clock = FakeClock()
    truths = KnownOptions(base_s=0.01), KnownOptions(base_s=0.02), KnownOptions(base_s=0.01, fails_every=40)
    at_once = KnownOptions(base_s=1e-4, uncached_token_s=0.0, decode_s=1e-9)
    null = ScriptedBackend(KnownEndpoint(at_once), clock)
    candidates = [
        Candidate(
            backend=ScriptedBackend(KnownEndpoint(truth), clock),
            endpoint=Endpoint(url=f"http://127.0.0.1:{place}/v1", model=f"m{place}"),
            null=null,
        )
        for place, truth in enumerate(truths)
    ]
    work = run_comparison(candidates, PLAN, watch=KnownLag(1e-4), clock=clock)
    return asyncio.run(_run(clock, work))


async def _run(clock: FakeClock, work) -> Comparison:
    return await clock.run(asyncio.ensure_future(work), idle_turns=30)


def printed(comparison: Comparison) -> str:
    text = io.StringIO()
    print_comparison(comparison, Console(file=text, width=100, color_system=None))
    return text.getvalue()


def test_the_terminal_names_who_is_compared_and_says_who_is_slower(comparison: Comparison):
    text = printed(comparison)
    assert "A  m0 at http://127.0.0.1:0/v1" in text
    assert "B against A" in text
    assert "C against A" in text
    assert "B is slower" in text
    assert "no detectable difference" in text
    assert "cached TTFT 128: A" in text
    assert "Measured by turns" in text
    assert "C: " in text  # its failures
    assert "Knee, in agents: A not up to 5, B not up to 5." in text
    assert "2 pairs, and a verdict needs 9; take more (--task-repeats)." in " ".join(text.split())


def test_kept_runs_are_said_to_have_been_measured_apart(comparison: Comparison):
    apart = printed(msgspec.structs.replace(comparison, interleaved=False))
    assert "Measured apart" in apart
    assert "in at most one comparison of twenty" not in apart


def test_the_page_has_a_chart_for_each_measurement_and_every_figure_in_its_tables(comparison: Comparison):
    page = as_comparison_page(comparison)
    assert [figure.anchor for figure in page.figures] == ["against-b", "against-c"]
    for figure, contrast in zip(page.figures, comparison.contrasts, strict=True):
        assert {row[0].removesuffix(" (%)") for table in figure.tables for row in table.rows} == {
            row.figure for row in contrast.rows
        }
        drawn = {
            mark.at for panel in figure.panels for series in panel.drawing.series for mark in series.intervals
        }
        assert drawn == {row.figure for row in contrast.rows if row.difference.ratio is not None}
    slower = [one for one in page.headlines if one.about == "Prefix cache, B"]
    assert [one.good for one in slower] == [False]
    assert set(page.anchors) == {one.about for one in page.headlines}
    assert "<script" in comparison_page(comparison)
