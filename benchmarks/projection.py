"""Is a projection right? Tasks recorded on one endpoint are projected to two others, and then replayed there.

    python benchmarks/projection.py [--tasks 30]

The bundled model is served at the pace of three endpoints (`tithe serve --emulate`): 600 ms and 60 tokens a second, 200 ms and 200,
and 60 ms and 600, each with a jitter of a tenth on its TTFT. Tasks of the task world are recorded on the first
(`tithe record -- python examples/agent.py`). Each is projected to the other two from its recording alone, with the call
times fitted to all of the recordings, and replayed there for real (`tithe replay`, tools and pauses as long as they were). Error: the
projected median of the wall clock against the replayed one. Coverage: how often the replayed one lies in the
projection's 80 % interval.
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

from tithe.trace import Store
from tithe.trace.tree import build_tree
from tithe.whatif import Change, Graph, graph_of, own_call_times, project

AGENT = Path(__file__).parents[1] / "examples" / "agent.py"
FAMILIES = ("lookup", "repair", "records")
JITTER = 0.1
TARGETS = {
    "200 ms, 200 tok/s": (Change(ttft_s=0.2, tokens_per_s=200.0), "ttft=200ms,tps=200"),
    "10 times as fast": (Change(speedup=10.0), "ttft=60ms,tps=600"),
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


def recorded(db: str, tasks: int) -> list[Graph]:
    """Record the tasks on the slow endpoint; their graphs."""
    with endpoint("nano", "--emulate", f"ttft=600ms,tps=60,jitter={JITTER},seed=1") as url:
        for number in range(tasks):
            family = FAMILIES[number % len(FAMILIES)]
            command = (sys.executable, str(AGENT), family, str(100 + number))
            tithe("record", "--db", db, "--quiet", "--upstream", url, "--", *command)
    with Store.open(db, write=False) as store:
        return [graph_of(build_tree(one.spans), task=one.id, name=one.id) for one in store.task_records()]


def replayed(db: str, task: str, url: str) -> dict[str, Any]:
    """The account of a replay."""
    return json.loads(tithe("replay", task, url, "--db", db, "--people", "x1", "--json", "--yes"))["replayed"]


def main() -> None:
    """Record, project, replay, and print the errors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=30)
    tasks: int = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as folder:
        db = f"{folder}/record.db"
        graphs = recorded(db, tasks)
        own = own_call_times(graphs)
        calls = sum(len(graph.calls) for graph in graphs)
        print(
            f"projection against replay: {len(graphs)} tasks of the task world, {calls} calls, recorded at 600 ms, 60 tok/s"
        )
        print(machine())
        for seed, (name, (change, pace)) in enumerate(TARGETS.items(), start=2):
            errors: list[float] = []
            inside = 0
            buckets: dict[str, list[float]] = {}
            with endpoint("nano", "--emulate", f"{pace},jitter={JITTER},seed={seed}") as url:
                for graph in graphs:
                    found = project([graph], change, own)
                    real = replayed(db, graph.task, url)
                    errors.append(abs(found.wall.p50 - real["wall_s"]) / real["wall_s"])
                    inside += found.wall.low <= real["wall_s"] <= found.wall.high
                    for bucket in sorted({*found.after, *real["wall"]}):
                        off = found.after.get(bucket, 0.0) - real["wall"].get(bucket, 0.0)
                        buckets.setdefault(bucket, []).append(off)
            median, p90 = np.percentile(errors, [50, 90])
            print(
                f"{name}: absolute error of the wall clock {100 * median:.1f} % median, {100 * p90:.1f} % p90; ",
                end="",
            )
            print(f"{inside} of {len(graphs)} in the 80 % interval ({100 * inside / len(graphs):.0f} %)")
            told = ", ".join(
                f"{bucket} {1e3 * float(np.median(off)):+.1f} ms" for bucket, off in buckets.items()
            )
            print(f"  projected less replayed, median: {told}")


if __name__ == "__main__":
    main()
