"""Runs of the task world's tasks by agents, for the benchmarks of the loop: played, kept, compared in pairs.

A *cell* is what stays the same (an endpoint's speed, a budget, a mishap), an *arm* is what is compared in it. Every task is done by
all arms of its cell, one after the other in an order that is drawn anew, so that what a machine does in these minutes befalls all.
Each run's agent is new: it knows nothing of its endpoint when it begins.

Shares have Wilson's interval. The difference of two arms' shares on the same tasks has Newcombe's for pairs (1998, Stat. Med. 17:2635,
his method 10): the score intervals l, u of both shares p, and the correlation phi of the pairs, with b and c the tasks that one
arm alone solved, a both, d none,

    low  = p1 - p2 - sqrt((p1 - l1)^2 - 2 phi (p1 - l1)(u2 - p2) + (u2 - p2)^2)
    high = p1 - p2 + sqrt((u1 - p1)^2 - 2 phi (u1 - p1)(p2 - l2) + (p2 - l2)^2)
    phi  = (ad - bc) / sqrt((a+b)(c+d)(a+c)(b+d)), of which n / 2 is taken from a numerator above 0, down to 0 at the least

and that of wall clocks the percentile bootstrap of the median of the pairs' differences (`tithe.core.statistics`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np

from tithe.agent import PLAIN, Agent, Crafts, Outcome, Policy, budgeted, minimal
from tithe.agent.task_world import CRAFTS, Playground
from tithe.core import Backend, Event, Finished, Pace, Reported, Request, Sent
from tithe.core.statistics import Estimate, paired_difference, wilson
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


def tasks(count: int, first: int = FIRST_SEED) -> list[Task]:
    """So many tasks, the families by turns."""
    return [Task(family=FAMILIES[n % len(FAMILIES)], seed=first + n // len(FAMILIES)) for n in range(count)]


async def play(
    backend: Backend, model: str, cell: str, arm: Arm, task: Task, budget: float, **more: Any
) -> Ran:
    """Do one task. `more` is for `Agent`."""
    made = make_task(task.family, task.seed, "held_out")
    playground = Playground(made)
    agent = Agent(
        backend,
        model,
        tools=playground.environment,
        instructions=made.system,
        max_steps=made.step_limit,
        max_tokens=MAX_TOKENS,
        policy=arm.policy,
        crafts=arm.crafts,
        **more,
    )
    outcome = await agent.run(made.goal, budget)
    return Ran.of(
        outcome,
        cell=cell,
        arm=arm.name,
        task=task,
        solved=playground.judge(outcome),
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


def paired_shares(pairs: Sequence[tuple[bool, bool]]) -> Estimate | None:
    """First share less second, by Newcombe's method for pairs, see the top of the file."""
    n = len(pairs)
    one, two = wilson(sum(a for a, _ in pairs), n), wilson(sum(b for _, b in pairs), n)
    if one is None or two is None:
        return None
    a, b, c, d = (pairs.count(each) for each in ((True, True), (True, False), (False, True), (False, False)))
    product = (a + b) * (c + d) * (a + c) * (b + d)
    above = a * d - b * c
    above = max(above - n / 2, 0.0) if above > 0 else above
    phi = above / math.sqrt(product) if product else 0.0
    down1, up1, down2, up2 = (
        one.value - one.low,
        one.high - one.value,
        two.value - two.low,
        two.high - two.value,
    )
    point = one.value - two.value
    return Estimate(
        value=point,
        low=point - math.sqrt(max(0.0, down1**2 - 2 * phi * down1 * up2 + up2**2)),
        high=point + math.sqrt(max(0.0, up1**2 - 2 * phi * up1 * down2 + down2**2)),
        n=n,
    )


def matched(runs: Sequence[Ran], cell: str, one: str, two: str) -> list[tuple[Ran, Ran]]:
    """The runs of both arms of a cell, task by task."""
    by_arm: dict[str, dict[tuple[str, int], Ran]] = {one: {}, two: {}}
    for ran in runs:
        if ran.cell == cell and ran.arm in by_arm:
            by_arm[ran.arm][ran.family, ran.seed] = ran
    return [(first, by_arm[two][key]) for key, first in by_arm[one].items() if key in by_arm[two]]


def of(runs: Sequence[Ran], cell: str, arm: str) -> list[Ran]:
    """The runs of one arm of a cell."""
    return [ran for ran in runs if ran.cell == cell and ran.arm == arm]


def success(runs: Sequence[Ran]) -> str:
    """How many were solved, with the interval, for a table."""
    share = wilson(sum(ran.solved for ran in runs), len(runs))
    return (
        "-"
        if share is None
        else f"{100 * share.value:.0f} % [{100 * share.low:.0f} to {100 * share.high:.0f}]"
    )


def gained(pairs: Sequence[tuple[Ran, Ran]]) -> str:
    """Points of success that the first of each pair has over the second, with the interval."""
    found = paired_shares([(one.solved, two.solved) for one, two in pairs])
    return "-" if found is None else f"{100 * found.value:+.0f} {spread(found, 100, '+.0f')}"


def slower(pairs: Sequence[tuple[float, float]], unit: float = 1.0, form: str = "+.2f") -> str:
    """The median by which the first of each pair is more than the second, with the interval."""
    found = paired_difference(pairs)
    return "-" if found is None else f"{found.value * unit:{form}} {spread(found, unit, form)}"


def spread(found: Estimate, unit: float = 1.0, form: str = ".2f") -> str:
    """The interval alone."""
    if found.low is None or found.high is None:
        return "[too few]"
    return f"[{found.low * unit:{form}} to {found.high * unit:{form}}]"


def no_answer(runs: Sequence[Ran]) -> str:
    """How many had no answer at all."""
    known = [ran.unanswered for ran in runs if ran.unanswered is not None]
    return str(sum(known)) if len(known) == len(runs) else "not kept"


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
