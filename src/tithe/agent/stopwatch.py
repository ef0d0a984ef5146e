"""How long something was under way, and a backend that is watched for it."""

import contextlib
import time
from collections.abc import AsyncGenerator, Generator
from typing import cast

from tithe.core import Backend, Event, Request


class Stopwatch:
    """Counts the seconds in which at least one of what it watches is under way: two at once count once."""

    def __init__(self) -> None:
        self._counted = 0.0
        self._running = 0
        self._since = 0.0

    @property
    def seconds(self) -> float:
        """Until now."""
        return self.until(time.perf_counter())

    def until(self, now: float) -> float:
        """Until an instant of `perf_counter` that is no earlier than the last thing that began or ended."""
        return self._counted + (now - self._since if self._running else 0.0)

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Something is under way."""
        if not self._running:
            self._since = time.perf_counter()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._counted += time.perf_counter() - self._since


class WatchedBackend:
    """A `Backend` as it is; the stopwatch counts the seconds in which it is asked something."""

    def __init__(self, backend: Backend, stopwatch: Stopwatch) -> None:
        self._backend = backend
        self._stopwatch = stopwatch

    async def generate(self, request: Request) -> AsyncGenerator[Event]:
        """What the backend answers."""
        with self._stopwatch.running():
            async with contextlib.aclosing(
                cast("AsyncGenerator[Event]", self._backend.generate(request))
            ) as events:
                async for event in events:
                    yield event

    async def aclose(self) -> None:
        """Close the backend."""
        await self._backend.aclose()
