"""How long it takes to simulate many tasks under a new profile, and whether that grows with their number alone.

    python benchmarks/whatif.py [--tasks 10000] [--steps 20] [--draws N] [--most 5]

Every task is another one: its prompts, answers, tools and retries are drawn anew. Simulated: arrays of the graphs are made, and each is
simulated with as many draws as `tithe whatif` gives so many tasks (`--draws` for another number). Projected: all that `tithe whatif` does
with graphs that it has, so each task as it was, as it will be and its floor, and the knobs. Reading a record is in neither. A tenth and a third of
the tasks are timed as well, with as many draws each; the time a task is then to stay the same. Exits with 1 where simulating all of them takes
more than `--most` seconds.
"""

import argparse
import random
import time

from endpoint import machine

from tithe.whatif import (
    CallSample,
    Change,
    Description,
    Graph,
    Profile,
    described_graph,
    draws_for,
    fit_call_times,
    project,
    simulate,
)


def tasks(count: int, steps: int) -> list[Graph]:
    """Tasks of `steps` steps, none like another."""
    chance = random.Random(0)
    return [
        described_graph(
            Description(
                steps=steps,
                out=chance.randint(30, 200),
                tool_s=chance.uniform(0.05, 2.0),
                overhead_s=chance.uniform(0.0, 0.1),
                prompt=chance.randint(1000, 8000),
                failed=chance.randint(0, 3),
                retry_s=1.0,
            )
        )
        for _ in range(count)
    ]


def profile() -> Profile:
    """An endpoint of 200 ms and 200 tokens/s whose times scatter by a tenth."""
    chance = random.Random(1)
    samples: list[CallSample] = []
    for _ in range(200):
        prompt, decoded = chance.randint(500, 10_000), chance.randint(20, 200)
        cached = chance.randint(0, prompt)
        ttft = (0.1 + 5e-5 * (prompt - cached) + 2e-6 * cached) * chance.lognormvariate(0, 0.1)
        samples.append(
            CallSample(prompt=prompt, cached=cached, decoded=decoded, ttft_s=ttft, decode_s=decoded / 200)
        )
    return Profile(name="200 ms, 200 tokens/s", times=fit_call_times("p", samples))


def seconds(graphs: list[Graph], change: Change, draws: int) -> float:
    """How long all of them take to simulate."""
    began = time.perf_counter()
    for number, graph in enumerate(graphs):
        simulate(graph, change, draws=draws, seed=number)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--draws", type=int)
    parser.add_argument("--most", type=float, default=5.0)
    options = parser.parse_args()
    graphs, change = tasks(options.tasks, options.steps), Change(profile=profile(), retries=0.05)
    draws: int = options.draws or draws_for(options.tasks)
    print(f"tasks of {options.steps} steps under a new profile, {draws} draws each")
    print(machine())
    taken = 0.0
    for count in (options.tasks // 10, options.tasks // 3, options.tasks):
        taken = seconds(graphs[:count], change, draws)
        began = time.perf_counter()
        project(graphs[:count], change, {}, draws=draws)
        whole = time.perf_counter() - began
        print(
            f"  {count:>7,} tasks  simulated {taken:6.2f} s, {1e6 * taken / count:5.0f} µs a task;  "
            f"projected {whole:6.2f} s, {1e6 * whole / count:5.0f} µs a task"
        )
    many = max(1, options.tasks)
    began = time.perf_counter()
    simulate(graphs[0], change, draws=many)
    print(f"  one task, {many:,} draws  {time.perf_counter() - began:.2f} s")
    if taken > options.most:
        raise SystemExit(f"{options.tasks:,} tasks take more than {options.most:g} s")


if __name__ == "__main__":
    main()
