"""An endpoint that turns calls away for now is waited for as it says, within limits, and all of it is booked."""

import asyncio
import itertools
from collections.abc import Callable

import pytest

from tithe.audit.observation import Failure
from tithe.audit.patience import asks_for_patience, wait_s
from tithe.audit.probe import Interruption, Probe
from tithe.audit.task import measure_task
from tithe.audit.task_run import account
from tithe.core import Request, Script, ScriptedBackend
from tithe.core.errors import EndpointRefused


def refusal(status: int = 429, retry_after: float | None = 5.0) -> Failure:
    return Failure(kind="EndpointRefused", message="no", http_status=status, retry_after=retry_after)


@pytest.mark.parametrize(
    ("failure", "refusals", "wait"),
    [
        (refusal(retry_after=5.0), 0, 5.0),
        (refusal(retry_after=0.0), 2, 0.0),
        (refusal(retry_after=60.5), 0, None),
        (refusal(retry_after=None), 0, 1.0),
        (refusal(retry_after=None), 2, 4.0),
        (refusal(), 3, None),
        (refusal(503, 2.0), 0, 2.0),
        (refusal(503, None), 0, None),
        (refusal(500, 2.0), 0, None),
        (None, 0, None),
    ],
)
def test_how_long_a_call_waits(failure: Failure | None, refusals: int, wait: float | None) -> None:
    assert wait_s(failure, refusals) == wait


def test_only_being_turned_away_for_now_asks_for_patience() -> None:
    assert asks_for_patience(refusal(retry_after=None))
    assert not asks_for_patience(refusal(503, None))
    assert not asks_for_patience(Failure(kind="StreamBroken", message="cut"))


def turning_away(
    bench, calls: set[int], retry_after: float | None = 5.0, *, solves: bool = False, **plan: object
):
    """A bench whose endpoint turns away the calls of those numbers, from 0."""
    made = bench(plan=plan, solves=solves)
    good, asked = made.backend, [0]

    def script(request: Request) -> Script:
        number, asked[0] = asked[0], asked[0] + 1
        if number in calls:
            error = EndpointRefused("no", http_status=429, body="", retry_after=retry_after)
            return Script(error=error)
        return good._script(request)

    made.probe._backend = ScriptedBackend(script, made.clock)
    return made


def call(probe: Probe, **flags: bool):
    return probe.call(probe.request((probe.prompts.user(20, "x"),)), "pairs.x", **flags)


def test_a_call_is_asked_again_when_the_endpoint_wants_it_and_every_attempt_is_booked(
    bench: Callable,
) -> None:
    made = turning_away(bench, {0, 1})
    seen = made.run(lambda: call(made.probe))
    assert seen.failure is None
    assert seen.begun >= 10.0
    probe = made.probe
    assert (probe.calls, probe.failures, probe.asked_again, probe.waited_s) == (3, 2, 2, 10.0)
    assert [one.failure.http_status for one in probe.refused] == [429, 429]


def test_a_refusal_that_does_not_end_is_the_calls_end(bench: Callable) -> None:
    made = turning_away(bench, set(range(100)))
    seen = made.run(lambda: call(made.probe))
    assert seen.failure.http_status == 429
    assert (made.probe.calls, made.probe.waited_s) == (4, 15.0)


def test_nothing_is_waited_for_past_the_time_limit(bench: Callable) -> None:
    made = turning_away(bench, {0}, retry_after=50.0, max_time=40.0)
    assert made.run(lambda: call(made.probe)).failure.http_status == 429
    assert made.probe.waited_s == 0.0


def test_of_many_at_once_none_waits_and_nothing_is_given_up_but_the_next_alone_does(bench: Callable) -> None:
    made = turning_away(bench, set(range(6)), give_up_after=3)

    async def work():
        many = [await call(made.probe, patient=False) for _ in range(6)]
        return many, await call(made.probe)

    many, last = made.run(work)
    assert all(seen.failure is not None for seen in many)
    assert made.probe.gave_up is None
    assert (last.failure, made.probe.waited_s, made.probe.refused) == (None, 5.0, [])


def test_an_interruption_ends_the_waiting(bench: Callable) -> None:
    made = turning_away(bench, {0})
    interruption = Interruption()
    made.probe._interruption = interruption

    async def work():
        waiting = asyncio.ensure_future(call(made.probe))
        await made.clock.sleep(1.0)
        interruption.interrupt()
        return await waiting

    seen = made.run(work)
    assert seen.failure.kind == "NotAsked"
    assert made.probe.waited_s == 1.0


def test_a_task_waits_longer_each_time_where_nothing_is_told(bench: Callable) -> None:
    made = turning_away(
        bench, {4, 5, 6}, retry_after=None, task_repeats=1, task_families=("lookup",), solves=True
    )
    run = made.run(lambda: measure_task(made.probe)).runs[0]
    attempts = next(step.attempts for step in run.steps if len(step.attempts) > 1)
    begun = [one.begun for one in attempts]
    assert [later - earlier for earlier, later in itertools.pairwise(begun)] == pytest.approx([1.0, 2.0, 4.0])
    assert run.outcome == "solved"


@pytest.mark.parametrize(("retry_after", "max_time"), [(61.0, None), (50.0, 40.0)])
def test_a_task_that_would_wait_too_long_is_not_asked_again(
    bench: Callable, retry_after: float, max_time: float | None
) -> None:
    plan = {"task_repeats": 1, "task_families": ("lookup",), "max_time": max_time}
    made = turning_away(bench, set(range(1, 9)), retry_after, solves=True, **plan)
    run = made.run(lambda: measure_task(made.probe)).runs[0]
    assert [len(step.attempts) for step in run.steps] == [1]
    assert (run.outcome, made.probe.calls, made.probe.waited_s) == ("failed", 2, 0.0)


def test_what_a_task_waits_for_is_retry_and_its_parts_still_sum(bench: Callable) -> None:
    made = turning_away(bench, {4}, task_repeats=1, task_families=("lookup",), solves=True)
    run = made.run(lambda: measure_task(made.probe)).runs[0]
    split = account(run)
    assert run.outcome == "solved"
    assert split.retry_s == pytest.approx(5.0, abs=0.2)
    parts = (split.ttft_s, split.decode_s, split.tool_s, split.retry_s, split.overhead_s)
    assert sum(parts) == pytest.approx(run.wall_s)
