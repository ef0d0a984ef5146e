"""What each craft of the loop gives: with it and without, on the same tasks, in pairs.

    python benchmarks/agent_crafts.py [--tasks 60] [--craft NAME ...] [--out runs.jsonl] [--quick]
    python benchmarks/agent_crafts.py --read runs.jsonl

Where the task world gives a craft a chance, its held-out tasks are done by the bundled model behind a pace, with the minimal loop's policy
and no other craft, unless the row says otherwise. Its agents ask for one tool at a time, so tools in parallel and tools that start early
have a scripted model instead, with four steps of one or three calls of 40 tokens and tools that take 0.2 s (lognormal, relative spread
0.5), and the pace is all that the two share. Both sides of a pair are given the same tasks, tool times and drawn TTFTs.

The prefix is measured without a pace, each side in a cache of its own: history as it was written, against history whose JSON is parsed
and written anew without spaces, and against a system prompt that tells the time.

Both sides draw from one seed a task, the model greedy where no temperature is said, so that they get the same answers as far as they ask the
same, and differ by the craft alone; but for candidates and further ways, which live on chance and draw anew. Output tokens are those
that were reported: of a call that is given up they are not. "Gives" says what the intervals exclude: a wall clock that is the same, and a
success that is.

A hedge is a share of an agent's calls, and a task has too few for one in ten: in these rows one agent a side does all tasks, at once and one
after the other, so that its pairs are not quite independent. The model calls tools and has no opinions: what it says as a reviewer, a
verifier or a judge is of the right form and arbitrary, and these rows tell what a craft costs whose opinion is worth nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from agent_craft_list import BUDGET_S, Craft, Side, crafts
from agent_pairs import gained, matched, of, paired_shares, slower, spread, success
from agent_runs import (
    FIRST_SEED,
    Arm,
    Job,
    Kept,
    Progress,
    Punctual,
    Ran,
    Task,
    at_once,
    head,
    in_turn,
    mean,
    percentiles,
    play,
    read_runs,
    row,
    tasks,
    to_end,
)
from agent_switches import UNCHECKED, WAIT_FOR_ALL, CacheWatch, let_switch
from endpoint import machine

from tithe.agent import Agent, CallTime, Speeds, tool
from tithe.cli.embedded import embedded_endpoint
from tithe.core import (
    FaultyBackend,
    Pace,
    PacedBackend,
    Request,
    Sampling,
    Script,
    ScriptedBackend,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tithe.core.statistics import Estimate, bootstrapped_estimate, bootstrapped_means
from tithe.net.remote import RemoteBackend

TOOL_S, TOOL_SPREAD = 0.2, 0.5
STEPS, CALL_TOKENS = 4, 40
WITH, WITHOUT = "with", "without"
SCRIPTED_AT_ONCE = 16
# A share of the wall clock below which nobody would care.
LITTLE = 0.01


class Bench:
    """What the runs share."""

    def __init__(self, kept: Kept, remote: RemoteBackend, model: str) -> None:
        self.kept = kept
        self.late: dict[str, Punctual] = {}
        self.took: dict[str, float] = {}
        self.cached: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
        self._speeds: dict[tuple[str, str], Speeds] = {}
        self._remote = remote
        self._model = model

    async def run(self, craft: Craft, name: str, side: Side, task: Task) -> None:
        """One run of one side."""
        switches = ((WAIT_FOR_ALL, side.wait_for_all), (UNCHECKED, side.unchecked))
        tokens = [(switch, switch.set(value)) for switch, value in switches]
        try:
            if craft.calls is not None:
                ran = await scripted(craft, name, side, task)
            else:
                ran = await self._world(craft, name, side, task)
        finally:
            for switch, token in tokens:
                switch.reset(token)
        self.kept.add(ran)

    async def _world(self, craft: Craft, name: str, side: Side, task: Task) -> Ran:
        luck = luck_of(craft, task)
        arm = Arm(name=name, policy=side.policy, crafts=side.crafts)
        sampling = Sampling(temperature=craft.temperature, seed=luck if craft.seeded else None)
        more: dict[str, Any] = {"sampling": sampling, "change": side.change, **side.more}
        if craft.pace is None:
            into = self.cached.setdefault((craft.name, name), [])
            backend = CacheWatch(side.wrap(self._remote), into)
            more["extra"] = {"cache_salt": f"{craft.name} {name} {task.family} {task.seed}"}
            return await play(backend, self._model, craft.name, arm, task, craft.budget, **more)
        watched = Punctual(PacedBackend(self._remote, msgspec.structs.replace(craft.pace, seed=luck)))
        backend = side.wrap(FaultyBackend(watched, craft.rates, seed=luck))
        seed = known(craft.pace) if craft.known else []
        more["speeds"] = (
            self._speeds.setdefault((craft.name, name), Speeds(seed)) if craft.goes_on else Speeds(seed)
        )
        ran = await play(backend, self._model, craft.name, arm, task, craft.budget, **more)
        total = self.late.setdefault(craft.name, Punctual(self._remote))
        total.first += watched.first
        # What a mishap holds back is not the pace's fault.
        total.last += [] if craft.rates else watched.last
        return ran


def luck_of(craft: Craft, task: Task) -> int:
    return zlib.crc32(f"{craft.name} {task.family} {task.seed}".encode())


def known(pace: Pace) -> list[CallTime]:
    """Calls at a pace, as an audit would have found them."""
    chance = random.Random(0)
    return [CallTime(drawn(chance, pace.ttft_s, pace.jitter), 25 / pace.tokens_per_s) for _ in range(20)]


def drawn(chance: random.Random, mean_s: float, spread: float) -> float:
    """Lognormal, of a mean and a standard deviation over it."""
    variance = math.log1p(spread**2)
    return mean_s * math.exp(chance.gauss(-variance / 2, math.sqrt(variance)))


async def scripted(craft: Craft, name: str, side: Side, task: Task) -> Ran:
    """A run with a scripted model whose step is some calls of a tool, then a text."""
    assert craft.pace is not None
    assert craft.calls is not None
    luck, calls = luck_of(craft, task), craft.calls

    def script(request: Request) -> Script:
        done = sum(message.role == "assistant" for message in request.messages)
        if done == STEPS:
            return Script(deltas=words("done "), usage=Usage(prompt_tokens=1000, completion_tokens=10))
        deltas: list[Any] = []
        for call in range(calls):
            head_, *rest = (
                f'{{"number": {done * calls + call}, "why": "',
                *["word "] * (CALL_TOKENS - 2),
                '"}',
            )
            deltas.append(ToolCallDelta(at=0, call=call, id=f"{done}-{call}", name="look", arguments=head_))
            deltas += [ToolCallDelta(at=0, call=call, arguments=piece) for piece in rest]
        usage = Usage(prompt_tokens=1000, completion_tokens=calls * CALL_TOKENS)
        return Script(deltas=deltas, usage=usage, finish="tool_calls")

    @tool(idempotent=True)
    async def look(number: int, why: str) -> str:
        await asyncio.sleep(drawn(random.Random(luck + number), TOOL_S, TOOL_SPREAD))
        return f"{number}: {why[:4]}"

    pace = msgspec.structs.replace(craft.pace, seed=luck)
    agent = Agent(
        PacedBackend(ScriptedBackend(script), pace),
        "m",
        tools=[look],
        policy=side.policy,
        crafts=side.crafts,
    )
    outcome = await agent.run("goal", BUDGET_S)
    return Ran.of(outcome, cell=craft.name, arm=name, task=task, solved=outcome.answer is not None)


def words(word: str) -> list[TextDelta]:
    return [TextDelta(at=0, text=word) for _ in range(10)]


async def measure(found: list[Bench], kept: Kept, wanted: Sequence[Craft], count: int, first: int) -> None:
    """One craft after the other, so many tasks of each; tasks and sides in an order of chance."""
    order = random.Random(0)
    let_switch()
    progress = Progress(2 * count * sum(craft.often for craft in wanted))
    async with embedded_endpoint("nano") as ready:
        remote = RemoteBackend(ready.url)
        bench = Bench(kept, remote, ready.model)
        found.append(bench)

        def todo(craft: Craft) -> list[Task]:
            return tasks(count * craft.often, first, craft.families)

        def job(craft: Craft, task: Task) -> Job:
            async def one(side: tuple[str, Side]) -> None:
                await bench.run(craft, *side, task)
                progress.step()

            return in_turn(((WITH, craft.there), (WITHOUT, craft.away)), one, order)

        try:
            # Those with a scripted model sleep, and ask nothing of the endpoint: they go on at once.
            free = [job(craft, task) for craft in wanted if craft.calls is not None for task in todo(craft)]
            await at_once(order.sample(free, len(free)), SCRIPTED_AT_ONCE)
            for craft in wanted:
                if craft.calls is None:
                    began = time.perf_counter()
                    jobs = [job(craft, task) for task in todo(craft)]
                    await at_once(order.sample(jobs, len(jobs)), craft.workers)
                    bench.took[craft.name] = time.perf_counter() - began
        finally:
            await remote.aclose()


def table(runs: Sequence[Ran], wanted: Sequence[Craft]) -> str:
    """A row a craft."""
    lines = [
        head(
            *("craft", "where", "pairs", "wall p50, p90 with (s)", "without (s)"),
            *("saves (s, median of pairs)", "saves (% of the mean)", "solved with", "without"),
            *("more (points)", "output tokens", "calls", "hedges", "model's faults", "gives"),
        )
    ]
    for craft in wanted:
        pairs = matched(runs, craft.name, WITH, WITHOUT)
        if not pairs:
            continue
        both = [of(runs, craft.name, side) for side in (WITH, WITHOUT)]
        lines.append(
            row(
                craft.name,
                craft.where,
                len(pairs),
                *(percentiles([ran.wall_s for ran in found], 50, 90) for found in both),
                slower([(away.wall_s, there.wall_s) for there, away in pairs], form="+.3f"),
                saved(pairs),
                *(success(found) for found in both),
                gained(pairs),
                *(
                    " / ".join(mean((getattr(ran, name) for ran in found), form) for found in both)
                    for name, form in (
                        ("tokens", ".0f"),
                        ("calls", ".1f"),
                        ("hedges", ".2f"),
                        ("faults", ".2f"),
                    )
                ),
                given(pairs),
            )
        )
    return "\n".join(lines)


def share_saved(pairs: Sequence[tuple[Ran, Ran]]) -> Estimate:
    """The share of the mean wall clock that the craft saves."""
    means = bootstrapped_means(np.asarray([(there.wall_s, away.wall_s) for there, away in pairs]))
    return bootstrapped_estimate(1 - means[:, 0] / means[:, 1], len(pairs))


def saved(pairs: Sequence[tuple[Ran, Ran]]) -> str:
    """The same in per cent."""
    found = share_saved(pairs)
    return f"{100 * found.value:+.1f} {spread(found, 100, '+.1f')}"


def given(pairs: Sequence[tuple[Ran, Ran]]) -> str:
    """What the intervals say, in words: of time, and of success where it is not the same."""
    found, points = share_saved(pairs), paired_shares([(there.solved, away.solved) for there, away in pairs])
    if found.low is None or found.high is None or points is None or points.low is None or points.high is None:
        return "too few"
    told: list[str] = []
    if found.low > 0 or found.high < 0:
        little = found.low > -LITTLE and found.high < LITTLE
        told += [] if little else ["time"] if found.low > 0 else ["costs time"]
    if points.low > 0 or points.high < 0:
        told += ["success"] if points.low > 0 else ["costs success"]
    if told:
        return ", ".join(told)
    return "nothing here" if found.low > -LITTLE and found.high < LITTLE else "not told apart"


def cache_table(cached: Mapping[tuple[str, str], list[tuple[float, int, int]]]) -> str:
    """Of the calls that extend a conversation: how much of the prompt was cached, and the TTFT, as the endpoint reported."""
    lines = [head("craft", "side", "calls", "prompt tokens", "of them cached", "TTFT p50, p95 (ms)")]
    for (craft, side), calls in sorted(cached.items()):
        prompt = sum(one[1] for one in calls)
        share = sum(one[2] for one in calls) / prompt if prompt else math.nan
        ttfts = [1e3 * one[0] for one in calls]
        lines.append(
            row(
                craft,
                side,
                len(calls),
                mean((one[1] for one in calls), ".0f"),
                f"{100 * share:.1f} %",
                percentiles(ttfts, 50, 95, form=".1f"),
            )
        )
    return "\n".join(lines)


def main() -> None:
    """Measure or read, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="the first task's seed")
    parser.add_argument("--craft", action="append", default=[], help="those whose name has this in it")
    parser.add_argument("--out", type=Path, help="where each run is kept, a line of JSON")
    parser.add_argument("--read", type=Path, help="measure nothing, and tell what was kept there")
    parser.add_argument("--quick", action="store_true", help="4 tasks")
    options = parser.parse_args()
    wanted = [
        craft for craft in crafts() if not options.craft or any(part in craft.name for part in options.craft)
    ]
    found: list[Bench] = []
    if options.read is not None:
        runs = read_runs(options.read)
    else:
        kept = Kept(options.out)
        runs = kept.runs
        count = 4 if options.quick else options.tasks
        to_end(measure(found, kept, wanted, count, options.first))
    print(f"what each craft gives; {machine()}\n")
    print("Two figures in a cell: with / without.\n")
    print(table(runs, wanted), "\n")
    for bench in found:
        if bench.cached:
            print(cache_table(bench.cached), "\n")
        for name, late in bench.late.items():
            print(f"{name}: {bench.took.get(name, 0.0):.0f} s, {late.told()}")


if __name__ == "__main__":
    main()
