"""Projections for tests: random tasks of branches, failures, tools and answers of every kind, and their pages."""

import numpy as np

from tithe.report.whatif_page import whatif_page
from tithe.whatif import (
    Call,
    Change,
    Graph,
    Program,
    Projection,
    Segment,
    Work,
    compiled,
    own_call_times,
    project,
)


def projected(graphs: list[Graph], change: Change) -> tuple[str, Projection, Program]:
    """The page, and what it is of."""
    own = own_call_times(graphs)
    found, program = project(graphs, change, own), compiled(graphs, change, own)
    return whatif_page(found, change, program), found, program


def any_graph(seed: int, *, name: str = "") -> Graph:
    """A task of up to 9 segments, each after some of those before it."""
    chance = np.random.default_rng(seed)
    segments: list[Segment] = []
    for place in range(int(chance.integers(1, 10))):
        after = (
            chance.choice(place, size=min(place, int(chance.integers(1, 4))), replace=False) if place else []
        )
        works = [_work(chance, number) for number in range(int(chance.integers(1, 7)))]
        segments.append(Segment(tuple(sorted(map(int, after))), tuple(works)))
    # The last waits for all, and calls.
    last = Work(bucket="overhead", seconds=0.05, call=_call(chance, 0, 0.0))
    segments.append(Segment(tuple(range(len(segments))), (last,)))
    name = name or f"task {seed}"
    return Graph(
        task=f"{seed:04}-{name[:6]}", name=name, wall_s=sum(w.seconds for s in segments for w in s.works), segments=tuple(segments)
    )  # fmt: skip


def _work(chance: np.random.Generator, place: int) -> Work:
    kind = chance.random()
    if kind < 0.3:
        return Work(bucket="tool", seconds=float(chance.uniform(0, 2)), beside=kind < 0.1)
    if kind < 0.4:
        return Work(
            bucket=("user", "unattributed", "validation")[place % 3], seconds=float(chance.uniform(0, 1))
        )
    return Work(
        bucket="overhead", seconds=float(chance.uniform(0, 0.1)), call=_call(chance, place, chance.random())
    )


def _call(chance: np.random.Generator, place: int, kind: float) -> Call:
    prompt, decoded = int(chance.integers(100, 9000)), int(chance.integers(1, 300))
    ttft, decode = float(chance.lognormal(-1, 0.7)), decoded / float(chance.uniform(20, 200))
    failures = int(chance.integers(0, 3)) if kind > 0.7 else 0
    failed = {"failures": failures, "failed_s": 0.7 * failures, "backoff_s": 0.5 * failures}
    sizes = {"model": "m", "prompt": prompt, "cached": int(0.6 * prompt), "decoded": decoded, "place": place}
    if kind < 0.5:
        return Call(**sizes, **failed, ttft_s=ttft, decode_s=decode, queue_s=0.1 * ttft)
    if kind < 0.75:
        return Call(**sizes, **failed, whole_s=ttft + decode)
    if kind < 0.9:
        return Call(**failed, model="silent", whole_s=ttft + decode)
    return Call(failures=1, failed_s=2.0, backoff_s=1.0, place=place)
