"""What goes wrong, and what the loop makes of it: each mishap at 5, 20 and 50 % of the calls, minimal loop against budgeted.

    python benchmarks/agent_faults.py [--tasks 30] [--budget 10] [--rates 0.05 0.2 0.5] [--out runs.jsonl] [--quick]
    python benchmarks/agent_faults.py --read runs.jsonl

The embedded endpoint with the bundled model at 60 ms and 600 tokens/s, and before it a backend that goes wrong as often as it is told
(`tithe.core.FaultyBackend`; its file says what each mishap is), or behind the loop tools that do (`agent_tool_mishaps.py`). What is the
endpoint's mishap befalls a call, with all the choices that it asks for; what is the model's befalls each choice by itself, so that
candidates are a remedy for it; what is a tool's befalls each of its runs, or checks. The task world's held-out tasks, the same for all; of
a task and a mishap both loops are given the same luck as long as they make the same calls. Without mishaps the budget is enough for both.
"""

from __future__ import annotations

import argparse
import random
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent_pairs import gained, matched, of, slower, success
from agent_runs import (
    BUDGETED,
    FIRST_SEED,
    MINIMAL,
    SPEEDS,
    Arm,
    Change,
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
    unchanged,
)
from agent_tool_mishaps import TOOL_MISHAPS, FaultyTools, ToolMishap
from endpoint import machine

from tithe.cli.embedded import embedded_endpoint
from tithe.core import MISHAPS, Backend, FaultyBackend, Mishap, PacedBackend
from tithe.net.remote import RemoteBackend

ARMS = (MINIMAL, BUDGETED)
AT_ONCE = 3


class Cell(NamedTuple):
    """A mishap and how often; None: nothing goes wrong."""

    mishap: Mishap | ToolMishap | None
    rate: float

    def __str__(self) -> str:
        return "none" if self.mishap is None else f"{self.mishap}, {100 * self.rate:g} %"


def cells(rates: Sequence[float]) -> list[Cell]:
    return [
        Cell(None, 0.0),
        *(Cell(mishap, rate) for mishap in (*MISHAPS, *TOOL_MISHAPS) for rate in rates),
    ]


def befallen(paced: Backend, cell: Cell, luck: int) -> tuple[Backend, Change]:
    """The endpoint of a cell's run, and what becomes of its tools."""
    if cell.mishap is None:
        return paced, unchanged
    if cell.mishap in TOOL_MISHAPS:
        return paced, FaultyTools(cell.mishap, cell.rate, seed=luck).changed
    return FaultyBackend(paced, {cell.mishap: cell.rate}, seed=luck), unchanged


async def measure(
    kept: Kept,
    watched: list[Punctual],
    rates: Sequence[float],
    todo: Sequence[Task],
    budget: float,
    workers: int,
) -> None:
    """All runs, in an order of chance."""
    order = random.Random(0)
    every = cells(rates)
    progress = Progress(len(every) * len(todo) * len(ARMS))
    async with embedded_endpoint("nano") as ready:
        remote = RemoteBackend(ready.url)
        paced = Punctual(PacedBackend(remote, SPEEDS["10x"]))
        watched.append(paced)

        def job(cell: Cell, task: Task) -> Job:
            luck = zlib.crc32(f"{cell} {task.family} {task.seed}".encode())

            async def one(arm: Arm) -> None:
                backend, change = befallen(paced, cell, luck)
                kept.add(await play(backend, ready.model, str(cell), arm, task, budget, change=change))
                progress.step()

            return in_turn(ARMS, one, order)

        jobs = [job(cell, task) for cell in every for task in todo]
        order.shuffle(jobs)
        try:
            await at_once(jobs, workers)
        finally:
            await remote.aclose()


def table(runs: Sequence[Ran], every: Sequence[str]) -> str:
    """A row a cell."""
    lines = [
        head(
            *("mishap", "tasks", "minimal solved", "budgeted solved", "budgeted more (points)"),
            *("minimal wall p50, p90 (s)", "budgeted wall p50, p90 (s)", "longer (s, median of pairs)"),
            *("calls", "retries", "model's faults", "ended otherwise than answered"),
        )
    ]
    for cell in every:
        pairs = matched(runs, cell, BUDGETED.name, MINIMAL.name)
        both = [of(runs, cell, arm.name) for arm in ARMS]
        lines.append(
            row(
                cell,
                len(pairs),
                *(success(found) for found in both),
                gained(pairs),
                *(percentiles([ran.wall_s for ran in found], 50, 90) for found in both),
                slower([(one.wall_s, two.wall_s) for one, two in pairs]),
                *(
                    " / ".join(mean(getattr(ran, name) for ran in found) for found in both)
                    for name in ("calls", "retries", "faults")
                ),
                " / ".join(ends(found) for found in both),
            )
        )
    return "\n".join(lines)


def ends(runs: Sequence[Ran]) -> str:
    """How the runs ended that did not end with an answer."""
    found = Counter(ran.stopped for ran in runs if ran.stopped != "answered")
    return ", ".join(f"{count} {stopped}" for stopped, count in found.most_common()) or "0"


def main() -> None:
    """Measure or read, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=30)
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="the first task's seed")
    parser.add_argument("--budget", type=float, default=10.0)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.05, 0.2, 0.5])
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="runs at once")
    parser.add_argument("--out", type=Path, help="where each run is kept, a line of JSON")
    parser.add_argument("--read", type=Path, help="measure nothing, and tell what was kept there")
    parser.add_argument("--quick", action="store_true", help="3 tasks, each mishap at 20 %%")
    options = parser.parse_args()
    if options.quick:
        options.tasks, options.rates = 3, [0.2]
    watched: list[Punctual] = []
    if options.read is not None:
        runs = read_runs(options.read)
        ranked = {
            str(cell): place for place, cell in enumerate(cells(sorted({*options.rates, 0.05, 0.2, 0.5})))
        }
        every = sorted({ran.cell for ran in runs}, key=lambda name: ranked.get(name, len(ranked)))
    else:
        kept = Kept(options.out)
        runs, every = kept.runs, [str(cell) for cell in cells(options.rates)]
        todo = tasks(options.tasks, options.first)
        to_end(measure(kept, watched, options.rates, todo, options.budget, options.at_once))
    print(f"mishaps, at 60 ms and 600 tokens/s within {options.budget:g} s; {machine()}\n")
    print("Two figures in a cell: minimal / budgeted.\n")
    print(table(runs, every), "\n")
    for each in watched:
        print(f"the endpoint's pace: {each.told()}")


if __name__ == "__main__":
    main()
