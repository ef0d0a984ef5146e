"""The probe: makes an audit's calls, one label each, and keeps count of what became of them.

When `plan.give_up_after` calls in a row have failed, it gives up: every further call is a failed
observation of kind `NOT_ASKED` and never reaches the endpoint. So the measurements end quickly and in
order, and what was measured until then has its figures.
"""

from collections.abc import Callable

from tithe.audit.observation import Failure, Observation, observe
from tithe.audit.plan import PROBE_TOKENS, AuditPlan
from tithe.audit.prompt import Prompts
from tithe.core import Backend, Clock, Message, Request

Progress = Callable[[str], None]

NOT_ASKED = "NotAsked"


class Probe:
    """Calls one backend under one plan. Never retries on its own; a failed call is data.

    `progress` is told a call's label when one of the planned calls has ended. `asked_again` of the
    `calls` were not planned. `gave_up` is why the probe asks no more; None while it does.
    """

    def __init__(
        self,
        backend: Backend,
        model: str,
        plan: AuditPlan,
        prompts: Prompts,
        clock: Clock,
        progress: Progress | None = None,
    ) -> None:
        self.plan = plan
        self.prompts = prompts
        self.clock = clock
        self.calls = 0
        self.asked_again = 0
        self.failures = 0
        self.gave_up: str | None = None
        self._failed_in_a_row = 0
        self._backend = backend
        self._model = model
        self._progress = progress

    def request(self, messages: tuple[Message, ...], max_tokens: int = PROBE_TOKENS) -> Request:
        """A plain request. Sampling is left at the API's defaults, which every endpoint takes."""
        return Request(model=self._model, messages=messages, max_tokens=max_tokens)

    async def call(self, request: Request, label: str, *, planned: bool = True) -> Observation:
        """Make one call, unless the probe has given up."""
        if self.gave_up is not None:
            return self._not_asked(label)
        seen = await observe(self._backend, request, self.clock, label)
        self.calls += 1
        self.asked_again += not planned
        if planned and self._progress is not None:
            self._progress(label)
        if seen.failure is None:
            self._failed_in_a_row = 0
            return seen
        self.failures += 1
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self.plan.give_up_after:
            self.gave_up = (
                f"{self._failed_in_a_row} calls in a row failed, the last with {seen.failure.kind}: "
                f"{seen.failure.message}"
            )
        return seen

    def _not_asked(self, label: str) -> Observation:
        now = self.clock.now()
        failure = Failure(kind=NOT_ASKED, message="the audit had given up by then")
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
