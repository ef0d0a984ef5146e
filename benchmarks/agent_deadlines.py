"""Do deadlines hold? Many runs on the real clock, with an endpoint, tools and a user's functions that do their worst.

    python benchmarks/agent_deadlines.py [--runs 1000] [--at-once 40] [--http 0.3] [--seed 0] [--out runs.json] [--quick]

The endpoint is scripted: any latency from none to never, stalls in the middle of an answer, each mishap of `tithe.core.FaultyBackend`, calls
of tools that there are not or whose arguments are no JSON, answers that are empty or cut. The tools are slow, hang and do not heed that
they are cancelled, block a thread, raise, or write with a declared timeout, beside others or not. The user's functions (`choose`, environments and their
making, what compares, checks and closes) are now and then slow, hang, block or raise: see `agent_worst.py`, which also says what a run must
hold to. So many of the runs as `--http` says are `tithe.Agent(url)` over loopback, half of them without a model's name (`agent_worst_http.py`).
Budgets are 0.2 to 2 s, crafts are drawn anew for each run.

Asked: no run ends more than 100 ms after its budget, or after the timeout of a write that was under way then; none breaks what else `agent_worst.py`
asks; nothing is raised. Loop lag is measured beside it: by so much the machine alone may be late. Exits with 1 where one of these does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from agent_runs import Job, Progress, at_once, percentiles, to_end, write_json
from agent_worst import WRITE_TIMEOUT_S, Ended, Worst, crafts_of, nasty
from agent_worst_http import MODEL, endpoint
from endpoint import machine

from tithe import endpoint_agent
from tithe.agent import Agent, CallTime
from tithe.core import MISHAPS, FaultyBackend, ScriptedBackend, SystemClock

GOAL_S = 0.1
LAG_EVERY_S = 0.005


async def one_run(seed: int, http: float) -> tuple[str, Ended]:
    """One run: where it called, and what came of it."""
    draw = random.Random(seed)
    over_http, named = draw.random() < http, draw.random() < 0.5
    met = Worst(draw, SystemClock(), threads=True)
    given = met.given() | {
        "crafts": crafts_of(draw),
        "seed": [CallTime(0.02, 0.02)] * draw.choice((0, 10)),
    }
    budget = draw.uniform(0.2, 2.0)
    if not over_http:
        rates = dict.fromkeys(MISHAPS, draw.choice((0.0, 0.1, 0.5)) / len(MISHAPS))
        backend = FaultyBackend(ScriptedBackend(nasty(draw)), rates, seed=seed)
        return "in process", await met.run(Agent(backend, "m", **given), seed, budget)
    async with endpoint(draw, nasty(draw)) as url:
        agent = endpoint_agent.Agent(url, MODEL if named else None, **given)
        ended = await met.run(agent, seed, budget)
    return "HTTP" if named else "HTTP, no model named", ended


async def measure(
    found: list[tuple[str, Ended]], told: dict[str, Any], seeds: Sequence[int], many: int, http: float
) -> None:
    """All runs. `told` is given the loop's lag, and what the loop heard of errors that nobody waited for."""
    loop = asyncio.get_running_loop()
    unheard: list[str] = []

    def hear(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # A server that is stopped cancels those whom it answers, which Python 3.11's streams tell as an error.
        if not isinstance(context.get("exception"), asyncio.CancelledError):
            unheard.append(f"{context.get('message')}: {context.get('exception')!r}")

    loop.set_exception_handler(hear)
    progress = Progress(len(seeds))

    def job(seed: int) -> Job:
        async def run() -> None:
            found.append(await one_run(seed, http))
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


def report(runs: Sequence[tuple[str, Ended]], told: dict[str, Any], many: int) -> bool:
    """Print what was asked. Returns whether all holds."""
    found = [one for _, one in runs]
    where = Counter(place for place, _ in runs)
    plain = [one for one in found if not one.excused]
    excused = [one for one in found if one.excused]
    late = [one for one in found if one.late_s > GOAL_S]
    wrong, raised = [one for one in found if one.wrong], [one for one in found if one.raised]
    dropped = [one for one in found if one.dropped]
    print(
        f"{len(found):,} runs, {many} at once, budgets of 0.2 to 2 s, an endpoint, tools and functions that do their worst"
    )
    print(machine(), "\n")
    print("called:", ", ".join(f"{n} {place}" for place, n in where.most_common()))
    print("ended:", ", ".join(f"{n} {how}" for how, n in Counter(one.stopped for one in found).most_common()))
    overs = [1e3 * one.over_s for one in plain if one.over_s > -GOAL_S]
    print(
        f"{len(overs)} of {len(plain)} ended within 100 ms of their budget or after it: after it by (p50, p95, p99, most) "
        f"{percentiles(overs, 50, 95, 99, 100, form='.1f')} ms"
    )
    print(
        f"{len(excused)} had a write under way then, which has {WRITE_TIMEOUT_S:g} s and is not cut: after the budget by (p50, most) "
        f"{percentiles([1e3 * one.over_s for one in excused], 50, 100, form='.1f')} ms, after its timeout by at most "
        f"{percentiles([1e3 * one.late_s for one in excused], 100, form='.1f')} ms"
    )
    lags: list[tuple[float, float]] = told.get("lags", [])
    print(
        f"loop lag (p50, p99, most): {percentiles([1e3 * lag for _, lag in lags], 50, 99, 100, form='.1f')} ms; "
        f"this process used {100 * told.get('load', 0):.0f} % of a core\n"
    )
    print(f"later than allowed: {len(late)}{seeds_of(late)}")
    for one in late:
        most = max(
            (lag for due, lag in lags if due <= one.ended_at and due + lag >= one.may_end_at), default=0.0
        )
        print(
            f"  seed {one.seed}: {1e3 * one.late_s:.0f} ms after it had to end; the loop was {1e3 * most:.0f} ms late then"
        )
    print(
        f"banked an answer: {sum(one.banked for one in found)}; broke something else: {len(wrong)}{seeds_of(wrong)}"
    )
    for one in wrong:
        print(f"  seed {one.seed}: {'; '.join(one.wrong)}")
    print(
        f"final tool returned a sound answer in time, and there is none in the end (it was not taken, or not reached): {len(dropped)}{seeds_of(dropped)}"
    )
    print(f"raised: {len(raised)}{''.join(f' [{one.seed}: {one.raised}]' for one in raised)}")
    unheard = Counter(told.get("unheard", ()))
    print(
        f"errors that nobody heard: {unheard.total()}", *(f"\n  {n} x {what}" for what, n in unheard.items())
    )
    return not (late or wrong or raised or unheard)


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
    parser.add_argument("--http", type=float, default=0.3, help="the share of the runs that call over HTTP")
    parser.add_argument("--seed", type=int, default=0, help="the first run's")
    parser.add_argument("--out", type=Path, help="where the runs are kept, as JSON")
    parser.add_argument("--quick", action="store_true", help="200 runs")
    options = parser.parse_args()
    runs = 200 if options.quick else options.runs
    found: list[tuple[str, Ended]] = []
    told: dict[str, Any] = {}
    # Environments that do not close are drawn on purpose, and told as warnings.
    warnings.filterwarnings("ignore", "An environment could not be closed", RuntimeWarning)
    to_end(measure(found, told, range(options.seed, options.seed + runs), options.at_once, options.http))
    holds = report(found, told, options.at_once)
    write_json(options.out, [{"called": place} | msgspec.to_builtins(one) for place, one in found])
    if not holds:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
