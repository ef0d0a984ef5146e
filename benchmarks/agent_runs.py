"""Runs of the task world's tasks by agents, for the benchmarks of the loop: played and kept.

A *cell* is what stays the same (an endpoint's speed, a budget, a mishap), an *arm* is what is compared in it. Every task is done by
all arms of its cell, one after the other in an order that is drawn anew, so that what a machine does in these minutes befalls all.
Each run's agent is new, unless said otherwise: it knows nothing of its endpoint when it begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np

from tithe.agent import PLAIN, Agent, Crafts, Environment, Outcome, Policy, Speeds, budgeted, minimal
from tithe.agent.task_world import CRAFTS, Playground
from tithe.core import Backend, Event, Finished, Pace, Reported, Request, Sent
from tithe.world import FAMILIES, Family, make_task

FIRST_SEED = 30_000
MAX_TOKENS = 256
JITTER = 0.1
SPEEDS = {
    "1x": Pace(ttft_s=0.6, tokens_per_s=60, jitter=JITTER, seed=1),
    "3x": Pace(ttft_s=0.2, tokens_per_s=180, jitter=JITTER, seed=2),
    "10x": Pace(ttft_s=0.06, tokens_per_s=600, jitter=JITTER, seed=3),
}


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One way to build the loop."""

    name: str
    policy: Policy
    crafts: Crafts


MINIMAL = Arm(name="minimal", policy=minimal, crafts=PLAIN)
BUDGETED = Arm(name="budgeted", policy=budgeted, crafts=CRAFTS)
DEFAULT = Arm(name="default", policy=budgeted, crafts=Crafts())


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One of the task world's held-out tasks."""

    family: Family
    seed: int


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `faults` are the model's, `over_s` the seconds by which it ended after its budget (negative: before).

    temperature: the one that was asked for; None: none was. unanswered: there was no answer at all, banked or
    other; None: not kept, as in older files.
    """

    cell: str
    arm: str
    family: str
    seed: int
    solved: bool
    stopped: str
    vouched: bool
    wall_s: float
    over_s: float
    steps: int
    ways: int
    calls: int
    retries: int
    hedges: int
    tokens: int
    faults: int
    temperature: float | None = None
    unanswered: bool | None = None

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        *,
        cell: str,
        arm: str,
        task: Task,
        solved: bool,
        temperature: float | None = None,
    ) -> Ran:
        """What is kept of an outcome."""
        return cls(
            cell=cell,
            arm=arm,
            family=task.family,
            seed=task.seed,
            solved=solved,
            stopped=outcome.stopped,
            vouched=outcome.vouched,
            wall_s=outcome.wall_s,
            over_s=outcome.wall_s - outcome.budget_s,
            steps=outcome.steps,
            ways=outcome.ways,
            calls=outcome.calls,
            retries=outcome.retries,
            hedges=outcome.hedges,
            tokens=outcome.tokens,
            faults=len(outcome.faults),
            temperature=temperature,
            unanswered=outcome.answer is None,
        )


def tasks(count: int, first: int = FIRST_SEED, families: Sequence[Family] = FAMILIES) -> list[Task]:
    """So many tasks, the families by turns."""
    return [Task(family=families[n % len(families)], seed=first + n // len(families)) for n in range(count)]


Change = Callable[[Environment], Environment]


def unchanged(environment: Environment) -> Environment:
    return environment


async def play(
    backend: Backend,
    model: str,
    cell: str,
    arm: Arm,
    task: Task,
    budget: float,
    *,
    change: Change = unchanged,
    speeds: Speeds | None = None,
    **more: Any,
) -> Ran:
    """Do one task. `change` makes of its environments those that the agent has; `speeds` are those of an agent that goes on, None: it
    is new; `more` is for `Agent`.
    """
    made = make_task(task.family, task.seed, "held_out")
    playground = Playground(made)
    origins: list[tuple[Environment, Environment]] = []

    def environment() -> Environment:
        origin = playground.environment()
        changed = change(origin)
        origins.append((changed, origin))
        return changed

    agent = Agent(
        backend,
        model,
        tools=environment,
        instructions=made.system,
        max_steps=made.step_limit,
        max_tokens=MAX_TOKENS,
        policy=arm.policy,
        crafts=arm.crafts,
        **more,
    )
    if speeds is not None:
        agent.speeds = speeds
    outcome = await agent.run(made.goal, budget)
    origin = next((origin for changed, origin in origins if changed is outcome.environment), None)
    judged = outcome if origin is None else msgspec.structs.replace(outcome, environment=origin)
    return Ran.of(
        outcome,
        cell=cell,
        arm=arm.name,
        task=task,
        solved=playground.judge(judged),
        temperature=more["sampling"].temperature if "sampling" in more else None,
    )


class Kept:
    """The runs so far; each is written to `path`, a line of JSON, as soon as it is known."""

    def __init__(self, path: Path | None) -> None:
        self.runs: list[Ran] = []
        self._path = path
        if path is not None:
            path.write_text("", "utf-8")

    def add(self, ran: Ran) -> None:
        self.runs.append(ran)
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(ran) + b"\n")


def read_runs(path: Path) -> list[Ran]:
    """What an earlier run of the script kept."""
    return [msgspec.json.decode(line, type=Ran) for line in path.read_bytes().splitlines()]


class Punctual:
    """A paced backend, watched: by how much its answers came later than the pace has it, in seconds.

    first: of the first token; last: of the last, where there was one choice and its tokens are known.
    """

    def __init__(self, inner: Backend) -> None:
        self.first: list[float] = []
        self.last: list[float] = []
        self._inner = inner

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """What the inner backend gives."""
        sent = 0.0
        came: list[float] = []
        events = cast("Any", self._inner.generate(request))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Sent):
                    sent = event.at
                elif isinstance(event, Reported):
                    self._note(event, sent, came, request.n)
                elif not isinstance(event, Finished):
                    came.append(event.at)
                yield event

    def _note(self, told: Reported, sent: float, came: list[float], choices: int) -> None:
        if told.pacing is None or not came:
            return
        self.first.append(came[0] - sent - told.pacing.ttft_s)
        if choices == 1 and told.usage is not None:
            decode = (told.usage.completion_tokens - 1) / told.pacing.tokens_per_s
            self.last.append(came[-1] - sent - told.pacing.ttft_s - decode)

    async def aclose(self) -> None:
        """Close the inner one."""
        await self._inner.aclose()

    def told(self) -> str:
        """The lateness in words."""
        if not self.first:
            return "no call"
        told = [f"{len(self.first):,} calls; late by (p50, p95)"]
        for what, late in (("first token", self.first), ("last token", self.last)):
            told += (
                [f"{what} {percentiles([1e3 * each for each in late], 50, 95, form='.1f')} ms"]
                if late
                else []
            )
        return ", ".join(told)


Job = Callable[[], Coroutine[Any, Any, None]]


async def at_once(jobs: Iterable[Job], workers: int) -> None:
    """Do the jobs, so many at a time."""
    waiting = iter(list(jobs))

    async def work() -> None:
        for job in waiting:
            await job()

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())


def in_turn(arms: Sequence[Any], work: Callable[[Any], Awaitable[None]], order: random.Random) -> Job:
    """A job that does the work for each arm, in an order of chance."""
    drawn = order.sample(list(arms), len(arms))

    async def job() -> None:
        for arm in drawn:
            await work(arm)

    return job


def to_end(work: Coroutine[Any, Any, None]) -> bool:
    """Run it; False when it was interrupted. What was done until then is for the caller to print."""
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        print("interrupted: this is what was done until then", file=sys.stderr)
        return False
    return True


class Progress:
    """A line on a terminal: so many of so many."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, itertools.count(1)

    def step(self) -> None:
        if sys.stderr.isatty():
            print(f"\r{next(self._done)} of {self._total} runs ", end="", file=sys.stderr, flush=True)


def percentiles(values: Sequence[float], *at: float, form: str = ".2f") -> str:
    """Percentiles of some figures, with commas between."""
    return ", ".join(f"{value:{form}}" for value in np.percentile(list(values), at)) if values else "-"


def mean(values: Iterable[float], form: str = ".1f") -> str:
    """The mean of some figures."""
    found = list(values)
    return f"{sum(found) / len(found):{form}}" if found else "-"


def row(*cells: object) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def head(*cells: str) -> str:
    """The head of one."""
    return row(*cells) + "\n" + row(*("---" for _ in cells))


def write_json(path: Path | None, found: object) -> None:
    """Keep a result."""
    if path is not None:
        with contextlib.suppress(BrokenPipeError):
            path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
