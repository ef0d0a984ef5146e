"""How long it takes to read, attribute and print many tasks, and whether that grows with their number and no faster.

    python benchmarks/ledger.py [--sizes 1250,2500,5000,10000] [--repeats 5]

Each size is a record of its own, of tasks with 20 steps as `tithe record` leaves them: an attempt a step, tools that are
seen from outside, now and then two of them at once, a retry in every fifth task. A sample is everything that `tithe ledger --all`
does once it is imported, in a process of its own; the sizes take turns.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from endpoint import machine, spread

from tithe.core import Anchor, Span
from tithe.core import attributes as at
from tithe.trace import Store

STEPS = 20
GOAL_S = 5.0

# Run beside, so that no sample finds what an earlier one left in memory.
SAMPLE = """
import json, sys, time
from pathlib import Path
from rich.console import Console
from tithe.ledger import accounts, many_tasks
from tithe.report import print_many
from tithe.trace import Store
with Store.open(Path(sys.argv[1]), write=False) as store:
    began = time.perf_counter()
    told = list(accounts(store.task_records()))
    attributed = time.perf_counter()
    console = Console(width=100)
    with console.capture() as printed:
        print_many(many_tasks(told), console)
    done = time.perf_counter()
    assert len(told) == int(sys.argv[2]) and printed.get()
    read = sum(1 for _ in store.task_records())
    again = time.perf_counter()
print(json.dumps([done - began, attributed - began, done - attributed, again - done]))
"""


def task(number: int, start: float) -> list[Span]:
    """One task's attempts, 20 steps of them."""
    draw = random.Random(number)
    trace, spans, now, prompt = f"{number:016x}", list[Span](), start, 1500
    results: list[str] = []
    for step in range(STEPS):
        asked = (
            []
            if step == STEPS - 1
            else [f"call_{trace}_{step}_{n}" for n in range(1 + (draw.random() < 0.2))]
        )
        told = _told(draw, prompt, asked, results)
        if draw.random() < 1 / (5 * STEPS):
            failed = {key: told[key] for key in (at.REQUEST_MODEL, at.SOURCE, at.API, at.RELATION)}
            spans.append(
                Span(
                    id=f"{trace}{step:03}f", trace=trace, kind="attempt", name="chat", start=now, end=now + 0.3,
                    parent=f"{trace}{step:03}c", error="429", attributes={**failed, at.STATUS: 429, at.ERROR: "429"},
                )
            )  # fmt: skip
            now += 0.8
        end = now + told[at.LAST_TOKEN] + 0.002
        spans.append(
            Span(
                id=f"{trace}{step:03}a", trace=trace, kind="attempt", name="chat", start=now, end=end,
                parent=f"{trace}{step:03}c", attributes=told,
            )
        )  # fmt: skip
        prompt += told[at.OUTPUT_TOKENS] + 400
        results, now = asked, end + draw.lognormvariate(-1, 1)
    return spans


def _told(draw: random.Random, prompt: int, asked: list[str], results: list[str]) -> dict[str, Any]:
    """An attempt's attributes, as the recording proxy writes them."""
    output = draw.randint(40, 300)
    first = 0.002 + draw.lognormvariate(-1.2, 0.5)
    last = first + output * 0.012
    told: dict[str, Any] = {
        at.OPERATION: "chat",
        at.PROVIDER: "openai",
        at.REQUEST_MODEL: "model-large",
        at.RESPONSE_MODEL: "model-large-2026-10-01",
        at.REQUEST_STREAM: True,
        at.MAX_TOKENS: 4096,
        at.SERVER: "api.example.com",
        at.SOURCE: "proxy",
        at.API: "chat",
        at.HAS_TOOLS: True,
        at.RELATION: "extends" if results else "new",
        at.REQUEST_DIGEST: f"{draw.getrandbits(64):016x}",
        at.STATUS: 200,
        at.SENT: 0.001,
        at.FIRST_TOKEN: first,
        at.FIRST_VISIBLE: first,
        at.LAST_TOKEN: last,
        at.PHASES: [["answer", first, first + 0.3], ["arguments", first + 0.32, last]],
        at.RESPONSE_ID: f"chatcmpl-{draw.getrandbits(64):016x}",
        at.FINISH_REASONS: ["tool_calls" if asked else "stop"],
        at.INPUT_TOKENS: prompt,
        at.OUTPUT_TOKENS: output,
        at.CACHE_READ_TOKENS: prompt * 9 // 10 if results else 0,
    }
    if asked:
        told[at.ASKED_TOOLS] = [[id_, draw.choice(("search", "read_file", "run"))] for id_ in asked]
    if results:
        told |= {at.TOOL_RESULTS: results, at.NEW_ROLES: ["assistant", *("tool" for _ in results)]}
    return told


def make_record(path: Path, tasks: int) -> None:
    """A record of so many tasks."""
    with Store.open(path, write=True) as store:
        recording = store.begin(
            Anchor(monotonic=0.0, unix=1.79e9), source="proxy", command="agent", name="agent"
        )
        for first in range(0, tasks, 500):
            numbers = range(first, min(first + 500, tasks))
            store.add(recording, [span for number in numbers for span in task(number, 30.0 * number)])


def sample(path: Path, tasks: int) -> list[float]:
    """Seconds: of everything, of reading and attribution, of figures and printing, and of reading once more, alone."""
    ran = subprocess.run(
        [sys.executable, "-c", SAMPLE, str(path), str(tasks)], check=True, stdout=subprocess.PIPE
    )
    return json.loads(ran.stdout)


def measure(sizes: list[int], repeats: int) -> None:
    """Take the samples by turns and print them."""
    taken: dict[int, list[list[float]]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: Path(folder) / f"{size}.db" for size in sizes}
        for size, path in paths.items():
            make_record(path, size)
        for _ in range(repeats):
            for size, path in paths.items():
                taken[size].append(sample(path, size))
    print(f"read, attribute and print tasks of {STEPS} steps: {repeats} samples of each size, interleaved")
    print(machine())
    print("p50 [p5 to p95], s")
    print(
        f"  {'tasks':>7}  {'all':<24}{'read, attribute':<24}{'figures, print':<24}{'(read alone)':<24}ms a task"
    )
    for size, rows in taken.items():
        columns = "".join(f"{spread(list(column)):<24}" for column in zip(*rows, strict=True))
        print(f"  {size:>7,}  {columns}{1e3 * _middle(rows) / size:.3f}")
    for small, large in pairwise(sizes):
        ratios = [(b[0] / large) / (a[0] / small) for a, b in zip(taken[small], taken[large], strict=True)]
        print(f"  time a task, {large:,} against {small:,} tasks: {spread(ratios)} times")
    largest = _middle(taken[sizes[-1]])
    print(f"  goal for 10,000 tasks: {GOAL_S:g} s; at {sizes[-1]:,} it is {1e4 * largest / sizes[-1]:.2f} s")


def _middle(rows: list[list[float]]) -> float:
    return float(np.median([row[0] for row in rows]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1250,2500,5000,10000")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    measure([int(size) for size in options.sizes.split(",")], options.repeats)
