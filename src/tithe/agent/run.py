"""A run: ways from the goal to an answer, until one is good enough or the time is up.

    while there is time:
        decide what is affordable            policy
        do it                                Way.step, Way.review, or a new Way
        bank a valid answer                  it is never lost

Every decision is kept with what it was expected to take and what it took.
"""

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from tithe.agent.caller import Caller, CallFailed
from tithe.agent.crafts import Crafts
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.environment import Environment
from tithe.agent.outcome import Decided, Outcome, Stopped
from tithe.agent.policy import Decision, Policy, Situation
from tithe.agent.speeds import Speeds
from tithe.agent.way import Answer, Way
from tithe.core.errors import TitheError, UsageError

EXPECTED_STEPS = 8.0
"""How many steps a task is taken to need while none has come to an answer: about the mean of a request in TraceLab's coding sessions."""

_DISAGREED = 2  # ways that must come to the same


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """How a run's ways begin. `way` makes one; `fresh`: each has an environment of its own, so that there may be several."""

    way: Callable[[], Way]
    fresh: bool


class Run:
    """One run of an agent."""

    def __init__(
        self,
        begin: Begin,
        *,
        caller: Caller,
        speeds: Speeds,
        deadline: Deadline,
        crafts: Crafts,
        policy: Policy,
        max_steps: int,
    ) -> None:
        self._begin = begin
        self._caller = caller
        self._speeds = speeds
        self._deadline = deadline
        self._crafts = crafts
        self._policy = policy
        self._max_steps = max_steps
        self._ways: list[Way] = []
        self._took: list[float] = []
        self._banked: dict[int, Answer] = {}  # by way: a later answer of the same way mends an earlier one
        self._reviewed = 0
        self._reopened = False  # a review found something, and the way goes on
        self._log: list[Decided] = []

    async def to_end(self) -> Outcome:
        """Run until an answer is accepted, or nothing more can be done. Raises nothing but what the policy raises."""
        stopped: Stopped = "answered"
        error: TitheError | None = None
        next_: str | None = None
        self._ways.append(self._begin.way())
        while True:
            decision = self._policy(self._situation(), self._crafts)
            if decision.kind in ("accept", "stop"):
                self._note(decision, 0.0)
                if decision.kind == "stop" and not self._banked:
                    stopped, next_ = self._why_stopped(), self._ways[-1].doing
                break
            began, left = self._deadline.spent, self._deadline.left
            try:
                await self._do(decision)
            except OutOfTime:
                self._note(decision, None, left)
                stopped, next_ = "out of time", self._ways[-1].doing
                break
            except CallFailed as failed:
                self._note(decision, None, left)
                stopped, error, next_ = "failed", failed.error, self._ways[-1].doing
                break
            self._note(decision, self._deadline.spent - began, left)
        return self._outcome(stopped, next_, error)

    async def _do(self, decision: Decision) -> None:
        way = self._ways[-1]
        place = len(self._ways) - 1
        if decision.kind == "again":
            self._took.append(self._deadline.clock.now() - way.began)
            try:
                self._ways.append(self._begin.way())
            except Exception as error:
                raise CallFailed(
                    UsageError(f"No environment could be made for another way: {error!r}")
                ) from error
            return
        if decision.kind == "review":
            self._reviewed += 1
            self._reopened = not await way.review(self._banked[place])
            return
        await self._step(way, place, decision)

    async def _step(self, way: Way, place: int, decision: Decision) -> None:
        answer = await way.step(decision)
        if answer is not None:
            self._banked[place] = answer
            self._reopened = False
            self._speeds.saw_task(way.steps)

    def _situation(self) -> Situation:
        way, place = self._ways[-1], len(self._ways) - 1
        steps = sum(each.steps for each in self._ways)
        spent = self._deadline.clock.now() - way.began
        return Situation(
            left_s=self._deadline.left,
            steps=way.steps,
            ahead=max(1.0, (self._speeds.steps or EXPECTED_STEPS) - way.steps),
            calls=self._speeds.calls,
            candidates={
                count: self._speeds.candidates(count) for count in range(2, self._crafts.candidates + 1)
            },
            tools=self._speeds.tools,
            failing=sum(len(each.faults) for each in self._ways) / steps if steps else 0.0,
            stuck=way.stuck,
            spent=way.steps >= self._max_steps,
            pressed=way.pressed,
            banked=place in self._banked and not self._reopened,
            doubts=self._reviewed,
            ways=len(self._ways),
            way_s=max([*self._took, spent]),
            agreed=self._agreed(),
            fresh=self._begin.fresh and len(self._ways) < self._crafts.ways,
        )

    def _agreed(self) -> bool:
        if any(answer.vouched for answer in self._banked.values()):
            return True
        votes = Counter(_hashable(answer.key) for answer in self._banked.values())
        return bool(votes) and votes.most_common(1)[0][1] >= _DISAGREED

    def _why_stopped(self) -> Stopped:
        way = self._ways[-1]
        if way.steps >= self._max_steps:
            return "out of steps"
        return "stuck" if way.stuck else "out of time"

    def _note(self, decision: Decision, took: float | None, left: float | None = None) -> None:
        self._log.append(
            Decided(
                way=len(self._ways),
                step=self._ways[-1].steps,
                left_s=self._deadline.left if left is None else left,
                decision=decision,
                took_s=took,
            )
        )

    def _best(self) -> int | None:
        """The way whose answer is taken: a vouched one, else that for which most are, of equals the first."""
        if not self._banked:
            return None
        votes = Counter(_hashable(answer.key) for answer in self._banked.values())
        return max(
            self._banked,
            key=lambda place: (
                self._banked[place].vouched,
                votes[_hashable(self._banked[place].key)],
                -place,
            ),
        )

    def _outcome(self, stopped: Stopped, next_: str | None, error: TitheError | None) -> Outcome:
        best = self._best()
        way = self._ways[best if best is not None else -1]
        for other in self._ways:
            if other is not way:
                _close(other.environment)
        answer = self._banked[best] if best is not None else None
        return Outcome(
            answer=answer.value if answer is not None else None,
            stopped=stopped,
            vouched=answer is not None and (answer.vouched or self._agreed()),
            wall_s=self._deadline.spent,
            budget_s=self._deadline.budget_s,
            steps=sum(each.steps for each in self._ways),
            calls=self._caller.calls,
            retries=self._caller.retries,
            hedges=self._caller.hedges,
            ways=len(self._ways),
            tokens=self._caller.tokens,
            faults=tuple(fault for each in self._ways for fault in each.faults),
            decisions=tuple(self._log),
            messages=tuple(way.history),
            environment=way.environment,
            next=next_,
            error=error,
        )


def _hashable(key: Any) -> Any:
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key


def _close(environment: Environment) -> None:
    if environment.close is None:
        return
    try:
        environment.close()
    except Exception as error:  # noqa: BLE001 - the outcome is not lost for it
        warnings.warn(f"An environment could not be closed: {error!r}", RuntimeWarning, stacklevel=2)
