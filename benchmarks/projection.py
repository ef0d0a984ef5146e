"""Is a projection right? Tasks recorded on one endpoint are projected to two others, and then replayed there.

    python benchmarks/projection.py [--tasks 30] [--alone]

The bundled model is served at the pace of three endpoints (`tithe serve --emulate`): 600 ms and 60 tokens a second, 200 ms and 200,
and 60 ms and 600, each with a jitter of a tenth on its TTFT. Tasks of the task world are recorded on the first
(`tithe record -- python examples/agent.py`). Each is then replayed on the other two for real (`tithe replay`, tools and pauses as long as they
were), with flags that say what the endpoint is; the projection is the one that this command makes before it begins, and holds against the
replay. Call times are fitted to all recorded calls of the first endpoint; with `--alone` each task has a record of its own, and its
few calls are all that is known. Error: the projected median of the wall clock against the replayed one. Coverage: how often
the replayed one lies in the projection's 80 % interval, of those that have one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from endpoint import endpoint, machine

AGENT = Path(__file__).parents[1] / "examples" / "agent.py"
FAMILIES = ("lookup", "repair", "records")
JITTER = 0.1
TARGETS = {
    "200 ms, 200 tok/s": (("--ttft", "200ms", "--tps", "200"), "ttft=200ms,tps=200"),
    "10 times as fast": (("--speedup", "10"), "ttft=60ms,tps=600"),
}


def tithe(*arguments: str) -> str:
    """Standard output of a command. An agent that fails at its task has an exit status of its own, which is none of ours."""
    ran = subprocess.run(
        [sys.executable, "-m", "tithe", *arguments],
        check=False,
        text=True,
        capture_output=True,
    )
    if ran.returncode not in (0, 1):
        raise SystemExit(f"tithe {arguments[0]}: {ran.stderr}")
    return ran.stdout


def recorded(folder: str, tasks: int, *, alone: bool) -> list[tuple[str, str]]:
    """Record the tasks on the slow endpoint; the record and the id of each."""
    with endpoint("nano", "--emulate", f"ttft=600ms,tps=60,jitter={JITTER},seed=1") as url:
        for number in range(tasks):
            family = FAMILIES[number % len(FAMILIES)]
            command = (sys.executable, str(AGENT), family, str(100 + number))
            db = f"{folder}/{number if alone else 'all'}.db"
            tithe("record", "--db", db, "--quiet", "--upstream", url, "--", *command)
    records = [f"{folder}/{number}.db" for number in range(tasks)] if alone else [f"{folder}/all.db"]
    return [
        (db, task["id"])
        for db in records
        for task in json.loads(tithe("tasks", "--db", db, "--limit", "1000", "--json"))["tasks"]
    ]


def replayed(db: str, task: str, url: str, flags: tuple[str, ...]) -> dict[str, Any]:
    """A replay and its projection."""
    return json.loads(tithe("replay", task, url, "--db", db, "--people", "x1", *flags, "--json", "--yes"))


def tell(name: str, reports: list[dict[str, Any]]) -> None:
    """Print how far the projections to one endpoint were off."""
    checked = [report["projection"] for report in reports]
    median, p90 = np.percentile([abs(one["error"]) for one in checked], [50, 90])
    held = [one["inside"] for one in checked if one["inside"] is not None]
    print(
        f"{name}: absolute error of the wall clock {100 * median:.1f} % median, {100 * p90:.1f} % p90; ",
        end="",
    )
    print(
        f"{sum(held)} of {len(held)} in the 80 % interval"
        + (f"; {len(checked) - len(held)} have none" if len(held) < len(checked) else "")
    )
    buckets: dict[str, list[float]] = {}
    for one in checked:
        for bucket, off in one["errors"].items():
            buckets.setdefault(bucket, []).append(off)
    told = ", ".join(
        f"{bucket} {1e3 * float(np.median(off)):+.1f} ms" for bucket, off in sorted(buckets.items())
    )
    print(f"  projected less replayed, median: {told}", flush=True)


def main() -> None:
    """Record, project, replay, and print the errors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=30)
    parser.add_argument("--alone", action="store_true", help="each task in a record of its own")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tasks = recorded(folder, options.tasks, alone=options.alone)
        known = "each alone in its record" if options.alone else "all in one record"
        print(f"projection against replay: {len(tasks)} tasks, recorded at 600 ms, 60 tok/s, {known}")
        print(machine(), flush=True)
        for seed, (name, (flags, pace)) in enumerate(TARGETS.items(), start=2):
            with endpoint("nano", "--emulate", f"{pace},jitter={JITTER},seed={seed}") as url:
                tell(name, [replayed(db, task, url, flags) for db, task in tasks])


if __name__ == "__main__":
    main()
