"""Events that are ready together, as one batch: so that they leave in one socket write.

A backend often has several events at once (a step's tokens for four choices, a forced run of tokens, one
socket read of a remote endpoint). `async for` cannot tell "the next one is there" from "the next one must
be waited for". A coroutine can: stepped once, it either ends (the event is there) or gives out the future
that it waits on. So each `anext` is stepped by hand; when it would wait, the batch is full, and that same
step is awaited later, from where it stopped. No task and no turn of the event loop is spent on it.
"""

import asyncio
import contextlib
import types
from collections.abc import AsyncIterator, Generator
from typing import Any

from tithe.core.event import Event

# So that a backend that never waits still gives its first events, and the event loop, a chance.
BATCH_LIMIT = 256


class Batches:
    """The events of a backend's answer, in lists of those that were ready at the same time.

    What the backend raises is raised after the events that came before it. Always close it.
    """

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events
        # A begun `anext`, and what it waits on.
        self._step: tuple[Generator[Any, Any, Event], Any] | None = None
        self._failure: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether it is known already that no event follows."""
        return isinstance(self._failure, StopAsyncIteration)

    def __aiter__(self) -> "Batches":
        return self

    async def __anext__(self) -> list[Event]:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        batch: list[Event] = []
        if self._step is not None:
            batch.append(await self._finish())
        try:
            while len(batch) < BATCH_LIMIT:
                event = self._begin()
                if event is not None:
                    batch.append(event)
                elif batch:
                    break
                else:
                    batch.append(await self._finish())
        except BaseException as failure:
            if not batch:
                raise
            self._failure = failure
        return batch

    def _begin(self) -> Event | None:
        """Step into the next event: it, or None when it must be waited for."""
        step: Any = anext(self._events).__await__()
        try:
            waiting = next(step)
        except StopIteration as ready:
            return ready.value
        self._step = (step, waiting)
        return None

    @types.coroutine
    def _finish(self) -> Generator[Any, Any, Event]:
        """Wait for the event that was begun, passing on cancellation as an ordinary await does."""
        assert self._step is not None
        step, waiting = self._step
        self._step = None
        try:
            while True:
                try:
                    yield waiting
                except BaseException as error:  # noqa: BLE001 - the step is told of all that befalls its reader
                    waiting = step.throw(error)
                else:
                    waiting = next(step)
        except StopIteration as ready:
            return ready.value

    async def aclose(self) -> None:
        """Abandon what is left, at once: the backend sees its reader cancelled."""
        if self._step is not None:
            waiting = self._step[1]
            if isinstance(waiting, asyncio.Future):
                waiting.cancel()
            # How an abandoned call ends is of no interest any more.
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._finish()
        close = getattr(self._events, "aclose", None)
        if close is not None:
            await close()
