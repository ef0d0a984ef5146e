import msgspec
import pytest

from tithe.audit import AuditReport, Endpoint, costs
from tithe.audit.audit import run_audit
from tithe.core import Script, ScriptedBackend
from tithe.core.errors import EndpointError, EndpointRefused
from tithe.report.failures import why_not_measured


def outcomes(report: AuditReport) -> dict[str, str]:
    return {verdict.about: verdict.outcome for verdict in report.verdicts}


def test_an_audit_of_a_known_endpoint_says_what_is_true(bench):
    made = bench(base_s=0.1, uncached_token_s=0.0005, decode_s=0.001, tokens_a_word=2, free_valid_every=3)
    report = made.audit()
    assert outcomes(report) == {
        "cache": "caches",
        "short generations": "slower_than_chat",
        "structured output": "constrained_cheaper",
        "concurrency": "scales",
        "task": "ttft",
    }
    assert {verdict.withheld for verdict in report.verdicts} == {None}
    assert report.warm_up.calibration.tokens_a_word == 2.0
    assert report.measured.pairs.figures.token_worth_s.value == pytest.approx(0.0005, rel=0.02)
    assert report.failures == 0
    assert not made.watch.running


def test_the_plan_says_beforehand_what_the_audit_asks(bench):
    made = bench()
    ended: list[str] = []
    report = made.run(
        lambda: run_audit(
            made.backend,
            Endpoint(url="http://127.0.0.1:1/v1", model="m"),
            made.plan,
            null=made.null,
            watch=made.watch,
            clock=made.clock,
            progress=ended.append,
            salt="salt",
        )
    )
    planned = {cost.measurement: cost.calls for cost in costs(made.plan)}
    assert report.calls == len(made.backend.requests) == len(ended)
    task = sum(label.startswith("task") for label in ended)
    assert task == len(report.measured.task.primes) + report.measured.task.figures.answers <= planned["task"]
    assert len(ended) - task == sum(planned.values()) - planned["task"]
    output = sum(request.max_tokens for request in made.backend.requests)
    assert output <= sum(cost.output_tokens for cost in costs(made.plan))
    first = [label.split(".")[0] for label in ended]
    assert list(dict.fromkeys(first)) == [
        "warm-up", "calibration", "pairs", "totals", "structured", "concurrency", "task",
    ]  # fmt: skip


def test_a_report_survives_json(bench):
    report = bench().audit()
    assert msgspec.json.decode(msgspec.json.encode(report), type=AuditReport) == report


def test_two_runs_of_one_salt_ask_the_same(bench):
    one, other = bench(), bench()
    one.audit()
    other.audit()
    assert one.backend.requests == other.backend.requests


def test_every_prompt_is_asked_once(bench):
    """No identical prompt twice, except where a step is retried: a repeat would be a false cache hit."""
    made = bench()
    made.audit()
    assert len({request.messages for request in made.backend.requests}) == len(made.backend.requests)


def test_a_slow_client_gives_no_verdict(bench):
    report = bench(lag=0.5).audit()
    assert all("late" in verdict.withheld for verdict in report.verdicts)
    report = bench(floor_s=0.5).audit()
    assert all("client alone" in verdict.withheld for verdict in report.verdicts)
    report = bench().audit(with_null=False)
    assert all("floor was not measured" in verdict.withheld for verdict in report.verdicts)


def test_an_endpoint_without_usage_is_audited_by_time_alone(bench):
    report = bench(reports_usage=False).audit()
    assert not report.warm_up.calibration.reported
    assert outcomes(report)["cache"] == "caches"
    assert outcomes(report)["short generations"] == "unclear"


def test_an_endpoint_that_fails_now_and_then_is_still_audited(bench):
    report = bench(repeats=12, fails_every=3).audit()
    assert report.failures == report.calls // 3
    assert outcomes(report)["cache"] == "caches"


def test_an_endpoint_that_answers_nothing_ends_the_audit(bench):
    made = bench(fails_every=1)
    with pytest.raises(EndpointError, match="none of 5 warm-up calls"):
        made.audit()
    assert not made.watch.running


def test_an_audit_that_gives_up_keeps_what_it_has_measured(bench):
    """It breaks among the short generations: pairs are whole; what came after the end is said not to be asked."""
    made = bench(fails_after=40)
    report = made.audit()
    assert report.gave_up.startswith("25 calls in a row failed, the last with StreamBroken: The known")
    assert (report.calls, report.failures, len(made.backend.requests)) == (65, 25, 65)
    assert outcomes(report)["cache"] == "caches"
    assert outcomes(report)["task"] == outcomes(report)["concurrency"] == "unclear"
    assert {seen.failure.kind for seen in report.measured.concurrency.primes} == {"NotAsked"}
    assert report.measured.pairs.figures.lengths[-1].failed == 0
    assert not made.watch.running


def test_what_is_asked_again_is_counted_apart(bench):
    made = bench(ends_after=12)
    report = made.audit()
    planned = sum(cost.calls for cost in costs(made.plan) if cost.measurement != "task")
    task = len(report.measured.task.primes) + report.measured.task.figures.answers
    assert report.asked_again > 0
    assert report.calls == planned + task + report.asked_again == len(made.backend.requests)


def test_an_agent_that_never_finishes_takes_the_calls_that_the_plan_allows(bench):
    plan = {"task_steps": 5}
    made = bench(solves=False, plan=plan)
    report = made.audit()
    planned = costs(made.plan)
    assert report.calls == sum(cost.calls for cost in planned)
    assert sum(request.max_tokens for request in made.backend.requests) <= sum(
        cost.output_tokens for cost in planned
    )
    least = bench(plan=plan)
    assert least.audit().calls <= sum(cost.usual_calls for cost in planned) + 3


def test_two_audits_with_one_seed_ask_the_same_tasks_and_another_seed_asks_others(bench):
    def goals(seed: int) -> list[str]:
        return [run.goal for run in bench(plan={"seed": seed}).audit().measured.task.runs]

    assert goals(3) == goals(3)
    assert not set(goals(3)) & set(goals(4))


def test_an_endpoint_of_little_context_is_measured_as_far_as_it_goes(bench):
    """Of the prompts that do not fit one each is asked, though the audit would give up after two failures in a row."""
    plan = {"lengths": (128, 512, 3000, 4000), "prefix": 2000, "chat_in": 2000, "give_up_after": 2}
    report = bench(context=1500, plan=plan).audit()
    measured = report.measured
    assert (report.gave_up, report.left_out) == (None, {})
    assert [row.refused is None for row in measured.pairs.figures.lengths] == [True, True, False, False]
    assert measured.pairs.figures.caching == "caches"
    for one in (measured.totals, measured.concurrency):
        assert len(one.primes) == 1
        assert one.refused.endswith("tokens do not fit 1500.")
    assert (measured.totals.samples, measured.concurrency.rounds) == ((), ())
    assert measured.concurrency.climb == "refused"
    assert all(arm.valid.n == 4 for arm in measured.structured.figures)
    assert measured.task.figures.solved.n == 3
    assert report.failures == 4
    assert why_not_measured(report, "concurrency").startswith("The endpoint does not take its calls: ")
    assert why_not_measured(report, "short generations").startswith("The endpoint does not take its calls: ")


def test_an_endpoint_that_is_gone_is_given_up(bench):
    made = bench(plan={"give_up_after": 3})
    gone = EndpointRefused("no such model", http_status=404, body="", retry_after=None)
    made.probe._backend = ScriptedBackend(lambda _: Script(error=gone), made.clock)

    async def work():
        for _ in range(3):
            await made.probe.call(made.probe.request((made.probe.prompts.user(20, "x"),)), "pairs.x")

    made.run(work)
    assert made.probe.gave_up is not None
