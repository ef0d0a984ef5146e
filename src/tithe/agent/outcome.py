"""What came of a run."""

from typing import Any, Literal

import msgspec

from tithe.agent.environment import Environment
from tithe.agent.fault import FaultSeen
from tithe.agent.policy import Decision
from tithe.core import Message
from tithe.core.errors import TitheError

# answered       the answer was accepted
# out of time    the deadline came; `answer` is the best that there was by then, if any
# out of steps   every way took `max_steps`
# stuck          the model repeated itself, and nothing else could be tried
# failed         the endpoint would not answer: `error` says why
Stopped = Literal["answered", "out of time", "out of steps", "stuck", "failed"]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of the policy's, with what it took. `left_s`: when it was taken. `took_s`: None where it was cut short; of `again` the
    way that it began, until that came to an answer or was left for another."""

    way: int
    step: int
    left_s: float
    decision: Decision
    took_s: float | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's run.

    answer: the best valid answer; None: there was none in time. vouched: the user's check passed it, or two ways agreed.
    next: what would have been done with more time; None where it was not time that there was too little of. error: what the endpoint, or a
    function of the user's, failed of where that ended the run.
    steps, calls, retries, hedges, ways: how many there were in all. tokens: output tokens, as far as they were reported.
    messages: the conversation that the answer came from. environment: the one it was made in, still open; close it. Both are empty
    where the run ended before a way began.
    """

    answer: Any
    stopped: Stopped
    vouched: bool
    wall_s: float
    budget_s: float
    steps: int
    calls: int
    retries: int
    hedges: int
    ways: int
    tokens: int
    faults: tuple[FaultSeen, ...]
    decisions: tuple[Decided, ...]
    messages: tuple[Message, ...]
    environment: Environment
    next: str | None = None
    error: TitheError | None = None
