"""What the loop may do to be right and to be fast; the policy decides before each step what of it is affordable."""

import msgspec

from tithe.core.errors import UsageError


class Crafts(msgspec.Struct, frozen=True, kw_only=True):
    """Raises `UsageError` for a number that makes no sense.

    candidates: at most so many answers at once in a step, of which the best is taken.
    verify: a call asks whether the step's tool call is right, before it is run.
    review: a call criticizes the final answer.
    ways: at most so many ways from goal to answer, each with fresh tools, until two agree.
    retries: how often a call is asked again that failed for the endpoint's part.
    hedge: the share of an agent's calls that may be asked a second time because their first token is late.
    early: an idempotent tool starts when its arguments are complete, before the answer is.
    parallel: calls of one answer run at once where their tools may.
    """

    candidates: int = 3
    verify: bool = False
    review: bool = True
    ways: int = 5
    retries: int = 4
    hedge: float = 0.1
    early: bool = True
    parallel: bool = True

    def __post_init__(self) -> None:
        for name, least in (("candidates", 1), ("ways", 1), ("retries", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least {least}.")
        if not 0 <= self.hedge <= 1:
            raise UsageError(f"hedge is {self.hedge}: it is a share of the calls, from 0 to 1.")


ALL = Crafts()
"""What is on unless said otherwise."""

PLAIN = Crafts(candidates=1, review=False, ways=1, retries=2, hedge=0.0, early=False, parallel=False)
"""What the loop that everyone writes first does: a call a step, and the SDKs' own two retries."""
