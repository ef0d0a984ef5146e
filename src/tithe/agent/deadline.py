"""The task's deadline, and a way to wait for something no longer than that."""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from tithe.core import Clock

T = TypeVar("T")

_TURNS = 5


class OutOfTime(Exception):
    """What was waited for did not end in its time. Never leaves this room."""


class Cancelled(Exception):
    """What was waited for cancelled itself: no reason to take the run for cancelled."""


class Deadline:
    """A budget of wall clock in seconds that began when this was made."""

    def __init__(self, clock: Clock, budget_s: float) -> None:
        self.clock = clock
        self.began = clock.now()
        self.budget_s = budget_s
        self._abandoned: set[asyncio.Future[Any]] = set()

    @property
    def spent(self) -> float:
        return self.clock.now() - self.began

    @property
    def left(self) -> float:
        """Seconds; 0 when it is over."""
        return max(0.0, self.budget_s - self.spent)

    @property
    def over(self) -> bool:
        return self.left <= 0

    def clamp(self, seconds: float | None) -> float:
        """So many seconds, and no more than are left; all that are left for None."""
        return self.left if seconds is None else min(seconds, self.left)

    async def within(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """What `work` returns, if it does within so many seconds.

        Raises `OutOfTime` otherwise: the work is cancelled and not waited for, since it may not heed that. Raises `Cancelled` where the work
        was cancelled by something else than this.
        """
        task = asyncio.ensure_future(work)
        await self.any_of({task}, seconds)
        if not task.done():
            raise OutOfTime
        if task.cancelled():
            raise Cancelled("it was cancelled from within")
        return task.result()

    async def any_of(self, waited: "set[asyncio.Future[Any]]", seconds: float) -> None:
        """Wait until one of them is done, no longer than so many seconds. Those that then are not done are cancelled."""
        try:
            await self.until_one(waited, seconds)
        finally:
            for future in waited:
                self.abandon(future)

    async def until_one(self, waited: "set[asyncio.Future[Any]]", seconds: float) -> None:
        """Wait until one of them is done, no longer than so many seconds; all go on."""
        sleep = (
            set[asyncio.Future[Any]]()
            if math.isinf(seconds)
            else {asyncio.ensure_future(self.clock.sleep(max(0.0, seconds)))}
        )
        try:
            await asyncio.wait(waited | sleep, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in sleep:
                future.cancel()

    def release(self, future: "asyncio.Future[Any]") -> None:
        """Let what has all it needs come to its end by itself."""
        self._abandoned.add(future)
        future.add_done_callback(_hush)
        future.add_done_callback(self._abandoned.discard)

    async def settle(self) -> None:
        """Let what was abandoned or released close its spans; what does not heed is not waited for."""
        for _ in range(_TURNS):
            if not self._abandoned:
                return
            await asyncio.sleep(0)

    def abandon(self, future: "asyncio.Future[Any]") -> None:
        """Cancel what nobody waits for any more, and let nobody hear what becomes of it."""
        if future.done():
            _hush(future)
            return
        self.release(future)
        future.cancel()


def _hush(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
