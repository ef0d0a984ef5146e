"""The fake clock: it stands still while anyone can run, and wakes every sleeper at its very instant."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.core import Clock, FakeClock, SystemClock


async def wait(clock: Clock, seconds: float, woken: list[tuple[float, float]]) -> None:
    await clock.sleep(seconds)
    woken.append((seconds, clock.now()))


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8), st.floats(0, 1e6))
def test_sleepers_wake_in_order_each_at_its_instant(times: list[float], start: float) -> None:
    async def sleep_all() -> list[tuple[float, float]]:
        clock = FakeClock(start)
        woken: list[tuple[float, float]] = []
        work = asyncio.gather(*(wait(clock, seconds, woken) for seconds in times))
        await clock.run(asyncio.ensure_future(work))
        return woken

    assert asyncio.run(sleep_all()) == [(seconds, start + seconds) for seconds in sorted(times)]


async def test_a_task_that_sleeps_again_is_woken_before_a_later_sleeper() -> None:
    clock = FakeClock()
    seen: list[tuple[str, float]] = []

    async def tick(name: str, gap: float, times: int) -> None:
        for _ in range(times):
            await clock.sleep(gap)
            seen.append((name, clock.now()))

    await clock.run(asyncio.ensure_future(asyncio.gather(tick("a", 1.0, 3), tick("b", 2.5, 1))))
    assert seen == [("a", 1.0), ("a", 2.0), ("b", 2.5), ("a", 3.0)]


async def test_time_stands_still_while_others_can_run() -> None:
    clock = FakeClock()
    sleeper = asyncio.ensure_future(clock.sleep(1.0))

    async def busy() -> float:
        for _ in range(20):
            await asyncio.sleep(0)
        return clock.now()

    assert await clock.run(asyncio.ensure_future(busy())) == 0.0
    assert not sleeper.done()
    clock.advance(1.0)
    await sleeper


async def test_advance_wakes_those_on_the_way_and_no_others() -> None:
    clock = FakeClock(10.0)
    woken: list[tuple[float, float]] = []
    tasks = [asyncio.ensure_future(wait(clock, seconds, woken)) for seconds in (1.0, 2.0, 3.0)]
    await asyncio.sleep(0)
    clock.advance(2.0)
    assert clock.now() == 12.0
    await asyncio.gather(*tasks[:2])
    assert [seconds for seconds, _ in woken] == [1.0, 2.0]
    assert not tasks[2].done()
    clock.advance(1.0)
    await tasks[2]
    assert clock.now() == 13.0


async def test_a_sleeper_that_is_cancelled_holds_no_one_up() -> None:
    clock = FakeClock()
    cancelled = asyncio.ensure_future(clock.sleep(1.0))
    await asyncio.sleep(0)
    cancelled.cancel()
    await clock.run(asyncio.ensure_future(clock.sleep(5.0)))
    assert cancelled.cancelled()
    assert clock.now() == 5.0


async def test_a_sleep_of_nothing_lets_others_run_and_takes_no_time() -> None:
    clock = FakeClock()
    ran: list[str] = []
    other = asyncio.ensure_future(asyncio.sleep(0, ran.append("other")))
    for seconds in (0.0, -1.0):
        await clock.sleep(seconds)
    await other
    assert (ran, clock.now()) == (["other"], 0.0)


async def test_run_gives_what_the_work_gives_and_raises_what_it_raises() -> None:
    clock = FakeClock()

    async def work(fails: bool) -> str:
        await clock.sleep(1.0)
        if fails:
            raise LookupError("nothing there")
        return "done"

    assert await clock.run(asyncio.ensure_future(work(fails=False))) == "done"
    with pytest.raises(LookupError, match="nothing there"):
        await clock.run(asyncio.ensure_future(work(fails=True)))


async def test_the_system_clock_is_the_machine_s() -> None:
    clock = SystemClock()
    before = time.perf_counter()
    now = clock.now()
    await clock.sleep(0.001)
    assert before <= now < clock.now() <= time.perf_counter()
