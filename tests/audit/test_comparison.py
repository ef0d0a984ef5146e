"""Endpoints whose answers are known, measured by turns and compared."""

import asyncio
import dataclasses
import itertools
import random
from collections.abc import Callable

import msgspec
import pytest

from tithe.audit import AuditReport, Candidate, Comparison, Contrast, Endpoint, compare, run_comparison
from tithe.audit.known import KnownEndpoint, KnownLag, KnownOptions
from tithe.audit.plan import AuditPlan
from tithe.core import FakeClock, Request, Script, ScriptedBackend
from tithe.core.errors import EndpointError, UsageError

PLAN = AuditPlan(
    lengths=(128, 512),
    repeats=12,
    least_repeats=10,
    prefix=256,
    totals=(10,),
    step_out=16,
    step_in=40,
    chat_in=256,
    chat_out=32,
    structured_tokens=48,
    concurrency=(1, 2, 3, 4),
    agent_steps=2,
    rounds=2,
    arrivals=3,
    task_repeats=9,
    task_out=32,
)


class Watched(ScriptedBackend):
    """Notes when each call began and ended, for all the endpoints of a test."""

    def __init__(
        self,
        name: str,
        truth: KnownOptions | Callable[[Request], Script],
        clock: FakeClock,
        log: list[tuple[str, str]],
    ) -> None:
        super().__init__(KnownEndpoint(truth) if isinstance(truth, KnownOptions) else truth, clock)
        self._name, self._log = name, log

    async def generate(self, request: Request):  # type: ignore[override]
        self._log.append((self._name, "begun"))
        try:
            async for event in super().generate(request):
                yield event
        finally:
            self._log.append((self._name, "ended"))


def compared(
    *truths: KnownOptions | Callable[[Request], Script],
    plan: AuditPlan = PLAN,
    lag: float = 1e-4,
    log: list[tuple[str, str]] | None = None,
) -> Comparison:
    clock, log = FakeClock(), log if log is not None else []
    null = ScriptedBackend(
        KnownEndpoint(KnownOptions(base_s=1e-4, uncached_token_s=0.0, decode_s=1e-9)), clock
    )
    candidates = [
        Candidate(
            backend=Watched(f"e{place}", truth, clock, log),
            endpoint=Endpoint(url=f"http://127.0.0.1:{place + 1}/v1", model=f"e{place}"),
            null=null,
        )
        for place, truth in enumerate(truths)
    ]

    async def main() -> Comparison:
        work = run_comparison(candidates, plan, watch=KnownLag(lag), clock=clock)
        return await clock.run(asyncio.ensure_future(work), idle_turns=30)

    return asyncio.run(main())


def outcomes(contrast: Contrast) -> dict[str, str]:
    return {finding.about: finding.outcome for finding in contrast.findings}


def test_the_slower_endpoint_is_found_and_by_how_much():
    truth = KnownOptions(base_s=0.02, uncached_token_s=0.0001, decode_s=0.001)
    slower = msgspec.structs.replace(truth, base_s=0.03, decode_s=0.002)
    log: list[tuple[str, str]] = []
    found = compared(truth, slower, log=log)
    (contrast,) = found.contrasts
    assert set(outcomes(contrast).values()) == {"slower"}
    rows = {(row.about, row.figure): row.difference for row in contrast.rows}
    assert rows["cache", "cached TTFT 512"].difference.value == pytest.approx(0.010, rel=0.01)
    assert rows["short generations", "10 tokens"].difference.value == pytest.approx(0.019, rel=0.01)
    assert rows["short generations", "10 tokens"].ratio.value == pytest.approx(
        (0.03 + 9 * 0.002) / (0.02 + 9 * 0.001), rel=0.2
    )
    assert all(row.difference.by == "shares" or row.difference.by == "pairs" for row in contrast.rows)
    assert contrast.unlike == ()
    # The other way round.
    assert set(outcomes(compared(slower, truth).contrasts[0]).values()) == {"faster"}


def test_never_are_two_endpoints_called_at_once():
    log: list[tuple[str, str]] = []
    truth = KnownOptions()
    compared(truth, msgspec.structs.replace(truth, base_s=0.05), log=log)
    under_way = {"e0": 0, "e1": 0}
    for name, what in log:
        under_way[name] += 1 if what == "begun" else -1
        assert min(under_way.values()) == 0
    calls = [name for name, what in log if what == "begun"]
    assert abs(calls.count("e0") - calls.count("e1")) <= 0.2 * len(calls)
    switches = sum(one != other for one, other in itertools.pairwise(calls))
    assert switches > 50


def test_an_endpoint_beside_itself_shows_no_difference_that_can_be_detected():
    truth = KnownOptions()
    (contrast,) = compared(truth, truth).contrasts
    assert set(outcomes(contrast).values()) == {"no_detectable_difference"}


def test_one_that_is_known_sooner_goes_on_with_the_other():
    steady, lots = KnownEndpoint(KnownOptions()), random.Random(5)

    def unsteady(request: Request) -> Script:
        script = steady(request)
        return msgspec.structs.replace(script, ttft=script.ttft * lots.lognormvariate(0.0, 1.0))

    plan = dataclasses.replace(PLAN, repeats=14, precision=0.05)
    alone = compared(KnownOptions(), KnownOptions(), plan=plan).reports
    beside = compared(KnownOptions(), unsteady, plan=plan).reports
    assert [report.measured.pairs.extent.rounds for report in alone] == [10, 10]
    assert [report.measured.pairs.extent.rounds for report in beside] == [14, 14]


def test_three_endpoints_are_held_to_the_first_and_the_level_to_their_number():
    truth = KnownOptions()
    slower = msgspec.structs.replace(truth, base_s=0.05)
    found = compared(truth, slower, truth)
    assert [contrast.other for contrast in found.contrasts] == [1, 2]
    assert outcomes(found.contrasts[0])["cache"] == "slower"
    assert outcomes(found.contrasts[1])["cache"] == "no_detectable_difference"
    assert found.level == pytest.approx(1 - 0.05 / 10)


def test_a_verdict_that_the_client_cannot_vouch_for_is_withheld_with_the_endpoint_named():
    fast = KnownOptions(base_s=0.0005, uncached_token_s=0.0, decode_s=1e-5)
    finding = compared(fast, KnownOptions(), lag=0.002).contrasts[0].findings[0]
    assert list(finding.withheld) == [0]
    assert "late" in finding.withheld[0]


def test_an_endpoint_that_answers_nothing_is_named():
    with pytest.raises(EndpointError, match=r"http://127\.0\.0\.1:2/v1: .*none of"):
        compared(KnownOptions(), KnownOptions(fails_every=1))


def test_one_that_answers_nothing_is_left_out_while_two_others_remain():
    truth = KnownOptions()
    found = compared(truth, KnownOptions(fails_every=1), msgspec.structs.replace(truth, base_s=0.05))
    assert [report.endpoint.model for report in found.reports] == ["e0", "e2"]
    assert len(found.missing) == 1
    assert found.missing[0].startswith("http://127.0.0.1:2/v1: ")
    assert outcomes(found.contrasts[0])["cache"] == "slower"


def test_what_was_measured_is_kept_when_one_endpoint_gives_up():
    plan = dataclasses.replace(PLAN, give_up_after=6)
    found = compared(KnownOptions(), KnownOptions(fails_after=8), plan=plan)
    first, second = found.reports
    assert first.gave_up is None
    assert first.measured.task.runs
    assert second.gave_up is not None
    assert {finding.outcome for finding in found.contrasts[0].findings} == {"unclear"}
    assert all(1 in finding.withheld for finding in found.contrasts[0].findings)


def test_the_faster_way_to_an_invalid_answer_is_no_faster_endpoint():
    valid = KnownOptions(decode_s=0.01)
    never = msgspec.structs.replace(valid, free_valid_every=0)
    rows = {row.figure: row.difference for row in compared(valid, never).contrasts[0].rows}
    assert "call free" not in rows
    assert rows["call free, valid"].difference.value == -1.0


def reports(*truths: KnownOptions, plan: AuditPlan = PLAN) -> tuple[AuditReport, ...]:
    return compared(*truths, plan=plan).reports


def test_kept_runs_are_compared_by_ranks_and_tasks_by_pairs():
    truth = KnownOptions()
    kept = reports(truth, msgspec.structs.replace(truth, base_s=0.03))
    found = compare(kept, interleaved=False)
    assert {row.difference.by for row in found.contrasts[0].rows if row.about == "cache"} == {"ranks"}
    assert {row.difference.by for row in found.contrasts[0].rows if row.figure == "step of a task"} == {
        "pairs"
    }
    assert outcomes(found.contrasts[0])["cache"] == "slower"


def test_what_was_planned_otherwise_is_not_compared_and_named():
    truth = KnownOptions()
    (one, _), (other, _) = (
        reports(truth, truth),
        reports(truth, truth, plan=dataclasses.replace(PLAN, step_in=60)),
    )
    found = compare((one, other), interleaved=False).contrasts[0]
    assert found.unlike == ("Not compared: concurrency, measured with --step-in 40 and 60.",)
    assert "concurrency" not in outcomes(found)
    assert "concurrency" not in {row.about for row in found.rows}


def test_one_report_is_no_comparison():
    with pytest.raises(UsageError, match="two reports"):
        compare(reports(KnownOptions(), KnownOptions())[:1], interleaved=False)


def test_a_comparison_survives_being_written_and_read():
    found = compared(KnownOptions(), KnownOptions())
    assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found
