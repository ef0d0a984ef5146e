"""A call: attempts until one is answered, within the time that is left.

What an attempt failed of decides whether it is asked again: a full house, a lost connection, a broken stream and silence are;
a request that is refused is not. The wait before that is what the endpoint says (`Retry-After`), else doubles from `BACKOFF_S`, with
some chance in it, so that many agents do not come again together.

Hedging: an attempt whose first token is later than nine in ten is joined by a second; at most the share `Crafts.hedge` of all the calls that the agent has made is.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tithe.agent.crafts import Crafts
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.race import Race, Watch, patience
from tithe.agent.speculation import wanted
from tithe.agent.speeds import CallTime, Speeds
from tithe.core import Backend, Request
from tithe.core import attributes as at
from tithe.core.errors import Closing, EndpointError, EndpointRefused, EngineError, Overloaded, TitheError
from tithe.trace.tracing import call
from tithe.wire.hearing import Hearing

T = TypeVar("T")

BACKOFF_S = 0.1
_ASKED_AGAIN = frozenset((408, 409, 425, 429))


class CallFailed(Exception):
    """A call that failed for good, of `error`. Never leaves this room."""

    def __init__(self, error: TitheError) -> None:
        super().__init__(error.message)
        self.error = error


class Caller:
    """Makes a run's calls.

    calls: how many there were; retries, hedges: further attempts after a failure, and because of lateness; tokens: output tokens
    of all that were answered, as far as they were reported.
    """

    def __init__(self, backend: Backend, speeds: Speeds, crafts: Crafts, deadline: Deadline) -> None:
        self.calls = self.retries = self.hedges = self.tokens = 0
        self._backend = backend
        self._speeds = speeds
        self._crafts = crafts
        self._deadline = deadline
        self._chance = random.Random()

    async def ask(
        self,
        request: Request,
        *,
        watch: Watch | None = None,
        answered: Callable[[Hearing], "asyncio.Future[bool]"] | None = None,
    ) -> Hearing:
        """The whole answer.

        `watch` is called as it comes, after each event. `answered` is called with the answer, where it is not known yet whether it
        will be used: what it returns is waited for, and says so; the call's span is marked by that.

        Raises:
            OutOfTime: the deadline came first.
            CallFailed: it failed, and asking again is of no use, was done often enough, or may not be before the deadline.
        """
        self.calls += 1
        self._speeds.asked += 1
        with call(request.model) as scope:
            try:
                hearing = await self._answer(request, watch)
            except CallFailed as failed:
                scope.note({at.ERROR: failed.error.code or type(failed.error).__name__})
                raise
            except asyncio.CancelledError:
                scope.note({at.SPECULATIVE: True})
                raise
            scope.note(hearing.attributes() | ({at.CHOICES: request.n} if request.n > 1 else {}))
            self._learn(hearing, request.n)
            if answered is not None:
                await wanted(scope, answered(hearing))
            return hearing

    async def insist(self, attempt: Callable[[bool], Awaitable[T]]) -> T:
        """What an attempt gives, which is told whether it is the last; it is made again where that may help, as often as `Crafts.retries`
        has it. Raises as `ask` does."""
        failures = 0
        while True:
            try:
                return await attempt(failures >= self._crafts.retries)
            except TitheError as error:
                if not is_transient(error) or failures >= self._crafts.retries:
                    raise CallFailed(error) from error
                await self._back_off(error, failures)
            except (OutOfTime, CallFailed):
                raise
            except Exception as error:
                raise CallFailed(EngineError(f"The backend raised {error!r}, which none may.")) from error
            failures += 1
            self.retries += 1

    async def _answer(self, request: Request, watch: Watch | None) -> Hearing:
        silent = 0.0

        async def attempt(last: bool) -> Hearing:
            nonlocal silent
            may_hedge = self._speeds.hedged + 1 <= self._crafts.hedge * self._speeds.asked
            waits = patience(self._speeds, self._deadline.left, hedge=may_hedge, silent=silent, last=last)
            race = Race(self._backend, request, self._deadline, watch)
            try:
                return await race.run(waits)
            finally:
                silent = max(silent, race.silent)
                self.hedges += race.hedged
                self._speeds.hedged += race.hedged

        return await self.insist(attempt)

    async def _back_off(self, error: TitheError, failures: int) -> None:
        told: float | None = getattr(error, "retry_after", None)
        wait = told if told is not None else BACKOFF_S * 2.0**failures * self._chance.uniform(0.75, 1.25)
        if wait >= self._deadline.left:
            raise CallFailed(error) from error
        await self._deadline.clock.sleep(wait)

    def _learn(self, hearing: Hearing, choices: int) -> None:
        tokens = hearing.usage.completion_tokens if hearing.usage is not None else None
        self.tokens += tokens or 0
        first, last = hearing.first_token, hearing.last_token
        if choices == 1 and first is not None and last is not None:
            self._speeds.saw_call(CallTime(first - hearing.begun, last - first, tokens))


def is_transient(error: TitheError) -> bool:
    """Whether asking again may help."""
    if isinstance(error, EndpointRefused):
        return error.http_status in _ASKED_AGAIN or error.http_status >= 500
    return isinstance(error, EndpointError | Overloaded | Closing | EngineError)
