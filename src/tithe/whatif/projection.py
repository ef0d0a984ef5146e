"""A projection: what a task would take under a change, with its interval, its floor, and what each knob is worth.

The floor is what the task takes when inference takes no time at all: tools, the agent's own framework, people. Amdahl's law in the
task's own figures: no endpoint makes it shorter, and none makes it more than before / floor times as fast.

The sensitivity of a knob is what the projected task would save with one more notch of it, everything else as projected. A notch is a
tenth of what the knob turns, so that knobs can be held against each other at any speed: first tokens, tokens after them and tools in
nine tenths of their time, a tenth fewer failures. Two are turned wholly or not at all: tools of one answer at once, and a warm cache.
Both sides meet the same luck, so the difference is the knob's alone.

The interval is of 80 %: a tenth of the draws lie below it and a tenth above. It has in it what calls scatter by, how many
attempts fail, and how far the fit may be off as a whole, by how few calls told it (fit.py). Where all draws are alike nothing tells how calls
scatter, and there is no interval.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from tithe.core.errors import UsageError
from tithe.core.statistics import Floats
from tithe.trace.buckets import BUCKETS, Bucket
from tithe.whatif.answers import Nudge
from tithe.whatif.assumptions import assumptions
from tithe.whatif.beside import Beside
from tithe.whatif.calltimes import ALL_ALONE, CallTimes
from tithe.whatif.change import Change
from tithe.whatif.fit import Fit, NoFit
from tithe.whatif.graph import Graph
from tithe.whatif.sharing import measured_error
from tithe.whatif.simulate import DRAWS, Simulated, draws_for, seconds_of, simulate
from tithe.whatif.table import Table

_LOW, _HIGH = 0.1, 0.9
_NOTCH = 0.9
# Both sides of a notch meet the same luck, so that few draws tell it. Of many tasks some are tried, evenly from among them, for all.
_KNOB_DRAWS, _KNOB_TASKS = 100, 200
# What saves less than this is not told as a saving.
_NOTHING_S = 1e-9


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: the median of the draws, their mean, and the 80 % interval; None where there is no scatter that one could be told from."""

    p50: float
    mean: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def holds(self, seconds: float) -> bool | None:
        """Whether a time lies in the interval; None: there is none."""
        return None if self.ends is None else self.ends[0] <= seconds <= self.ends[1]


class Knob(msgspec.Struct, frozen=True, kw_only=True):
    """What one notch of a knob saves of the projected task, in seconds."""

    name: str
    notch: str
    saves_s: float


class FitQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How well the times that a projection stands on are fitted. `error`: median |told / measured - 1|, each told
    from the others; None: not fitted. `tasks`: of how many recorded tasks the calls are; None: of an audit.

    `beside`: what it is about is not a price of tokens, but of other calls under way.
    """

    source: str
    what: str
    n: int
    error: float | None
    tasks: int | None = None
    prices: dict[str, float] = {}
    ranges: dict[str, tuple[float, float]] = {}
    beside: Beside | None = None
    notes: tuple[str, ...] = ()


class Projected(msgspec.Struct, frozen=True, kw_only=True):
    """One task. `before` and `after`: seconds by bucket, which sum to `before_s` and to the mean of `wall`. `floor`:
    what is left of it without inference."""

    task: str
    name: str
    calls: int
    before_s: float
    wall: Interval
    before: dict[str, float]
    after: dict[str, float]
    floor: dict[str, float]

    @property
    def floor_s(self) -> float:
        return sum(self.floor.values())


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """One task or several, each under the same change. The totals are over all; `wall` is of their sum.

    `outside`: the buckets that were seen from outside only, so that all that is told of them, and the floor, are upper bounds.
    `sharing`: (agents, simulated, measured seconds of a call) for each level of the profile's audit, where agents share it.
    """

    tasks: tuple[Projected, ...]
    before_s: float
    wall: Interval
    before: dict[str, float]
    after: dict[str, float]
    floor: dict[str, float]
    knobs: tuple[Knob, ...]
    assumptions: tuple[str, ...]
    fits: tuple[FitQuality, ...]
    outside: tuple[Bucket, ...] = ()
    sharing: tuple[tuple[int, float, float], ...] = ()

    @property
    def floor_s(self) -> float:
        return sum(self.floor.values())


def project(
    graphs: Sequence[Graph],
    change: Change,
    own: Mapping[str, CallTimes],
    *,
    draws: int | None = None,
    seed: int = 0,
) -> Projection:
    """Project tasks. `own` is `own_call_times` of all that was recorded of their endpoints. `draws`: of each; None: as `draws_for` has it.

    Raises:
        UsageError: the change cannot be, there is no task with a call, or the calls tell too little for it.
    """
    change.check()
    _check_calls(graphs)
    draws = draws_for(len(graphs)) if draws is None else draws
    tables = [Table(graph, own) for graph in graphs]
    _check_tokens(tables, change)
    _check_cache(tables, change, own)
    found = [
        _one(graph, table, change, own, draws, seed, task)
        for task, (graph, table) in enumerate(zip(graphs, tables, strict=True))
    ]
    walls = sum((_spread(one.wall, draws) for _, one in found), np.zeros(draws))
    tasks = tuple(task for task, _ in found)
    return Projection(
        tasks=tasks,
        before_s=sum(task.before_s for task in tasks),
        wall=_interval(walls),
        before=_summed([task.before for task in tasks]),
        after=_summed([task.after for task in tasks]),
        floor=_summed([task.floor for task in tasks]),
        knobs=_knobs(tables, change, own, draws, seed),
        assumptions=(*assumptions(tables, change, own), *_few_draws(draws, len(graphs)), *_broken(graphs)),
        fits=_qualities(change, own, {source for table in tables for source in table.sources}),
        outside=tuple(bucket for bucket in BUCKETS if any(bucket in graph.outside for graph in graphs)),
        sharing=tuple(measured_error(change.profile))
        if change.agents > 1 and change.profile is not None
        else (),
    )


def _check_calls(graphs: Sequence[Graph]) -> None:
    if not graphs:
        raise UsageError("No task was named, and none described: name one, or give --steps.")
    for graph in graphs:
        if not any(call.answered for call in graph.calls):
            raise UsageError(
                f"The task {graph.name} ({graph.task[:8]}) has no answered LLM call: there is nothing in it to project. "
                "`tithe tasks` lists tasks with their calls."
            )


def _check_tokens(tables: Sequence[Table], change: Change) -> None:
    """A profile tells times by tokens: some call has to report them."""
    if change.profile is None or any(
        np.any(~np.isnan(table.prompt) & ~np.isnan(table.decoded)) for table in tables
    ):
        return
    raise UsageError(
        "A profile tells times by tokens, and no call here reports its prompt's and its answer's: describe a task with --prompt, or "
        "give --ttft and --tps in place of the profile."
    )


def _check_cache(tables: Sequence[Table], change: Change, own: Mapping[str, CallTimes]) -> None:
    if change.cache is None or change.ttft_s is not None:
        return
    if change.profile is not None:
        if not change.profile.times.knows_cache():
            raise UsageError(
                f"--cache {change.cache} needs what a cached token costs, and the audit of {change.profile.name} does not tell it "
                "from an uncached one: its endpoint reports no cached tokens, or does not cache."
            )
        return
    if not any(
        times.knows_cache() for source, times in own.items() if any(source in t.sources for t in tables)
    ):
        reasons = sorted({reason for times in own.values() for reason in _no_cache(times)})
        raise UsageError(
            f"--cache {change.cache} needs what a cached token costs, and the recorded calls do not tell it: "
            + ("; ".join(reasons) if reasons else "cached tokens are not reported, or hardly vary")
            + ". Give a profile: tithe audit --save audit.json, then --profile audit.json."
        )


def _broken(graphs: Sequence[Graph]) -> tuple[str, ...]:
    count = sum(graph.broken for graph in graphs)
    if not count:
        return ()
    which = "The task is a replay" if len(graphs) == 1 else f"{count} of {len(graphs)} tasks are replays"
    return (f"{which} that broke off: what it is projected to take is of that part alone.",)


def _few_draws(draws: int, tasks: int) -> tuple[str, ...]:
    if draws >= DRAWS:
        return ()
    knobs = " What knobs are worth is told from some of them." if tasks > _KNOB_TASKS else ""
    return (
        f"Each of {tasks:,} tasks is drawn {draws} times: enough for all of them together, few for one's own interval.{knobs}",
    )


def _no_cache(times: CallTimes) -> tuple[str, ...]:
    """Why a fit does not tell what a cached token costs, as far as it says."""
    if isinstance(times.ttft, NoFit):
        return (times.ttft.reason,)
    return tuple(note for note in times.ttft.notes if "cached tokens" in note)


def _one(
    graph: Graph,
    table: Table,
    change: Change,
    own: Mapping[str, CallTimes],
    draws: int,
    seed: int,
    task: int,
) -> tuple[Projected, Simulated]:
    before = simulate(table, Change(), own, draws=1)
    after = simulate(table, change, own, draws=draws, seed=seed, task=task)
    return Projected(
        task=graph.task,
        name=graph.name,
        calls=len(table.calls),
        before_s=graph.wall_s,
        wall=_interval(after.wall),
        before=seconds_of(before.buckets),
        after=seconds_of(after.buckets),
        floor=_floor(table, change),
    ), after


def _floor(table: Table, change: Change) -> dict[str, float]:
    """The wall clock without inference and without attempts that failed, the tools as changed. Backoff stays."""
    endless = msgspec.structs.replace(
        change,
        ttft_s=None,
        tokens_per_s=None,
        profile=None,
        cache=None,
        retries=0.0 if change.retries is not None else None,
        candidates=1,
        verify=False,
        speedup=float("inf"),
        agents=1,
    )
    return seconds_of(simulate(table, endless, draws=1).buckets)


def _interval(walls: Floats) -> Interval:
    low, middle, high = (float(one) for one in np.quantile(walls, (_LOW, 0.5, _HIGH)))
    alike = np.ptp(walls) <= _NOTHING_S + 1e-12 * middle
    return Interval(
        p50=middle, mean=float(walls.mean()), low=None if alike else low, high=None if alike else high
    )


def _spread(walls: Floats, draws: int) -> Floats:
    return np.broadcast_to(walls, (draws,)) if len(walls) == 1 else walls


def _summed(accounts: Sequence[dict[str, float]]) -> dict[str, float]:
    return {
        bucket: seconds
        for bucket in BUCKETS
        if (seconds := sum(account.get(bucket, 0.0) for account in accounts)) > 0
    }


def _knobs(
    tables: Sequence[Table], change: Change, own: Mapping[str, CallTimes], draws: int, seed: int
) -> tuple[Knob, ...]:
    draws = min(draws, _KNOB_DRAWS)
    chosen = range(0, len(tables), 1 + (len(tables) - 1) // _KNOB_TASKS)
    tables, of_all = [tables[place] for place in chosen], len(tables) / len(chosen)

    def mean(changed: Change, nudge: Nudge) -> float:
        return sum(
            float(simulate(table, changed, own, draws=draws, seed=seed, task=task, nudge=nudge).wall.mean())
            for task, table in zip(chosen, tables, strict=True)
        )

    replace = msgspec.structs.replace
    tried: list[tuple[str, str, Change, Nudge]] = [
        ("TTFT", "10 % less time", change, Nudge(ttft=_NOTCH)),
        ("decode", "10 % less time a token", change, Nudge(token=_NOTCH)),
        ("retries", "10 % fewer failed attempts", change, Nudge(failures=_NOTCH)),
        ("tools", "10 % less time", replace(change, tools=change.tools * _NOTCH), Nudge()),
    ]
    if not change.parallel_tools:
        tried.append(
            ("tools at once", "all that one answer asks for", replace(change, parallel_tools=True), Nudge())
        )
    if change.cache is None and change.ttft_s is None and _caches(tables, change, own):
        tried.append(("warm cache", "each prompt's repeated part", replace(change, cache="warm"), Nudge()))
    base = mean(change, Nudge())
    found = [
        Knob(name=name, notch=notch, saves_s=of_all * (base - mean(one, nudge)))
        for name, notch, one, nudge in tried
    ]
    return tuple(
        sorted((knob for knob in found if knob.saves_s > _NOTHING_S), key=lambda knob: -knob.saves_s)
    )


def _caches(tables: Sequence[Table], change: Change, own: Mapping[str, CallTimes]) -> bool:
    if change.profile is not None:
        return change.profile.times.knows_cache()
    return any(own[source].knows_cache() for table in tables for source in table.sources if source in own)


def _qualities(change: Change, own: Mapping[str, CallTimes], sources: set[str]) -> tuple[FitQuality, ...]:
    named = [(change.profile.name, change.profile.times)] if change.profile is not None else []
    named += [(source, times) for source, times in sorted(own.items()) if source in sources]
    crowded = change.agents > 1 or change.candidates > 1
    return tuple(
        _quality(name, fit, times.tasks) for name, times in named for fit in _told(times, crowded=crowded)
    )


def _told(times: CallTimes, *, crowded: bool) -> tuple[Fit | Beside | NoFit, ...]:
    """The fits that a projection stands on: the whole only where the parts were not seen. `crowded`: what concurrency does is asked."""
    if isinstance(times.ttft, NoFit) and isinstance(times.whole, Fit):
        return (times.whole,)
    laws = (times.ttft_beside, times.decode_beside)
    told = tuple(law for law in laws if crowded or isinstance(law, Beside) or law.reason != ALL_ALONE)
    return (times.ttft, times.decode, *told)


def _quality(source: str, fit: Fit | Beside | NoFit, tasks: int | None) -> FitQuality:
    if isinstance(fit, NoFit):
        return FitQuality(source=source, what=fit.what, n=0, error=None, notes=(fit.reason,))
    if isinstance(fit, Beside):
        return FitQuality(source=source, what=fit.what, n=fit.n, error=fit.error, beside=fit)
    stalls = sum(stall > 0 for stall in fit.stalls)
    told = (f"{stalls} of {fit.n} calls stalled",) if stalls else ()
    return FitQuality(
        source=source,
        what=fit.what,
        n=fit.n,
        error=fit.error,
        tasks=tasks,
        prices=fit.prices,
        ranges={name: (one.low, one.high) for name, one in fit.ranges.items()},
        notes=told + fit.notes,
    )
