"""What an audit may spend, and what it has spent: seconds, tokens, calls.

Each of the three has a limit for the whole audit, which no call is made beyond, and a share of it for
the measurement that runs: what is left when it begins, divided by the measurements still to come,
its own included. So a slow endpoint gets fewer samples of everything, and not all of the first
measurement and none of the last; what one leaves over, the others have.
"""

from typing import Literal

from tithe.audit.observation import Observation
from tithe.audit.plan import AuditPlan
from tithe.core import Clock

Limit = Literal["time", "tokens", "requests"]

LIMITS: tuple[Limit, ...] = ("time", "tokens", "requests")


class Spending:
    """The audit's account. Time runs from its making.

    Tokens are those that the endpoint reported; of a call that reports none, as many as there were
    chunks with text, and `prompt_tokens`, the estimate that came with the call.
    """

    def __init__(self, plan: AuditPlan, clock: Clock) -> None:
        self._clock = clock
        self._begun = clock.now()
        self._most: dict[Limit, float | None] = {
            "time": plan.max_time,
            "tokens": plan.max_tokens,
            "requests": plan.max_requests,
        }
        self._shares = dict(self._most)
        self._tokens = 0.0
        self._requests = 0

    def spent(self, limit: Limit) -> float:
        """Seconds, tokens or calls so far."""
        if limit == "time":
            return self._clock.now() - self._begun
        return self._tokens if limit == "tokens" else self._requests

    def begin(self) -> None:
        """Book that a call is made: others may be about to be."""
        self._requests += 1

    def add(self, seen: Observation, prompt_tokens: float) -> None:
        """Book the tokens of a call that has ended."""
        prompt = prompt_tokens if seen.prompt_tokens is None else seen.prompt_tokens
        output = len(seen.stamps) if seen.output_tokens is None else seen.output_tokens
        self._tokens += prompt + output

    def share(self, measurements_left: int) -> None:
        """A measurement begins; `measurements_left` counts it and those that follow."""
        for limit, most in self._most.items():
            if most is not None:
                spent = self.spent(limit)
                self._shares[limit] = spent + max(0.0, most - spent) / measurements_left

    def exhausted(self) -> Limit | None:
        """Which limit of the whole audit has been reached."""
        return self._reached(self._most)

    def share_exhausted(self) -> Limit | None:
        """Which limit of this measurement's share has been reached."""
        return self._reached(self._shares)

    def _reached(self, limits: dict[Limit, float | None]) -> Limit | None:
        for limit, most in limits.items():
            if most is not None and self.spent(limit) >= most:
                return limit
        return None
