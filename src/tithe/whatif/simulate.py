"""A task timed again under a change, many draws at once.

Every draw has a time for each call (answers.py); segments add up what is serial, and where the task forks each draw takes its own
way: whichever of those that are waited for ends last is on that draw's path, with its buckets. So in each draw the buckets sum to
the wall clock.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tithe.core.statistics import Floats
from tithe.trace.buckets import BUCKETS
from tithe.whatif.answers import STILL, Answers, Luck, Nudge, answers
from tithe.whatif.calltimes import CallTimes
from tithe.whatif.change import Change
from tithe.whatif.graph import Graph
from tithe.whatif.table import PLACE, Table

DRAWS = 400
# Of many tasks their sum is asked, whose draws are as many; one task's own interval is then told from fewer.
_ALL_DRAWS, _FEWEST_DRAWS = 20_000, 20


def draws_for(tasks: int) -> int:
    """How many draws each of so many tasks is given."""
    return max(_FEWEST_DRAWS, min(DRAWS, _ALL_DRAWS // max(1, tasks)))


class Simulated(NamedTuple):
    """`wall`: seconds by draw; `buckets`: seconds by draw and bucket, in the order of `BUCKETS`, which sum to them."""

    wall: Floats
    buckets: Floats


def simulate(
    graph: Graph | Table,
    change: Change,
    own: Mapping[str, CallTimes] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    task: int = 0,
    nudge: Nudge = STILL,
) -> Simulated:
    """Time a task again. `own`: the call times of recorded tasks (`own_call_times`), which some changes need. `task`: its number, where
    there are several: each meets its own luck."""
    own = own or {}
    table = graph if isinstance(graph, Table) else Table(graph, own)
    fixed = table.fixed + change.tools * (
        table.tools - table.beside if change.parallel_tools else table.tools
    )
    if not table.calls:
        return timed(table, fixed[None, :, :])
    found = answers(table, change, own, Luck(draws, seed, task), nudge)
    return timed(table, by_segment(table, fixed, found))


def by_segment(table: Table, fixed: Floats, found: Answers) -> Floats:
    """Seconds by draw, segment and bucket."""
    draws = max(len(part) for part in found)
    seconds = np.broadcast_to(fixed, (draws, *fixed.shape)).copy()
    alone = len(table.segments) == 1
    home = None if alone else (table.homes[:, None] == np.arange(len(table.segments))).astype(np.float64)
    for name, part in zip(Answers._fields, found, strict=True):
        column = PLACE[name]  # pyright: ignore[reportArgumentType] - its fields are named for buckets
        seconds[:, :, column] += part.sum(axis=1, keepdims=True) if home is None else part @ home
    return seconds


def timed(table: Table, seconds: Floats) -> Simulated:
    """The wall clock and the buckets on the path, of seconds by draw, segment and bucket."""
    if len(table.segments) == 1:
        buckets = seconds[:, 0, :]
        return Simulated(buckets.sum(axis=1), buckets)
    lengths = seconds.sum(axis=2)
    ends: list[Floats] = []
    paths: list[Floats] = []
    for place, after in enumerate(table.segments):
        end, path = lengths[:, place], seconds[:, place, :]
        if len(after) == 1:
            end, path = end + ends[after[0]], path + paths[after[0]]
        elif after:
            waited = np.stack([ends[one] for one in after])
            last = np.argmax(waited, axis=0)
            end = end + np.max(waited, axis=0)
            path = path + np.stack([paths[one] for one in after])[last, np.arange(len(last))]
        ends.append(end)
        paths.append(path)
    return Simulated(ends[-1], paths[-1])


def seconds_of(buckets: Floats) -> dict[str, float]:
    """The mean seconds of each bucket that there are any in."""
    means = buckets.mean(axis=0)
    return {bucket: float(means[place]) for place, bucket in enumerate(BUCKETS) if means[place] > 0}
