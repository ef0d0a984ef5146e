"""Do deadlines hold? Many runs on the real clock, with an endpoint and tools that do their worst.

    python benchmarks/agent_deadlines.py [--runs 1000] [--at-once 40] [--seed 0] [--out runs.json] [--quick]

The endpoint is scripted: any latency from none to never, stalls in the middle of an answer, each mishap of `tithe.core.FaultyBackend`, calls
of tools that there are not or whose arguments are no JSON, answers that are empty or cut. The tools are slow, hang and do not heed that
they are cancelled, block a thread, raise, or write with a declared timeout. Budgets are 0.2 to 2 s, crafts are drawn anew for each run.

Asked: no run ends later than its budget + 100 ms, or than one tool's declared timeout where a tool that must not be cut was under
way; no answer that was banked is lost; nothing is raised. An answer is banked when the loop has asked what it stands for
(`Environment.same`), which is seen from outside. Loop lag is measured beside it: by so much the machine alone may be late.
Exits with 1 where one of these does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from agent_runs import Job, Progress, at_once, percentiles, to_end, write_json
from endpoint import machine

from tithe.agent import Agent, AgentTool, CallTime, Crafts, Environment, tool, tool_of
from tithe.core import (
    MISHAPS,
    FaultyBackend,
    Request,
    Script,
    ScriptedBackend,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tithe.core.errors import TitheError

GOAL_S = 0.1
LAG_EVERY_S = 0.005
WRITE_TIMEOUT_S = 0.5
TTFTS = (0.0, 0.01, 0.05, 0.2, 1.0, 1e6)
GAPS = (0.0, 0.001, 0.01, 0.2, 1e6)
TEXTS = ("four", "five", " ", "", '{"right": false, "why": "no"}', '{"best": 2}')
NAMES = ("quick", "slow", "hangs", "blocks", "fails", "writes", "nonsense", "finish", "finish")
ARGUMENTS = ('{"x": 1}', '{"x": 2}', '{"x": 1}', '{"x"', "{}", '{"x": "one"}')


class Seen(msgspec.Struct):
    """What a run was seen to do. Stamps are `perf_counter` seconds."""

    banked: int = 0
    finished: list[float] = []
    writes: list[list[float]] = []


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `over_s`: by how much it ended after its budget (stamps are `perf_counter` seconds); `excused`: a tool that must not be cut was under way then.

    `lost`: an answer was banked, and there is none in the outcome. `dropped`: the tool that ends the task had returned what the
    check accepts, 100 ms before the deadline or more, beside others that had not returned, and there is no answer.
    """

    seed: int
    budget_s: float
    due_at: float
    ended_at: float
    excused: bool
    stopped: str
    banked: int
    lost: bool
    dropped: bool
    raised: str | None

    @property
    def over_s(self) -> float:
        return self.ended_at - self.due_at


def nasty(draw: random.Random) -> Any:
    """A model of any speed that calls tools, sometimes several, and answers now and then."""

    def script(request: Request) -> Script:
        timing = {
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


def strict(answer: Any) -> str | None:
    """A check of an answer."""
    return "no" if answer in (" ", "five", 2) else None


def tools(seen: Seen, check: Any) -> list[AgentTool]:
    """Tools that do their worst, and say what they did."""

    @tool(idempotent=True)
    async def quick(x: int) -> int:
        return x

    @tool(timeout=0.1, idempotent=True)
    async def slow(x: int) -> int:
        await asyncio.sleep(0.3)
        return x

    async def hangs(x: int) -> int:
        for _ in range(3):
            try:
                await asyncio.sleep(4)
            except asyncio.CancelledError:
                continue
        return x

    @tool(idempotent=True)
    def blocks(x: int) -> int:
        time.sleep(0.7)
        return x

    async def fails(x: int) -> int:
        raise StopIteration(x)

    @tool(timeout=WRITE_TIMEOUT_S, parallel=False)
    async def writes(x: int) -> None:
        stamps = [time.perf_counter()]
        seen.writes.append(stamps)
        await asyncio.sleep(0.3 if x == 1 else 4)
        stamps.append(time.perf_counter())

    @tool(final=True)
    async def finish(x: int) -> int:
        if check is None or check(x) is None:
            seen.finished.append(time.perf_counter())
        return x

    return [tool_of(each) for each in (quick, slow, hangs, blocks, fails, writes, finish)]


def crafts_of(draw: random.Random) -> Crafts:
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


async def one_run(seed: int) -> Ended:
    """One run, and what came of it."""
    draw = random.Random(seed)
    seen = Seen(finished=[], writes=[])
    rates = dict.fromkeys(MISHAPS, draw.choice((0.0, 0.1, 0.5)) / len(MISHAPS))
    budget, check = draw.uniform(0.2, 2.0), draw.choice((None, None, strict))

    def same(answer: Any) -> str:
        seen.banked += 1
        return repr(answer)

    agent = Agent(
        FaultyBackend(ScriptedBackend(nasty(draw)), rates, seed=seed),
        "m",
        tools=lambda: Environment(tools=tools(seen, check), same=same),
        crafts=crafts_of(draw),
        check=check,
        choose=draw.choice(("vote", "judge")),
        seed=[CallTime(0.02, 0.02)] * draw.choice((0, 10)),
    )
    began = time.perf_counter()
    raised, stopped, answer = None, "", None
    try:
        outcome = await agent.run("goal", budget)
        stopped, answer = outcome.stopped, outcome.answer
    except Exception as error:  # noqa: BLE001 - what is raised is what is counted
        raised = f"{'ours: ' if isinstance(error, TitheError) else ''}{error!r}"
    ended, due = time.perf_counter(), began + budget
    return Ended(
        seed=seed,
        budget_s=budget,
        due_at=due,
        ended_at=ended,
        excused=any(stamps[0] < due and (len(stamps) == 1 or stamps[1] > due) for stamps in seen.writes),
        stopped=stopped,
        banked=seen.banked,
        lost=bool(seen.banked) and answer is None,
        dropped=not seen.banked and answer is None and any(at < due - GOAL_S for at in seen.finished),
        raised=raised,
    )


async def measure(found: list[Ended], told: dict[str, Any], seeds: Sequence[int], many: int) -> None:
    """All runs. `told` is given the loop's lag, and what the loop heard of errors that nobody waited for."""
    loop = asyncio.get_running_loop()
    unheard: list[str] = []
    loop.set_exception_handler(
        lambda _, context: unheard.append(f"{context.get('message')}: {context.get('exception')!r}")
    )
    progress = Progress(len(seeds))

    def job(seed: int) -> Job:
        async def run() -> None:
            found.append(await one_run(seed))
            progress.step()

        return run

    lags: list[tuple[float, float]] = []
    told |= {"lags": lags, "unheard": unheard}
    watch = asyncio.ensure_future(watch_lag(lags))
    used, began = time.process_time(), time.perf_counter()
    try:
        await at_once([job(seed) for seed in seeds], many)
    finally:
        watch.cancel()
        told["load"] = (time.process_time() - used) / (time.perf_counter() - began)


async def watch_lag(lags: list[tuple[float, float]]) -> None:
    """Note again and again when the loop was asked to come back, and how much later it did."""
    while True:
        due = time.perf_counter() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        lags.append((due, time.perf_counter() - due))


def report(found: Sequence[Ended], told: dict[str, Any], many: int) -> bool:
    """Print what was asked. Returns whether all holds."""
    plain = [one for one in found if not one.excused]
    excused = [one for one in found if one.excused]
    late = [one for one in plain if one.over_s > GOAL_S]
    late += [one for one in excused if one.over_s > GOAL_S + WRITE_TIMEOUT_S]
    lost, raised = [one for one in found if one.lost], [one for one in found if one.raised]
    dropped = [one for one in found if one.dropped]
    print(
        f"{len(found):,} runs, {many} at once, budgets of 0.2 to 2 s, an endpoint and tools that do their worst"
    )
    print(machine(), "\n")
    print("ended:", ", ".join(f"{n} {how}" for how, n in Counter(one.stopped for one in found).most_common()))
    overs = [1e3 * one.over_s for one in plain if one.over_s > -GOAL_S]
    print(
        f"{len(overs)} of {len(plain)} ended within 100 ms of their budget or after it: after it by (p50, p95, p99, most) "
        f"{percentiles(overs, 50, 95, 99, 100, form='.1f')} ms"
    )
    overs = [1e3 * one.over_s for one in excused]
    print(
        f"{len(excused)} had a write under way then, which has {WRITE_TIMEOUT_S:g} s and is not cut: after it by (p50, most) "
        f"{percentiles(overs, 50, 100, form='.1f')} ms"
    )
    lags: list[tuple[float, float]] = told.get("lags", [])
    print(
        f"loop lag (p50, p99, most): {percentiles([1e3 * lag for _, lag in lags], 50, 99, 100, form='.1f')} ms; "
        f"this process used {100 * told.get('load', 0):.0f} % of a core\n"
    )
    print(f"later than allowed: {len(late)}{seeds_of(late)}")
    for one in late:
        most = max((lag for due, lag in lags if due <= one.ended_at and due + lag >= one.due_at), default=0.0)
        print(
            f"  seed {one.seed}: {1e3 * one.over_s:.0f} ms after its budget; the loop was {1e3 * most:.0f} ms late then"
        )
    print(f"banked an answer: {sum(one.banked > 0 for one in found)}; lost: {len(lost)}{seeds_of(lost)}")
    print(
        f"final tool returned in time beside one that did not, and no answer: {len(dropped)}{seeds_of(dropped)}"
    )
    print(f"raised: {len(raised)}{''.join(f' [{one.seed}: {one.raised}]' for one in raised)}")
    unheard = Counter(told.get("unheard", ()))
    print(
        f"errors that nobody heard: {unheard.total()}", *(f"\n  {n} x {what}" for what, n in unheard.items())
    )
    return not (late or lost or raised or unheard)


def seeds_of(some: Sequence[Ended]) -> str:
    """Which ones, to run them again."""
    return f" (seeds {', '.join(str(one.seed) for one in some[:10])})" if some else ""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0, help="the first run's")
    parser.add_argument("--out", type=Path, help="where the runs are kept, as JSON")
    parser.add_argument("--quick", action="store_true", help="200 runs")
    options = parser.parse_args()
    runs = 200 if options.quick else options.runs
    found: list[Ended] = []
    told: dict[str, Any] = {}
    to_end(measure(found, told, range(options.seed, options.seed + runs), options.at_once))
    holds = report(found, told, options.at_once)
    write_json(options.out, msgspec.to_builtins(found))
    if not holds:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
