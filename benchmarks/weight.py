"""How much `tithe --help` weighs: its time beside that of `python -c pass`, in one run.

    python benchmarks/weight.py [--samples 21] [--most 10]

Each round runs every program once, in an order drawn anew, so that a slow moment strikes all alike; the ratios are
of the same round. Exits with 1 where the median ratio of `tithe --help` is above `--most`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time

import numpy as np
from endpoint import machine, spread

PROGRAMS = {
    "python -c pass": ("-c", "pass"),
    "tithe --help": ("-m", "tithe", "--help"),
    "tithe audit --help": ("-m", "tithe", "audit", "--help"),
}
BARE, FRONT = "python -c pass", "tithe --help"


def seconds(arguments: tuple[str, ...]) -> float:
    """How long Python takes with these arguments, from its start to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(samples: int) -> dict[str, list[float]]:
    """Seconds of every program, round by round; a first round of each fills the caches and is left out."""
    order = random.Random(0)
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for number in range(samples + 1):
        for name in order.sample(sorted(PROGRAMS), len(PROGRAMS)):
            spent = seconds(PROGRAMS[name])
            if number:
                taken[name].append(spent)
    return taken


def show(taken: dict[str, list[float]]) -> float:
    """Print times and ratios; returns the median ratio of the front page."""
    bare = np.asarray(taken[BARE])
    print(f"weight of tithe --help beside python -c pass, {len(bare)} rounds, interleaved")
    print(machine())
    print("p50 [p5 to p95], ms; and as a multiple of python -c pass, round by round")
    for name, spent in taken.items():
        ratios = "" if name == BARE else f"  {spread(np.asarray(spent) / bare)}"
        print(f"  {name:<20} {spread(spent, 1e3):<28}{ratios}")
    return float(np.median(np.asarray(taken[FRONT]) / bare))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=21)
    parser.add_argument("--most", type=float, default=10.0)
    options = parser.parse_args()
    if show(measure(options.samples)) > options.most:
        raise SystemExit(f"{FRONT} takes more than {options.most:g} times as long as {BARE}")
