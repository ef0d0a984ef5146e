"""The probe: makes an audit's calls, one label each, and keeps count of what became of them.

When `plan.give_up_after` calls in a row have failed, it gives up, calls aside that the endpoint does not take
(a prompt longer than its context, a feature that it lacks: HTTP 400 and the like, but not a 404); when a limit of the plan is reached, or
the user interrupts, it stops. Every further call is then a failed observation of kind `NOT_ASKED` and
never reaches the endpoint. So the measurements end quickly and in order, and what was measured until
then has its figures.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar

from tithe.audit.observation import Failure, Observation, observe
from tithe.audit.patience import asks_for_patience, wait_s
from tithe.audit.plan import PROBE_TOKENS, AuditPlan
from tithe.audit.prompt import Prompts
from tithe.audit.spending import Limit, Spending
from tithe.audit.turns import Seat, alone
from tithe.core import Backend, Clock, Message, Request

Stop = Literal["gave up", "interrupted", "left out"] | Limit

Progress = Callable[[str], None]

T = TypeVar("T")

NOT_ASKED = "NotAsked"
_NOT_THERE = 404

_WHY: dict[Stop, str] = {
    "gave up": "the audit had given up by then",
    "interrupted": "the audit had been interrupted by then",
    "left out": "the limits leave too little for this measurement",
    "time": "the time limit (--max-time) had been reached",
    "tokens": "the limit of tokens (--max-tokens) had been reached",
    "requests": "the limit of calls (--max-requests) had been reached",
}


class Interruption:
    """Ends an audit early, from outside: no more calls are made, and those under way are cut off."""

    def __init__(self) -> None:
        self.happened = False
        self.under_way = set[asyncio.Task[Any]]()

    def interrupt(self) -> None:
        """Call it on the audit's event loop."""
        self.happened = True
        for task in self.under_way:
            task.cancel()


class Probe:
    """Calls one backend under one plan. A failed call is data; what is asked again is booked, and why.

    `progress` is told a call's label when one of the planned calls has ended. `asked_again` of the
    `calls` were not planned. `refused` are those that were turned away and asked again (patience.py), after
    `waited_s` in all. `left_out`: the limits leave too little for the running measurement. `gave_up` is what made the probe give up; None while it has not. `aside` is
    entered for what is computed between calls. Calls are made in the turns of its `seat`.
    """

    def __init__(
        self,
        backend: Backend,
        model: str,
        plan: AuditPlan,
        prompts: Prompts,
        clock: Clock,
        progress: Progress | None = None,
        interruption: Interruption | None = None,
        seat: Seat | None = None,
    ) -> None:
        self.plan = plan
        self.prompts = prompts
        self.clock = clock
        self.calls = 0
        self.asked_again = 0
        self.failures = 0
        self.gave_up: str | None = None
        self.left_out = False
        self.refused: list[Observation] = []
        self.waited_s = 0.0
        self._ready_at = clock.now()
        self.spending = Spending(plan, clock)
        self.seat = seat if seat is not None else alone()
        self.aside: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        self._interruption = interruption if interruption is not None else Interruption()
        self._failed_in_a_row = 0
        self._backend = backend
        self.model = model
        self._progress = progress

    @property
    def interrupted(self) -> bool:
        return self._interruption.happened

    def stopped_by(self) -> Stop | None:
        """Why the probe makes no more calls; None while it does."""
        if self.interrupted:
            return "interrupted"
        if self.gave_up is not None:
            return "gave up"
        return "left out" if self.left_out else self.spending.exhausted()

    def ended(self, calls: int = 0) -> Stop | None:
        """Why the running measurement should take no more samples: the probe stopped, or its share is used up.

        `calls`: those of what would come next, which the share has to be enough for.
        """
        return self.stopped_by() or self.spending.share_exhausted(calls)

    def request(self, messages: tuple[Message, ...], max_tokens: int = PROBE_TOKENS) -> Request:
        """A plain request. Sampling is left at the API's defaults, which every endpoint takes."""
        return Request(model=self.model, messages=messages, max_tokens=max_tokens)

    async def call(
        self, request: Request, label: str, *, planned: bool = True, patient: bool = True
    ) -> Observation:
        """Make one call, unless the probe has stopped.

        `patient`: turned away for now, it is asked again when the endpoint wants it (patience.py).
        """
        if patient:
            await self.ready()
        seen, refusals = await self._attempt(request, label, planned=planned, patient=patient), 0
        while patient and self.will_wait(seen.failure, refusals):
            self.refused.append(seen)
            refusals += 1
            await self.ready()
            seen = await self._attempt(request, label, planned=False, patient=True)
        return seen

    async def ready(self) -> None:
        """Wait until the endpoint, having turned a call away, wants to be asked again."""
        start = self.clock.now()
        if self.stopped_by() is None and self._ready_at > start:
            await self._unless_interrupted(self.clock.sleep(self._ready_at - start))
            self.waited_s += self.clock.now() - start

    def will_wait(self, failure: Failure | None, refusals: int) -> bool:
        """Whether a call is to be asked again after its `refusals`-th refusal in a row (from 0); `ready` waits for it."""
        wait = wait_s(failure, refusals)
        if wait is None or self.stopped_by() is not None or wait >= self.spending.seconds_left():
            return False
        self._ready_at = self.clock.now() + wait
        return True

    async def _attempt(self, request: Request, label: str, *, planned: bool, patient: bool) -> Observation:
        stopped = self.stopped_by()
        if stopped is not None:
            return self._not_asked(label, stopped)
        self.spending.begin()
        seen = await self._unless_interrupted(observe(self._backend, request, self.clock, label))
        self.calls += 1
        if seen is None:
            return self._not_asked(label, "interrupted")
        self.spending.add(seen, self.prompts.estimated_tokens(request.messages))
        self.asked_again += not planned
        if planned and self._progress is not None:
            self._progress(label)
        if seen.failure is None:
            self._failed_in_a_row = 0
            return seen
        self.failures += 1
        if not patient and asks_for_patience(seen.failure):
            # Of many at once any number may be turned away: the next round waits, and nothing is given up.
            self.will_wait(seen.failure, 0)
            return seen
        if seen.refusal is not None and seen.failure.http_status != _NOT_THERE:
            # It says so at once, and of what it does take there is enough to measure.
            return seen
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self.plan.give_up_after:
            self.gave_up = (
                f"{self._failed_in_a_row} calls in a row failed, the last with {seen.failure.kind}: "
                f"{seen.failure.message}"
            )
        return seen

    async def _unless_interrupted(self, work: Awaitable[T]) -> T | None:
        """What `work` returns; None when an interruption cut it off."""
        task = asyncio.current_task()
        assert task is not None
        self._interruption.under_way.add(task)
        try:
            return await work
        except asyncio.CancelledError:
            if not self.interrupted:
                raise
            task.uncancel()
            return None
        finally:
            self._interruption.under_way.discard(task)

    def _not_asked(self, label: str, stopped: Stop) -> Observation:
        now = self.clock.now()
        failure = Failure(kind=NOT_ASKED, message=_WHY[stopped])
        return Observation(label=label, begun=now, ended=now, failure=failure)

    async def full_length(self, request: Callable[[int], Request], label: str) -> tuple[Observation, ...]:
        """Call until an answer has the length asked for, at most `plan.reasks` times more.

        `request` makes the n-th attempt's request, so that its prompt can have a salt of its own.
        Returns every attempt, the one to use last. Where no usage is reported, the finish reason alone
        tells that an answer was short.
        """
        asked = request(0)
        attempts = [await self.call(asked, label)]
        while len(attempts) <= self.plan.reasks and fell_short(attempts[-1], asked.max_tokens):
            asked = request(len(attempts))
            attempts.append(await self.call(asked, label, planned=False))
        return tuple(attempts)


def fell_short(seen: Observation, wanted: int | None) -> bool:
    """Whether a whole answer ended of itself before `wanted` tokens."""
    if seen.failure is not None or wanted is None or seen.finish == "length":
        return False
    return seen.output_tokens is None or seen.output_tokens < wanted
