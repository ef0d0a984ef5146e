"""A run: ways from the goal to an answer, until one is good enough or the time is up.

    while there is time:
        decide what is affordable            policy
        do it                                Way.step, Way.review, or a new Way
        bank a valid answer                  it is never lost

Every decision is kept with what it was expected to take and what it took.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence

import msgspec

from tithe.agent.answer import Answer
from tithe.agent.caller import Caller, CallFailed
from tithe.agent.crafts import Crafts
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.environment import Environment
from tithe.agent.outcome import Decided, Outcome, Stopped
from tithe.agent.policy import Decision, Policy, Situation
from tithe.agent.speeds import Speeds
from tithe.agent.way import Way
from tithe.core.errors import TitheError, UsageError

EXPECTED_STEPS = 8.0
"""How many steps a task is taken to need while none has come to an answer: about the mean of a request in TraceLab's coding sessions."""

# Of the steps that were taken: so many more are expected at least, however long the way is already.
_MORE = 0.25
_AGREE = 2  # ways that must come to the same


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """How a run's ways begin. `way` makes one, and raises `OutOfTime`, `CallFailed`, and `UsageError` for an environment that cannot be
    used; `fresh`: each has an environment of its own, so that there may be several."""

    way: Callable[[], Awaitable[Way]]
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
        self._again: tuple[int, float] | None = (
            None  # the decision that began this way, by its place in the log, and when
        )

    async def to_end(self) -> Outcome:
        """Run until an answer is accepted, or nothing more can be done.

        Raises nothing but what the policy raises, and `UsageError` for an environment that cannot be used; then, and when it is
        cancelled, all environments are closed.
        """
        try:
            return await self._to_end()
        except (Exception, asyncio.CancelledError):
            await self._close(self._ways)
            raise

    async def _to_end(self) -> Outcome:
        try:
            self._ways.append(await self._begin.way())
        except OutOfTime:
            return await self._outcome("out of time", "begin")
        except CallFailed as failed:
            return await self._outcome("failed", None, failed.error)
        while True:
            decision = self._policy(self._situation(), self._crafts)
            if decision.kind in ("accept", "stop"):
                self._note(decision, 0.0)
                return await self._accepted(decision)
            began, left = self._deadline.spent, self._deadline.left
            try:
                await self._do(decision, left)
            except OutOfTime:
                self._note(decision, None, left)
                return await self._outcome("out of time", self._under_way(decision))
            except CallFailed as failed:
                self._note(decision, None, left)
                return await self._outcome("failed", None, failed.error)
            if decision.kind != "again":
                self._note(decision, self._deadline.spent - began, left)

    async def _accepted(self, decision: Decision) -> Outcome:
        if decision.kind == "accept":
            return await self._outcome("answered", decision.next)
        why = self._why_stopped()
        next_ = self._ways[-1].doing if why == "out of time" else None
        return await self._outcome("answered" if self._banked else why, decision.next or next_)

    def _under_way(self, decision: Decision) -> str:
        return "go another way from the start" if decision.kind == "again" else self._ways[-1].doing

    async def _do(self, decision: Decision, left: float) -> None:
        way = self._ways[-1]
        place = len(self._ways) - 1
        if decision.kind == "again":
            await self._start_again(decision, left)
        elif decision.kind == "review":
            self._reviewed += 1
            self._reopened = not await way.review(self._banked[place])
        else:
            await self._step(way, place, decision)

    async def _start_again(self, decision: Decision, left: float) -> None:
        self._way_ended()
        self._took.append(self._deadline.clock.now() - self._ways[-1].began)
        began = self._deadline.spent
        try:
            self._ways.append(await self._begin.way())
        except UsageError as error:
            raise CallFailed(error) from error
        self._again = (len(self._log), began)
        self._note(decision, None, left)

    def _way_ended(self) -> None:
        """The decision to go this way has its time: until it came to an answer, or was left."""
        if self._again is not None:
            place, began = self._again
            self._log[place] = msgspec.structs.replace(self._log[place], took_s=self._deadline.spent - began)
            self._again = None

    async def _step(self, way: Way, place: int, decision: Decision) -> None:
        answer = await way.step(decision)
        if answer is not None:
            self._banked[place] = answer
            self._way_ended()
            self._reopened = False
            self._speeds.saw_task(way.steps)

    def _situation(self) -> Situation:
        way, place = self._ways[-1], len(self._ways) - 1
        steps = sum(each.steps for each in self._ways)
        spent = self._deadline.clock.now() - way.began
        return Situation(
            left_s=self._deadline.left,
            steps=way.steps,
            ahead=max(1.0, (self._speeds.steps or EXPECTED_STEPS) - way.steps, _MORE * way.steps),
            calls=self._speeds.calls,
            candidates={
                count: self._speeds.candidates(count) for count in range(2, self._crafts.candidates + 1)
            },
            tools=self._speeds.tools,
            by_tool=self._speeds.by_tool,
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

    def _votes(self) -> Counter[Hashable]:
        return Counter(answer.key for answer in self._banked.values())

    def _agreed(self) -> bool:
        vouched = any(answer.vouched for answer in self._banked.values())
        return vouched or max(self._votes().values(), default=0) >= _AGREE

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
        votes = self._votes()
        return max(
            self._banked,
            key=lambda place: (self._banked[place].vouched, votes[self._banked[place].key], -place),
            default=None,
        )

    async def _outcome(self, stopped: Stopped, next_: str | None, error: TitheError | None = None) -> Outcome:
        best = self._best()
        way = self._ways[best if best is not None else -1] if self._ways else None
        await self._close([other for other in self._ways if other is not way])
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
            messages=tuple(way.history) if way is not None else (),
            environment=way.environment if way is not None else Environment(),
            next=next_,
            error=error,
        )

    async def _close(self, ways: Sequence[Way]) -> None:
        await asyncio.gather(*(way.environment.end(self._deadline) for way in ways))
