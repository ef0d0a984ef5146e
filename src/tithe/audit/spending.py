"""What an audit may spend, and what it has spent: seconds, tokens, calls.

Each of the three has a limit for the whole audit, which no call is begun beyond (tokens of calls under way are
not known before their end, and may overdraw it), and a share of it for
the measurement that runs: the least that it can be taken with (plan.py), and of what is left beyond the
least of all that are still to come, an equal part. So a slow endpoint gets fewer samples of everything, and
not all of the first measurement and none of the last; what one leaves over, the others have.

A limit too small for all of them is spent on whole measurements: in their order, each that what is left is
enough for is taken, and the others are left out and said to be. Crumbs of everything would tell nothing. Of
time nobody knows beforehand what a measurement needs, so it is shared alike.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from tithe.audit.observation import Observation
from tithe.audit.plan import AuditPlan, Cost, costs, least_costs
from tithe.core import Clock

Limit = Literal["time", "tokens", "requests"]

Need = Mapping[Limit, float]
"""The least of tokens and calls that a measurement can be taken with."""

_UNITS: dict[Limit, tuple[str, str]] = {
    "time": ("--max-time", "s"),
    "tokens": ("--max-tokens", "tokens"),
    "requests": ("--max-requests", "calls"),
}


def needs(plan: AuditPlan) -> tuple[Need, ...]:
    """What each measurement needs at the least, in their order."""
    return tuple(_need(cost) for cost in least_costs(plan))


def limits(plan: AuditPlan) -> dict[Limit, float]:
    """The limits that the plan sets."""
    most: dict[Limit, float | None] = {
        "time": plan.max_time,
        "tokens": plan.max_tokens,
        "requests": plan.max_requests,
    }
    return {limit: value for limit, value in most.items() if value is not None}


def foreseen(plan: AuditPlan) -> tuple[str, ...]:
    """The measurements that the plan's limits leave too little for, as far as can be told beforehand."""
    warm_up, planned = _need(costs(plan)[0]), least_costs(plan)
    left: dict[Limit, float] = {limit: most - warm_up.get(limit, 0.0) for limit, most in limits(plan).items()}
    taken = enough(left, [_need(cost) for cost in planned])
    return tuple(cost.measurement for cost, whether in zip(planned, taken, strict=True) if not whether)


def enough(left: Mapping[Limit, float], wanted: Sequence[Need]) -> list[bool]:
    """Which of the measurements, in their order, what is left is enough for."""
    room: dict[Limit, float] = dict(left)
    taken: list[bool] = []
    for need in wanted:
        taken.append(all(need.get(limit, 0.0) <= amount for limit, amount in room.items()))
        if taken[-1]:
            room = {limit: amount - need.get(limit, 0.0) for limit, amount in room.items()}
    return taken


def _need(cost: Cost) -> Need:
    return {"tokens": cost.prompt_tokens + cost.output_tokens, "requests": cost.calls}


class Spending:
    """The audit's account. Time runs from its making.

    Tokens are those that the endpoint reported; of a call that reports none, as many as there were
    chunks with text, and `prompt_tokens`, the estimate that came with the call.
    """

    def __init__(self, plan: AuditPlan, clock: Clock) -> None:
        self._clock = clock
        self._begun = clock.now()
        self._most = limits(plan)
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

    def seconds_left(self) -> float:
        """Until the audit's time limit."""
        most = self._most.get("time")
        return float("inf") if most is None else most - self.spent("time")

    def share(self, wanted: Sequence[Need]) -> str | None:
        """A measurement begins; `wanted` is its least, and that of each which follows.

        Returns why it is to be left out, where too little is left for it.
        """
        left: dict[Limit, float] = {
            limit: max(0.0, most - self.spent(limit)) for limit, most in self._most.items()
        }
        taken = enough(left, wanted)
        if not taken[0]:
            return self._too_little(left, wanted[0])
        following = [need for need, whether in zip(wanted, taken, strict=True) if whether]
        for limit, amount in left.items():
            surplus = amount - sum(need.get(limit, 0.0) for need in following)
            own = wanted[0].get(limit, 0.0) + surplus / len(following)
            self._shares[limit] = self.spent(limit) + own
        return None

    def _too_little(self, left: Mapping[Limit, float], need: Need) -> str:
        lacking: list[Limit] = [limit for limit, amount in left.items() if need.get(limit, 0.0) > amount]
        limit = lacking[0]
        flag, unit = _UNITS[limit]
        rest = f"{left[limit]:,.0f} {unit.removesuffix('s') if round(left[limit]) == 1 else unit}"
        return (
            f"{flag} {self._most[limit]:,g} leaves {rest} for it, and it takes at least {need[limit]:,.0f}."
        )

    def exhausted(self) -> Limit | None:
        """Which limit of the whole audit has been reached."""
        return self._reached(self._most)

    def share_exhausted(self, calls: int = 0) -> Limit | None:
        """Which limit of this measurement's share has been reached, or would be passed by `calls` like those so far."""
        tokens = self._tokens / self._requests * calls if self._requests else 0.0
        following: dict[Limit, float] = {"tokens": tokens, "requests": calls}
        passed: list[Limit] = [
            limit
            for limit, share in self._shares.items()
            if self.spent(limit) + following.get(limit, 0.0) > share
        ]
        return self._reached(self._shares) or (passed[0] if passed else None)

    def _reached(self, limits: Mapping[Limit, float]) -> Limit | None:
        reached: list[Limit] = [limit for limit, most in limits.items() if self.spent(limit) >= most]
        return reached[0] if reached else None
