import asyncio
import time

import pytest

from tithe.audit.innocence import FloorWatch, ThreadedLagWatch, judge, lag_figures
from tithe.audit.known import KnownEndpoint, KnownOptions
from tithe.audit.probe import Probe
from tithe.core import Request, Script, ScriptedBackend, SystemClock
from tithe.core.statistics import Estimate


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=None, high=None, n=1)


@pytest.mark.parametrize(
    ("figure", "floor", "lag", "reason"),
    [
        (0.100, 0.001, 0.002, None),
        (0.100, 0.030, 0.002, "the client alone takes 30 ms of the 100 ms measured"),
        (0.100, 0.001, 0.025, "25 ms late"),
        (None, 0.001, 0.002, "no call"),
        (0.100, None, 0.002, "floor was not measured"),
        (0.100, 0.001, None, "was not watched"),
    ],
)
def test_a_verdict_is_withheld_with_the_reason(figure, floor, lag, reason):
    judgement = judge(
        estimate(figure) if figure is not None else None,
        estimate(floor) if floor is not None else None,
        lag_figures((lag,) * 10 if lag is not None else ()),
    )
    if reason is None:
        assert judgement.withheld is None
    else:
        assert reason in judgement.withheld


def test_one_late_look_in_a_thousand_does_not_move_the_p99():
    figures = lag_figures((0.001,) * 999 + (0.5,))
    assert figures.p99_s == pytest.approx(0.001)
    assert figures.max_s == 0.5


def test_the_watch_sees_a_blocked_loop():
    async def main() -> tuple[tuple[float, ...], tuple[float, ...]]:
        watch = ThreadedLagWatch(SystemClock(), interval_s=0.002)
        watch.start()
        await asyncio.sleep(0.05)
        before = watch.take()
        time.sleep(0.1)  # noqa: ASYNC251 - blocking the loop is the point
        await asyncio.sleep(0.02)
        blocked = watch.take()
        watch.stop()
        return before, blocked

    before, blocked = asyncio.run(main())
    assert before
    # The loop was away for 100 ms; a look was due at most a few ms after it left.
    assert max(blocked) > 0.05


def test_what_the_first_calls_take_is_not_in_the_floor(bench):
    """The first calls open connections: here they take a second, and the others a millisecond."""
    made = bench()
    slow, quick = (KnownEndpoint(KnownOptions(base_s=s, uncached_token_s=0.0)) for s in (1.0, 0.001))

    def script(request: Request) -> Script:
        first = len(null.requests) <= 3 + 8 * made.plan.agent_steps
        return (slow if first else quick)(request)

    null = ScriptedBackend(script, made.clock)
    watch = FloorWatch(Probe(null, "m", made.plan, made.probe.prompts, made.clock))

    async def take():
        await watch.warm_up()
        for _ in range(2):
            await watch.take()
            await watch.take_crowd(3)
        return watch.floor()

    floor = made.run(take)
    assert len(floor.observations) == 20
    assert floor.ttft_s.n == floor.step_s.n == 10
    assert floor.ttft_s.high == pytest.approx(0.001)
    assert floor.step_s.value == floor.crowd_step_s.value == pytest.approx(0.016)
    assert floor.crowd_ttft_s.value == pytest.approx(0.001)
    assert floor.crowd_ttft_s.n == 2 * 3 * 2
    assert floor.agents == 3
    assert len({request.messages for request in null.requests}) == len(null.requests)


def test_the_floor_is_taken_all_along_the_audit(bench):
    report = bench().audit()
    taken = [seen.begun for seen in report.client.floor.observations]
    measured = report.measured
    bounds = [
        measured.pairs.primes[0].begun,
        measured.totals.primes[0].begun,
        measured.structured.primes[0].begun,
        measured.concurrency.primes[0].begun,
        measured.task.primes[0].begun,
    ]
    assert [sum(at <= bound for at in taken) for bound in bounds] == [10, 20, 30, 40, 50]


async def test_what_is_computed_aside_is_no_lag():
    """The loop stands still for 0.2 s twice: the lag of the first is told, that of the second is not."""
    clock = SystemClock()
    watch = ThreadedLagWatch(clock, interval_s=0.01)
    watch.start()
    try:
        await asyncio.sleep(0.05)
        time.sleep(0.2)  # noqa: ASYNC251 # a loop that stands still is what is wanted
        await asyncio.sleep(0.05)
        told = watch.take()
        with watch.aside():
            time.sleep(0.2)  # noqa: ASYNC251
        await asyncio.sleep(0.05)
        spared = watch.take()
    finally:
        watch.stop()
    assert max(told) > 0.1
    assert max(spared, default=0.0) < max(told)
    assert not [lag for lag in spared if lag > 0.15]
