"""What `tithe agent` prints as JSON."""

from typing import Any, Self

import msgspec

from tithe.agent import Decided, FaultSeen, Outcome
from tithe.audit import Endpoint


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints of any agent's run. Times in seconds.

    answer: the model's words; None: there was no answer in time. next: what would have been done with more time.
    """

    goal: str
    url: str
    model: str
    answer: str | None
    stopped: str
    wall_s: float
    budget_s: float
    steps: int
    calls: int
    retries: int
    hedges: int
    tokens: int
    faults: tuple[FaultSeen, ...]
    decisions: tuple[Decided, ...]
    next: str | None

    @classmethod
    def of(cls, goal: str, endpoint: Endpoint, outcome: Outcome, **more: Any) -> Self:
        """The report of a run; `more`: what it has besides."""
        return cls(
            goal=goal,
            url=endpoint.url,
            model=endpoint.model,
            answer=None if outcome.answer is None else str(outcome.answer),
            stopped=outcome.stopped,
            wall_s=outcome.wall_s,
            budget_s=outcome.budget_s,
            steps=outcome.steps,
            calls=outcome.calls,
            retries=outcome.retries,
            hedges=outcome.hedges,
            tokens=outcome.tokens,
            faults=outcome.faults,
            decisions=outcome.decisions,
            next=outcome.next,
            **more,
        )
