"""How many calls run at once, and how the house is closed: first no new ones, then none at all."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from tithe.core.errors import Closing, Overloaded


class Admission:
    """Counts the calls in the house. A call that finds it full or closing is turned away, not queued."""

    def __init__(self, max_concurrent: int) -> None:
        self._max_concurrent = max_concurrent
        self._running: set[asyncio.Task[object]] = set()
        self.closing = False
        # Set when the drain is over: a call that is cancelled from then on was cut by the house, not left
        # by its client.
        self.cut = False

    @property
    def running(self) -> int:
        return len(self._running)

    def look(self) -> None:
        """Whether a call would be let in now. Raises `Closing` or `Overloaded`."""
        if self.closing:
            raise Closing("the endpoint is shutting down: send the request to another, or after its restart")
        if len(self._running) >= self._max_concurrent:
            raise Overloaded(
                f"{self._max_concurrent} calls are running, the most this endpoint takes: retry later",
                retry_after=1.0,
            )

    @contextmanager
    def enter(self) -> Generator[None, None, None]:
        """Hold a place for the current task. Raises `Closing` or `Overloaded`."""
        self.look()
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            yield
        finally:
            self._running.discard(task)

    def cut_short(self) -> None:
        """Cancel the calls that run."""
        self.cut = True
        for task in self._running:
            task.cancel()

    async def drain(self, seconds: float) -> None:
        """Take no new calls, let the running ones finish for `seconds`, then cancel what is left."""
        self.closing = True
        if self._running and seconds > 0:
            await asyncio.wait(self._running, timeout=seconds)
        left = list(self._running)
        self.cut_short()
        if left:
            await asyncio.wait(left)
