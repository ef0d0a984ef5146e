"""The clock: the one place that time comes from, so that a test can turn it by hand."""

import asyncio
import heapq
import itertools
import threading
import time
from typing import Protocol, TypeVar

T = TypeVar("T")

WORK = "work: "
"""What the names of threads begin with that a `FakeClock` waits for."""

# Real seconds that such a thread is waited for before a fake clock moves on without it.
_THREAD_S = 2.0


class Clock(Protocol):
    """A monotonic clock in seconds, and a way to wait on it."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's monotonic clock (CLOCK_MONOTONIC on Linux)."""

    def now(self) -> float:
        return time.perf_counter()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that moves only when every task waits on it.

    A sleeper is woken at exactly the instant it asked for. `run` drives a coroutine to its end and
    turns the clock to the next sleeper's instant whenever nothing else can run, so scripted timings
    come out exactly and a test takes no time. It waits for threads that were started meanwhile and are named as `WORK` has it, as
    what they do takes no time on it: no longer than `_THREAD_S` real seconds each.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), woken))
        await woken

    def advance(self, seconds: float) -> None:
        """Turn the clock forward, waking every sleeper on the way in order."""
        until = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            self._wake_next()
        self._now = until

    def _wake_next(self) -> None:
        at, _, woken = heapq.heappop(self._sleepers)
        self._now = max(self._now, at)
        if not woken.done():
            woken.set_result(None)

    async def run(self, work: "asyncio.Future[T]", idle_turns: int = 50) -> T:
        """Drive `work` to its end, turning the clock whenever `idle_turns` loop turns pass idle."""
        known = _workers()
        while not work.done():
            running = _workers()
            for _ in range(idle_turns):
                await asyncio.sleep(0)
                if work.done():
                    break
            running = (running | _workers()) - known
            if running and not work.done():
                await _ended(running)
                known |= running
                continue
            if not work.done() and self._sleepers:
                self._wake_next()
        return work.result()


def _workers() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name.startswith(WORK)}


async def _ended(threads: set[threading.Thread]) -> None:
    until = time.monotonic() + _THREAD_S
    while time.monotonic() < until and any(each.is_alive() for each in threads):  # noqa: ASYNC110 - a thread has no event
        await asyncio.sleep(0.0005)
