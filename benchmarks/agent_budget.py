"""Does an agent with time to be careful succeed more often? Success within a budget against the endpoint's speed.

    python benchmarks/agent_budget.py [--tasks 150] [--budgets 3 6 12] [--arms minimal budgeted] [--out runs.jsonl] [--chart chart.png] [--quick]
    python benchmarks/agent_budget.py --read runs.jsonl [--chart chart.png]

One embedded endpoint with the bundled model is held back to three paces: 600 ms and 60 tokens/s (1x), 200 ms and 180 (3x), 60 ms and
600 (10x), each with a jitter of a tenth on its TTFT. The task world's held-out tasks are done by the minimal loop (a call a step, the first
answer taken) and by the budgeted one as `tithe.agent.task_world` has it, each in the same world with the same tools and the same
check of an answer, both at the temperature that an agent has where none is given, 1; by the model's card its success differs by less than
a point from greedy. What it fails at it mostly fails at again: of five tries at a task, one succeeds at 5 points more of the tasks than
the first does, so no loop can gain more than that. At 1.5 it errs by chance, and a loop has more to mend. Every agent is new, so the budgeted loop knows nothing of the speed when it begins.
`--arms minimal budgeted default` adds the agent as it comes, which reviews its answers: what that costs where the reviewer has no opinions.

A run that is out of time may have an answer: the best that it had banked, which counts as any other. "No answer" are those that had none.

The paces come one after the other, each with as many runs at once as mostly sleep. By how much the endpoint came later than its pace is printed; a run
in which that is not small against the TTFT measures the machine, and says nothing of the pace.

`--chart` needs Chromium.
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent_pairs import gained, gained_in_all, matched, no_answer, of, slower, success
from agent_runs import (
    BUDGETED,
    DEFAULT,
    FIRST_SEED,
    MINIMAL,
    SPEEDS,
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
from endpoint import machine

from tithe.cli.embedded import embedded_endpoint
from tithe.core import PacedBackend, Sampling
from tithe.core.statistics import wilson
from tithe.net.remote import RemoteBackend
from tithe.report.drawing import Axis, Interval, Samples, Series
from tithe.report.page import Fact, Figure, Page, Panel, render

ARMS = {arm.name: arm for arm in (MINIMAL, BUDGETED, DEFAULT)}
# Runs of each pace that go on at once: as many as an endpoint on two cores serves in time, about 15 calls a second.
AT_ONCE = {"1x": 12, "3x": 4, "10x": 2}
# Of the picture: what stands above and below the panels, a row of them, and the most of them in it.
HEAD_PX, ROW_PX, IN_A_ROW = 350, 390, 3
LOOKS = {"minimal": ("orange", "square"), "budgeted": ("blue", "circle"), "default": ("green", "triangle")}


def cell_of(speed: str, budget: float) -> str:
    return f"{speed}, {budget:g} s"


async def measure(
    kept: Kept,
    late: dict[str, Punctual],
    speeds: Sequence[str],
    budgets: Sequence[float],
    arms: Sequence[str],
    todo: Sequence[Task],
    temperature: float,
) -> None:
    """All runs; of a pace budgets and tasks come in an order of chance."""
    order = random.Random(0)
    sampling = Sampling(temperature=temperature)
    progress = Progress(len(speeds) * len(budgets) * len(todo) * len(arms))
    async with embedded_endpoint("nano") as ready:
        remote = RemoteBackend(ready.url)

        def job(speed: str, budget: float, task: Task) -> Job:
            async def one(arm: str) -> None:
                cell = cell_of(speed, budget)
                kept.add(
                    await play(late[speed], ready.model, cell, ARMS[arm], task, budget, sampling=sampling)
                )
                progress.step()

            return in_turn(arms, one, order)

        try:
            for speed in speeds:
                late[speed] = Punctual(PacedBackend(remote, SPEEDS[speed]))
                jobs = [job(speed, budget, task) for budget in budgets for task in todo]
                order.shuffle(jobs)
                await at_once(jobs, AT_ONCE[speed])
        finally:
            await remote.aclose()


def table(runs: Sequence[Ran], speeds: Sequence[str], budgets: Sequence[float], arms: Sequence[str]) -> str:
    """A row a cell and arm, and beside each but the first by how much it differs from that."""
    base = arms[0]
    lines = [
        head(
            *("pace", "budget", "loop", "tasks", "solved in time", f"more than {base} (points)"),
            *("wall p50, p90 (s)", "longer (s, median of pairs)", "calls", "output tokens"),
            *("ways", "out of time", "no answer"),
        )
    ]
    for budget in budgets:
        for speed in speeds:
            cell = cell_of(speed, budget)
            for arm in arms:
                found = of(runs, cell, arm)
                if not found:
                    continue
                walls = [ran.wall_s for ran in found]
                pairs = matched(runs, cell, arm, base)
                first = arm == base
                lines.append(
                    row(
                        speed,
                        f"{budget:g} s",
                        arm,
                        len(found),
                        success(found),
                        "" if first else gained(pairs),
                        percentiles(walls, 50, 90),
                        "" if first else slower([(one.wall_s, two.wall_s) for one, two in pairs]),
                        mean(ran.calls for ran in found),
                        mean((ran.tokens for ran in found), ".0f"),
                        mean(ran.ways for ran in found),
                        f"{sum(ran.stopped == 'out of time' for ran in found)}",
                        no_answer(found),
                    )
                )
    return "\n".join(lines)


def over_budgets(
    runs: Sequence[Ran], speeds: Sequence[str], budgets: Sequence[float], arms: Sequence[str]
) -> str:
    """A row a pace and arm: how much more it solves than the first arm, over all budgets."""
    lines = [head("pace", "budgets", "loop", f"more than {arms[0]} over all of them (points)")]
    for speed in speeds:
        for name in arms[1:]:
            cells = [matched(runs, cell_of(speed, budget), name, arms[0]) for budget in budgets]
            if all(cells):
                told = ", ".join(f"{budget:g} s" for budget in budgets)
                lines.append(row(speed, told, name, gained_in_all(cells)))
    return "\n".join(lines)


def heat(runs: Sequence[Ran]) -> str:
    """The temperature in words."""
    return f"temperature {', '.join(sorted({f'{ran.temperature:g}' for ran in runs if ran.temperature is not None}))}"


def by_family(
    runs: Sequence[Ran], speeds: Sequence[str], budgets: Sequence[float], arms: Sequence[str]
) -> str:
    """Solved of all, by family."""
    lines = [head("pace", "budget", "family", *arms)]
    for budget in budgets:
        for speed in speeds:
            for family in sorted({ran.family for ran in runs}):
                found = [
                    [ran for ran in of(runs, cell_of(speed, budget), arm) if ran.family == family]
                    for arm in arms
                ]
                told = [
                    f"{sum(ran.solved for ran in some)} of {len(some)}" if some else "-" for some in found
                ]
                if any(found):
                    lines.append(row(speed, f"{budget:g} s", family, *told))
    return "\n".join(lines)


def chart(
    runs: Sequence[Ran], speeds: Sequence[str], budgets: Sequence[float], arms: Sequence[str], target: Path
) -> None:
    """Success against speed, a line an arm, a panel a budget."""
    panels = tuple(
        Panel(title=f"Budget {budget:g} s", drawing=drawing(runs, speeds, budget, arms), empty="no runs")
        for budget in budgets
    )
    each = max(len(of(runs, cell_of(speed, budget), arms[0])) for speed in speeds for budget in budgets)
    page = Page(
        kind="tithe.Agent",
        title="Success within a budget of time",
        facts=(Fact(name="model", value=f"the bundled one, {heat(runs)}"),),
        alerts=(),
        headlines=(),
        anchors={},
        figures=(
            Figure(
                anchor="success",
                title="Tasks solved in time, by the endpoint's speed",
                panels=panels,
                reading=f"A mark is the share of {each} held-out tasks, with its 95 % interval (Wilson). "
                "1x: 600 ms, 60 tokens/s. 3x: 200 ms, 180 tokens/s. 10x: 60 ms, 600 tokens/s.",
                caption=(),
                formulas=(),
                tables=(),
                beside=True,
            ),
        ),
        notes=(machine(),),
    )
    columns = min(IN_A_ROW, len(budgets))
    # A page's panels are of two widths; budgets are to be held against each other.
    equal = f"<style>.panels.beside {{ grid-template-columns: repeat({columns}, minmax(0, 30rem)); }}</style></head>"
    height = HEAD_PX + ROW_PX * math.ceil(len(budgets) / columns)
    shoot(render(page).replace("</head>", equal, 1), target, height)


def drawing(runs: Sequence[Ran], speeds: Sequence[str], budget: float, arms: Sequence[str]) -> Samples:
    """One panel."""
    cells = [cell_of(speed, budget) for speed in speeds]
    arms = [arm for arm in arms if any(of(runs, cell, arm) for cell in cells)]
    series: list[Series] = []
    for place, arm in enumerate(arms):
        colour, symbol = LOOKS[arm]
        marks: list[Interval] = []
        for speed in speeds:
            found = of(runs, cell_of(speed, budget), arm)
            share = wilson(sum(ran.solved for ran in found), len(found))
            if share is not None:
                marks.append(
                    Interval(
                        at=speed,
                        value=100 * share.value,
                        low=100 * share.low,
                        high=100 * share.high,
                        told=f"{arm} at {speed}: {share.successes} of {share.n}",
                    )
                )
        series.append(
            Series(
                name=arm,
                colour=colour,  # type: ignore[arg-type]
                symbol=symbol,  # type: ignore[arg-type]
                intervals=tuple(marks),
                lane=place - (len(arms) - 1) / 2,
                joined=True,
            )
        )
    return Samples(
        along="x",
        position=Axis(label="speed", scale="category", values=tuple(speeds)),
        value=Axis(label="solved (%)", low=0.0, high=100.0),
        series=tuple(series),
    )


def shoot(page: str, target: Path, height: int) -> None:
    """A picture of a page with headless Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed: without it there is no chart")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "page.html"
        written.write_text(page, "utf-8")
        subprocess.run(
            [
                *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
                *("--hide-scrollbars", f"--window-size=1240,{height}", "--force-device-scale-factor=1.5"),
                *("--virtual-time-budget=4000", f"--user-data-dir={folder}/profile"),
                *(f"--screenshot={target.absolute()}", written.as_uri()),
            ],
            check=True,
            capture_output=True,
        )


def main() -> None:
    """Measure or read, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=150)
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="the first task's seed")
    parser.add_argument("--budgets", type=float, nargs="+", default=[3.0, 6.0, 12.0])
    parser.add_argument("--speeds", nargs="+", default=list(SPEEDS), choices=list(SPEEDS))
    parser.add_argument("--arms", nargs="+", default=[MINIMAL.name, BUDGETED.name], choices=list(ARMS))
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--out", type=Path, help="where each run is kept, a line of JSON")
    parser.add_argument("--read", type=Path, help="measure nothing, and tell what was kept there")
    parser.add_argument("--chart", type=Path, help="a PNG")
    parser.add_argument("--quick", action="store_true", help="6 tasks in 6 s")
    options = parser.parse_args()
    if options.quick:
        options.tasks, options.budgets = 6, [6.0]
    late: dict[str, Punctual] = {}
    if options.read is not None:
        runs = read_runs(options.read)
        cells = [ran.cell.removesuffix(" s").split(", ") for ran in runs]
        options.budgets = sorted({float(budget) for _, budget in cells})
        options.speeds = [speed for speed in SPEEDS if any(speed == one for one, _ in cells)]
        options.arms = [name for name in ARMS if any(ran.arm == name for ran in runs)]
    else:
        kept = Kept(options.out)
        runs = kept.runs
        todo = tasks(options.tasks, options.first)
        to_end(measure(kept, late, options.speeds, options.budgets, options.arms, todo, options.temperature))
    asked = (options.speeds, options.budgets, options.arms)
    print(f"success within a budget, tasks of the task world, {heat(runs)}; {machine()}\n")
    print(table(runs, *asked), "\n")
    if len(options.budgets) > 1:
        print(over_budgets(runs, *asked), "\n")
    print(by_family(runs, *asked), "\n")
    for speed, watched in late.items():
        print(f"{speed}: {watched.told()}")
    if options.chart is not None:
        chart(runs, *asked, options.chart)


if __name__ == "__main__":
    main()
