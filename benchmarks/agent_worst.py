"""An endpoint, tools and a user's functions that do their worst, and what a run of an agent among them must hold to.

For `agent_deadlines.py`, on the machine's clock, and for the tests, on one that only moves when everything waits: all that is slow here waits on
the clock that it is given. Functions that block a thread are drawn where `threads` says so, for no clock but the machine's knows of them.

What is asked of a run, whatever it meets:

    it ends by its deadline, or by the end of a write that was under way then: one that declares a timeout has so long, and no more
    no write is cut before that, and none begins after the deadline
    an answer that was banked is returned, or another one that was: the policy is told when there is one, `same` hears each
    environments that were made and not returned are closed, those that came too late among them
    nothing is raised
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from tithe.agent import (
    Agent,
    AgentTool,
    Crafts,
    Decision,
    Environment,
    Outcome,
    Situation,
    budgeted,
    tool,
    tool_of,
)
from tithe.core import Clock, Request, Script, TextDelta, ToolCallDelta, Usage
from tithe.core.errors import TitheError

WRITE_TIMEOUT_S = 0.5
NEVER_S = 1e6
TTFTS = (0.0, 0.01, 0.05, 0.2, 1.0, NEVER_S)
GAPS = (0.0, 0.001, 0.01, 0.2, NEVER_S)
TEXTS = ("four", "five", " ", "", '{"right": false, "why": "no"}', '{"best": 2}')
NAMES = ("quick", "slow", "hangs", "blocks", "fails", "writes", "writes", "nonsense", "finish", "finish")
ARGUMENTS = ('{"x": 1}', '{"x": 2}', '{"x": 1}', '{"x"', "{}", '{"x": "one"}')
# What is still to be seen of a run after its end: environments that are closed in the background.
AFTER_S = 4.0
_A_LOOK_S = 0.05

# quick    returns at once
# slow     awaits half a second
# hangs    never returns
# deaf     the same, and does not heed that it is cancelled
# blocks   sleeps in its thread
# raises   raises
Manner = Literal["quick", "slow", "hangs", "deaf", "blocks", "raises"]
MANNERS: tuple[Manner, ...] = Manner.__args__


class Write(msgspec.Struct):
    """A run of the tool that must not be cut, on the run's clock. `ended` None: not by then; `whole`: it came to its end by itself."""

    began: float
    needs_s: float
    ended: float | None = None
    whole: bool = False


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times are its clock's, in seconds; `may_end_at`: the deadline, or the last moment of a write that was under way then.

    `wrong`: what it did not hold to, in words, but for its end. `dropped`: the tool that ends the task had returned a sound answer 100 ms
    before the deadline or earlier, and there is none in the outcome: it was turned down, or the deadline came before it was looked at.
    """

    seed: int
    budget_s: float
    began: float
    due_at: float
    may_end_at: float
    ended_at: float
    stopped: str
    banked: bool
    dropped: bool
    wrong: tuple[str, ...]
    raised: str | None

    @property
    def excused(self) -> bool:
        return self.may_end_at > self.due_at

    @property
    def over_s(self) -> float:
        return self.ended_at - self.due_at

    @property
    def late_s(self) -> float:
        return self.ended_at - self.may_end_at


def nasty(draw: random.Random) -> Callable[[Request], Script]:
    """A model of any speed that calls tools, sometimes several, and answers now and then."""

    def script(request: Request) -> Script:
        timing: dict[str, Any] = {
            "ttft": draw.choice(TTFTS[:4] if draw.random() < 0.8 else TTFTS),
            "gap": draw.choice(GAPS[:3] if draw.random() < 0.8 else GAPS),
            "usage": draw.choice((None, Usage(prompt_tokens=9, completion_tokens=12))),
        }
        if request.tool_choice.mode == "none" or draw.random() < 0.2:
            texts = [TextDelta(at=0, index=n, text=draw.choice(TEXTS)) for n in range(request.n)]
            return Script(deltas=texts, **timing)
        deltas: list[Any] = []
        for n in range(request.n):
            for call in range(draw.choice((1, 1, 2, 3))):
                deltas.append(
                    ToolCallDelta(at=0, index=n, call=call, id=f"{n}-{call}", name=draw.choice(NAMES))
                )
                deltas.append(ToolCallDelta(at=0, index=n, call=call, arguments=draw.choice(ARGUMENTS)))
        return Script(deltas=deltas, finish=draw.choice(("tool_calls", "tool_calls", "length")), **timing)

    return script


def crafts_of(draw: random.Random) -> Crafts:
    """Crafts of any kind."""
    return Crafts(
        candidates=draw.randint(1, 3),
        verify=draw.random() < 0.3,
        review=draw.random() < 0.5,
        ways=draw.randint(1, 4),
        retries=draw.randint(0, 4),
        hedge=draw.choice((0.0, 0.1, 1.0)),
        early=draw.random() < 0.5,
        parallel=draw.random() < 0.5,
    )


def sound(answer: Any) -> str | None:
    """What a check says of an answer."""
    return "no" if answer in (" ", "five", 2) else None


async def not_heeding() -> None:
    """What does not heed that it is cancelled takes its time."""
    for _ in range(200):
        await asyncio.sleep(0)


class Worst:
    """What one run meets, drawn from a seed, and what it was seen to do."""

    def __init__(self, draw: random.Random, clock: Clock, *, threads: bool) -> None:
        self._draw = draw
        self._clock = clock
        self._threads = threads
        self._made: list[Environment] = []
        self._closed: list[int] = []
        self._asked: list[
            list[Any]
        ] = []  # by environment: the answers of which it was asked what they stand for
        self._numbers = itertools.count()
        self._banked: set[int] = set()  # ways of which the policy was told that they had an answer
        self._making = 0
        self._finished: list[float] = []
        self.writes: list[Write] = []
        self._checked = draw.random() < 0.5
        # Most functions are no trouble in most runs: what is behind them would hardly be met otherwise.
        self.manners: dict[str, Manner] = {
            name: self._manner(0.25) for name in ("environment", "same", "check", "close", "choose")
        }

    def _manner(self, share: float) -> Manner:
        if self._draw.random() >= share:
            return "quick"
        return self._draw.choice(MANNERS if self._threads else [each for each in MANNERS if each != "blocks"])

    def given(self) -> dict[str, Any]:
        """What `Agent` is given."""
        choose = self._draw.choice(
            ("vote", "judge", self._mannered("choose", lambda messages: len(messages) - 1))
        )
        return {
            "tools": self._mannered("environment", self._environment, counted=True),
            "check": self._mannered("check", sound) if self._checked else None,
            "choose": choose,
            "policy": self._policy,
        }

    def _policy(self, situation: Situation, crafts: Crafts) -> Decision:
        if situation.banked:
            self._banked.add(situation.ways)
        return budgeted(situation, crafts)

    def _mannered(self, name: str, work: Callable[..., Any], *, counted: bool = False) -> Callable[..., Any]:
        """A function of the user's that does `work`, in the manner that was drawn for it."""
        manner = self.manners[name]
        calls = itertools.count()

        async def waits(*given: Any) -> Any:
            with self._under_way(counted):
                await self._clock.sleep(0.5)
                return work(*given)

        async def hangs(*given: Any) -> Any:
            with self._under_way(counted):
                try:
                    await self._clock.sleep(NEVER_S)
                except asyncio.CancelledError:
                    if manner == "hangs":
                        raise
                    await not_heeding()
                return work(*given)

        def at_once(*given: Any) -> Any:
            # The first environment is one: without it no run begins, and to say so is the agent's only way.
            if manner == "raises" and (not counted or next(calls)):
                raise ZeroDivisionError(name)
            with self._under_way(counted):
                if manner == "blocks":
                    time.sleep(0.5)
                return work(*given)

        return {"slow": waits, "hangs": hangs, "deaf": hangs}.get(manner, at_once)

    @contextlib.contextmanager
    def _under_way(self, counted: bool) -> Iterator[None]:
        """An environment is being made."""
        self._making += counted
        try:
            yield
        finally:
            self._making -= counted

    def _environment(self) -> Environment:
        number = next(self._numbers)
        asked: list[Any] = []

        def same(answer: Any) -> str:
            return repr(answer)

        def close() -> None:
            return None

        stands_for, ends = self._mannered("same", same), self._mannered("close", close)

        def heard(answer: Any) -> Any:
            asked.append(answer)
            return stands_for(answer)

        def closes() -> Any:
            self._closed.append(number)
            return ends()

        made = Environment(tools=self._tools(), same=heard, close=closes)
        self._asked.append(asked)
        self._made.append(made)
        return made

    def _tools(self) -> list[AgentTool]:
        draw, clock = self._draw, self._clock

        @tool(idempotent=True)
        async def quick(x: int) -> int:
            return x

        @tool(timeout=0.1, idempotent=True, check=self._slow_check if draw.random() < 0.2 else None)
        async def slow(x: int) -> int:
            await clock.sleep(0.3)
            return x

        async def hangs(x: int) -> int:
            try:
                await clock.sleep(NEVER_S)
            except asyncio.CancelledError:
                await not_heeding()
            return x

        @tool(idempotent=True)
        def blocks(x: int) -> int:
            if self._threads:
                time.sleep(0.7)
            return x

        async def fails(x: int) -> int:
            raise StopIteration(x)

        @tool(
            timeout=WRITE_TIMEOUT_S,
            parallel=draw.random() < 0.5,
            check=self._slow_check if draw.random() < 0.2 else None,
        )
        async def writes(x: int) -> None:
            write = Write(clock.now(), 0.3 if x == 1 else 4.0)
            self.writes.append(write)
            try:
                await clock.sleep(write.needs_s)
                write.whole = True
            finally:
                write.ended = clock.now()

        @tool(final=True, idempotent=draw.random() < 0.5)
        async def finish(x: int) -> int:
            if not self._checked or sound(x) is None:
                self._finished.append(clock.now())
            return x

        return [tool_of(each) for each in (quick, slow, hangs, blocks, fails, writes, finish)]

    async def _slow_check(self, x: int) -> None:
        await self._clock.sleep(0.3 if x == 1 else NEVER_S)

    async def run(self, agent: Agent, seed: int, budget: float) -> Ended:
        """Run the agent, and say what came of it."""
        began = self._clock.now()
        outcome, raised = None, None
        try:
            outcome = await agent.run("goal", budget)
        except Exception as error:  # noqa: BLE001 - what is raised is what is counted
            raised = f"{'ours: ' if isinstance(error, TitheError) else ''}{error!r}"
        ended, due = self._clock.now(), began + budget
        under_way = [
            one.began + WRITE_TIMEOUT_S for one in self.writes if one.ended is None or one.ended > due
        ]
        answered = outcome is not None and outcome.answer is not None
        wrong = self._lost(outcome) if outcome is not None else []
        wrong += await self._unclosed(outcome)
        return Ended(
            seed=seed,
            budget_s=budget,
            began=began,
            due_at=due,
            may_end_at=max([due, *under_way]),
            ended_at=ended,
            stopped=outcome.stopped if outcome is not None else "",
            banked=bool(self._banked),
            dropped=not answered and any(at < due - 0.1 for at in self._finished),
            wrong=(*wrong, *self._cut(due)),
            raised=raised,
        )

    def _lost(self, outcome: Outcome) -> list[str]:
        """What is wrong with the answer, for what was banked."""
        if outcome.answer is None:
            return ["a banked answer is not returned"] if self._banked else []
        number = next((n for n, made in enumerate(self._made) if made is outcome.environment), None)
        if number is None:
            return ["the answer is of no environment that was made"]
        if outcome.answer not in self._asked[number]:
            return [f"the answer {outcome.answer!r} is none that was banked: {self._asked[number]}"]
        exact = outcome.ways == 1 and not any(one.decision.candidates > 1 for one in outcome.decisions)
        if exact and self.manners["same"] != "raises" and outcome.answer != self._asked[number][-1]:
            return [f"the answer {outcome.answer!r} is not the last that was banked: {self._asked[number]}"]
        return []

    def _cut(self, due: float) -> list[str]:
        said: list[str] = []
        for one in self.writes:
            if one.began > due + 0.05:
                said.append(f"a write began {one.began - due:.3f} s after the deadline")
            if one.ended is not None and not one.whole and one.ended < one.began + WRITE_TIMEOUT_S - 0.01:
                said.append(f"a write was cut after {one.ended - one.began:.3f} s")
        return said

    async def _unclosed(self, outcome: Outcome | None) -> list[str]:
        """Environments that nobody closes, after a while."""
        until = self._clock.now() + AFTER_S
        while True:
            kept = outcome.environment if outcome is not None else None
            left = [n for n, made in enumerate(self._made) if made is not kept and n not in self._closed]
            if (not left and not self._making) or self._clock.now() > until:
                break
            await self._clock.sleep(_A_LOOK_S)
        twice = len(self._closed) - len(set(self._closed))
        return [f"{len(left)} environments are not closed"] * bool(left) + ["one is closed twice"] * bool(
            twice
        )
