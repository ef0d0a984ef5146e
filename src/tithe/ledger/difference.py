"""What changed between two tasks, or two groups of tasks: more of something, or slower ones.

Each bucket's change is split by factors.py: calls that were answered for the buckets in which a task waits for a model, runs
for tools, attempts without an answer for what failed. Prefill goes by the prompt's uncached tokens (where a side does not report the cached ones, by all of them),
decode, and answers whose time is not told apart, by the output's. What has no units (overhead, user, unattributed, ...) changes as a whole.
All parts sum to the change of the wall clock, to rounding.

Tools that were seen from outside have upper bounds for seconds. How much of a bound was work, and how much of that ran at once,
nobody saw: such a change is split into more and each alone, and its seconds are marked.

Groups are compared by their means over tasks, since means add up and medians don't: a group is then one task with the mean of
every figure, whose seconds a unit are all seconds over all units. Intervals are bootstrap intervals (core/statistics.py): each
group's tasks are resampled, and every resample is split anew. With fewer than three tasks on a side there are none.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from tithe.core.statistics import FEWEST, Estimate, Floats, bootstrapped_estimate, bootstrapped_means
from tithe.ledger.account import Account, Ledger
from tithe.ledger.factors import Factor, Link, Share, split
from tithe.ledger.many import names_of
from tithe.trace.buckets import BUCKETS, INFERENCE, Bucket

Unit = Literal["call", "tool run", "failed attempt"]
Tokens = Literal["uncached", "input", "output"]
Tasks = Ledger | Account | Sequence[Ledger] | Sequence[Account]

# What the seconds of a bucket are counted by.
UNITS: dict[Bucket, Unit] = {
    **dict.fromkeys((bucket for bucket in BUCKETS if bucket in INFERENCE), "call"),
    "tool": "tool run",
    "retry": "failed attempt",
}
# The tokens that a bucket's time goes by; the first that both sides report.
_TOKENS: dict[Bucket, tuple[Tokens, ...]] = {
    "prefill": ("uncached", "input"),
    "decode": ("output",),
    "inference": ("output",),
}
_WITHIN: tuple[Factor, ...] = ("tokens", "speed", "overlap")

# A task's figures by what they are of, such as ("call",), ("decode", "wall"), ("model", NAME, "busy"). NaN: not reported.
_Name = tuple[str, ...]
_Figures = dict[_Name, float]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What one factor adds to B's seconds. `a` and `b` are the factor itself (None: nothing to tell it from, or a sum of several).

    count: units a task; each: wall seconds a unit; tokens: tokens a unit; speed: busy seconds a token, or a unit where
    tokens are not told; overlap: wall seconds a busy second.
    """

    factor: Factor
    a: float | None
    b: float | None
    change_s: Estimate


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the wall clock: its seconds a task on both sides, and the change from A to B.

    `more` and `each` sum to the change, `within` to `each`. Where there is nothing to count by they are None and empty.
    `tokens` are those that `within` counts (None: none, or of several buckets). `a_outside`, `b_outside`: some of that side's
    was seen from outside only, so that its seconds are an upper bound, and the change is that of bounds.
    """

    name: str
    unit: Unit | None
    tokens: Tokens | None = None
    a_s: float
    b_s: float
    a_outside: bool = False
    b_outside: bool = False
    change_s: Estimate
    more: Effect | None = None
    each: Effect | None = None
    within: tuple[Effect, ...] = ()


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A or B: what it is called, how many tasks it has, their mean wall clock and steps.

    `names`: what its tasks are called, and how many are called so, the most first. `failed`: how many are known to have ended
    badly.
    """

    name: str
    tasks: int
    wall_s: float
    steps: float
    names: tuple[tuple[str, int], ...] = ()
    failed: int = 0


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """B against A. `parts` sum to the change of the wall clock, and so do `buckets`; a part is the buckets that are counted
    by the same unit. `models` and `tools` tell theirs apart (None: not told by short accounts).
    """

    a: Side
    b: Side
    change_s: Estimate
    parts: tuple[Change, ...]
    buckets: tuple[Change, ...]
    models: tuple[Change, ...] | None
    tools: tuple[Change, ...] | None


def difference(a: Tasks, b: Tasks, *, names: tuple[str, str] = ("A", "B"), seed: int = 0) -> Difference:
    """B against A, each one task or a group. Raises `ValueError` for a group without tasks."""
    groups = [[side] if isinstance(side, Ledger | Account) else list(side) for side in (a, b)]
    if not all(groups):
        raise ValueError("a group without tasks cannot be compared")
    fewest = min(len(group) for group in groups)
    figures = [[_figures(task) for task in group] for group in groups]
    means = [_means(rows, seed + place, fewest) for place, rows in enumerate(figures)]
    sides = [
        Side(
            name=name,
            tasks=len(group),
            wall_s=_point(mean, ("wall",)),
            steps=_point(mean, ("step",)),
            names=names_of(group),
            failed=sum(not task.outcome.good for task in group),
        )
        for name, group, mean in zip(names, groups, means, strict=True)
    ]
    both = _Both(means[0], means[1], fewest, [_outside(group) for group in groups])
    whole = all(isinstance(task, Ledger) for group in groups for task in group)
    return Difference(
        a=sides[0],
        b=sides[1],
        change_s=bootstrapped_estimate(both.change([("wall",)]), fewest),
        parts=both.parts(),
        buckets=tuple(both.bucket(bucket) for bucket in both.used(BUCKETS)),
        models=both.named("model", "call", ("call", "output")) if whole else None,
        tools=both.named("tool", "tool run", ("tool run",)) if whole else None,
    )


class _Both:
    """The means of both sides, of all tasks and of each resample."""

    def __init__(
        self,
        a: Mapping[_Name, Floats],
        b: Mapping[_Name, Floats],
        n: int,
        outside: Sequence[frozenset[_Name]],
    ) -> None:
        self._a, self._b, self._n = a, b, n
        self._outside = outside
        self._none = np.zeros_like(next(iter(a.values())))

    def change(self, names: Iterable[_Name]) -> Floats:
        """The sum of what these figures change by."""
        return sum((self._of(self._b, name) - self._of(self._a, name) for name in names), self._none)

    def used(self, buckets: Iterable[Bucket]) -> list[Bucket]:
        """Those in which either side has seconds."""
        return [one for one in buckets if any(_point(side, (one, "wall")) for side in (self._a, self._b))]

    def bucket(self, bucket: Bucket) -> Change:
        unit, walls = UNITS.get(bucket), [(bucket, "wall")]
        return self._told(bucket, unit, walls, self._split(bucket), self._tokens(bucket))

    def parts(self) -> tuple[Change, ...]:
        """The wall clock by what its buckets are counted by."""
        units: dict[Unit | None, list[Bucket]] = {}
        for bucket in self.used(BUCKETS):
            units.setdefault(UNITS.get(bucket), []).append(bucket)
        plurals: dict[Unit, str] = {
            "call": "calls",
            "tool run": "tools",
            "failed attempt": "retries and failures",
        }
        found: list[Change] = []
        for unit, name in plurals.items():
            if unit in units:
                walls = [(bucket, "wall") for bucket in units[unit]]
                found.append(self._told(name, unit, walls, self._together(unit, units[unit])))
        return (*found, *(self.bucket(bucket) for bucket in units.get(None, ())))

    def named(self, what: str, unit: Unit, counted: tuple[str, ...]) -> tuple[Change, ...]:
        """The same for each model, or each tool, the greatest change first."""
        names = {
            one[1]: None for side in (self._a, self._b) for one in side if one[0] == what and len(one) == 3
        }
        changes = [
            self._told(
                name,
                unit,
                [(what, name, "wall")],
                self._links(self._seen([(what, name, figure) for figure in (*counted, "busy", "wall")])),
                "output" if "output" in counted else None,
            )
            for name in names
        ]
        return tuple(sorted(changes, key=lambda change: -abs(change.change_s.value)))

    def _split(self, bucket: Bucket) -> dict[Factor, Share]:
        unit = UNITS.get(bucket)
        if unit is None:
            return {}
        tokens = self._tokens(bucket)
        counted = [(unit,)] if tokens is None else [(unit,), (bucket, tokens)]
        return self._links(self._seen([*counted, (bucket, "busy"), (bucket, "wall")]))

    def _seen(self, names: list[_Name]) -> list[_Name]:
        """The chain without the work in it, where a side's seconds are bounds of what nobody saw."""
        bounds = any(names[-1] in outside for outside in self._outside)
        return [names[0], names[-1]] if bounds else names

    def _tokens(self, bucket: Bucket) -> Tokens | None:
        """What both sides report of the tokens that the bucket's time goes by."""
        for tokens in _TOKENS.get(bucket, ()):
            if all(math.isfinite(_point(side, (bucket, tokens))) for side in (self._a, self._b)):
                return tokens
        return None

    def _together(self, unit: Unit, buckets: list[Bucket]) -> dict[Factor, Share]:
        """The split of several buckets with the same unit; what is within `each` is the sum of theirs."""
        if len(buckets) == 1:
            return self._split(buckets[0])
        splits = [self._split(bucket) for bucket in buckets]

        def together(factor: Factor, figure: str) -> Link:
            a, b = (
                sum((self._of(side, (bucket, figure)) for bucket in buckets), self._none)
                for side in (self._a, self._b)
            )
            return Link(factor, a, b)

        units = Link("count", self._of(self._a, (unit,)), self._of(self._b, (unit,)))
        whole = split([units, together("speed", "busy"), together("overlap", "wall")])
        if not whole:
            return {}
        found: dict[Factor, Share] = {"count": whole["count"], "each": whole["each"]}
        for factor in _WITHIN:
            shares = [one[factor].seconds for one in splits if factor in one]
            if shares:
                found[factor] = Share(sum(shares, self._none), math.nan, math.nan)
        return found

    def _links(self, names: Sequence[_Name]) -> dict[Factor, Share]:
        """The split of a chain of figures: units, tokens if there are four, busy seconds if they are told, and wall seconds."""
        factors: tuple[Factor, ...] = ("count", *_WITHIN[len(_WITHIN) - len(names) + 1 :])
        return split(
            [
                Link(factor, self._of(self._a, name), self._of(self._b, name))
                for factor, name in zip(factors, names, strict=True)
            ]
        )

    def _told(
        self,
        name: str,
        unit: Unit | None,
        walls: Sequence[_Name],
        found: dict[Factor, Share],
        tokens: Tokens | None = None,
    ) -> Change:
        effects = {factor: self._effect(factor, share) for factor, share in found.items()}
        return Change(
            name=name,
            unit=unit,
            tokens=tokens if "tokens" in effects else None,
            a_s=sum(_point(self._a, wall) for wall in walls),
            b_s=sum(_point(self._b, wall) for wall in walls),
            a_outside=any(wall in self._outside[0] for wall in walls),
            b_outside=any(wall in self._outside[1] for wall in walls),
            change_s=bootstrapped_estimate(self.change(walls), self._n),
            more=effects.get("count"),
            each=effects.get("each"),
            within=tuple(effects[factor] for factor in _WITHIN if factor in effects),
        )

    def _effect(self, factor: Factor, share: Share) -> Effect:
        a, b = (value if math.isfinite(value) else None for value in (share.a, share.b))
        return Effect(factor=factor, a=a, b=b, change_s=bootstrapped_estimate(share.seconds, self._n))

    def _of(self, side: Mapping[_Name, Floats], name: _Name) -> Floats:
        return side.get(name, self._none)


def _point(side: Mapping[_Name, Floats], name: _Name) -> float:
    return float(side[name][0]) if name in side else 0.0


def _means(rows: Sequence[_Figures], seed: int, fewest: int) -> dict[_Name, Floats]:
    """Each figure's mean over the tasks, and that of every resample, where both sides have enough to resample."""
    names = list({name: None for row in rows for name in row})
    table = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    means = bootstrapped_means(table, seed=seed) if fewest >= FEWEST else table.mean(axis=0, keepdims=True)
    return {name: means[:, place] for place, name in enumerate(names)}


def _outside(tasks: Iterable[Ledger | Account]) -> frozenset[_Name]:
    """The wall seconds that are upper bounds."""
    found = set[_Name]()
    for task in tasks:
        found |= {(bucket, "wall") for bucket in task.outside}
        if isinstance(task, Ledger):
            found |= {("tool", tool.name, "wall") for tool in task.tools if tool.outside}
    return frozenset(found)


def _figures(task: Ledger | Account) -> _Figures:
    return _of_ledger(task) if isinstance(task, Ledger) else _of_account(task)


def _of_account(account: Account) -> _Figures:
    found: _Figures = {
        ("wall",): account.wall_s,
        ("step",): account.steps,
        ("call",): account.calls - account.failed,
        ("tool run",): account.tools,
        ("failed attempt",): account.retries + account.failed,
    }
    tokens = _tokens(account.input_tokens, account.cached_tokens, account.output_tokens)
    for bucket in BUCKETS:
        _add(found, bucket, account.wall.get(bucket, 0.0), account.busy.get(bucket, 0.0), tokens)
    return found


def _of_ledger(ledger: Ledger) -> _Figures:
    answered = [model for model in ledger.models if model.failed < model.calls]
    calls = sum(model.calls - model.failed for model in answered)
    found: _Figures = {
        ("wall",): ledger.wall_s,
        ("step",): len(ledger.steps),
        ("call",): calls,
        ("tool run",): sum(tool.runs for tool in ledger.tools),
        ("failed attempt",): sum(max(model.attempts, model.calls) for model in ledger.models) - calls,
    }
    tokens = _tokens(
        _total(model.input_tokens for model in answered),
        _total(model.cached_tokens for model in answered),
        _total(model.output_tokens for model in answered),
    )
    for bucket in BUCKETS:
        busy = sum(entry.busy_s for entry in ledger.entries if entry.bucket == bucket)
        _add(found, bucket, ledger.bucket_s(bucket), busy, tokens)
    for model in ledger.models:
        told = {"call": model.calls, "busy": model.busy_s, "wall": model.wall_s}
        found |= {("model", model.name, figure): value for figure, value in told.items()}
        found["model", model.name, "output"] = _reported(model.output_tokens, model.calls - model.failed)
    for tool in ledger.tools:
        told = {"tool run": tool.runs, "busy": tool.busy_s, "wall": tool.wall_s}
        found |= {("tool", tool.name, figure): value for figure, value in told.items()}
    return found


def _total(counts: Iterable[int | None]) -> int | None:
    """None where one is not reported: the rest of a sum tells nothing of a token's time."""
    told = list(counts)
    known = [count for count in told if count is not None]
    return sum(known) if known and len(known) == len(told) else None


def _tokens(prompt: int | None, cached: int | None, output: int | None) -> dict[str, int | None]:
    uncached = max(prompt - cached, 0) if prompt is not None and cached is not None else None
    return {"uncached": uncached, "input": prompt, "output": output}


def _add(found: _Figures, bucket: Bucket, wall: float, busy: float, tokens: dict[str, int | None]) -> None:
    """A bucket's seconds, and the tokens that its time goes by: those are the calls', whether they took any of it or not."""
    found |= {(bucket, "wall"): wall, (bucket, "busy"): max(busy, 0.0)}
    for name in _TOKENS.get(bucket, ()):
        found[bucket, name] = _reported(tokens[name], found["call",])


def _reported(tokens: int | None, calls: float) -> float:
    """Tokens of a task; zero, not missing, for one that no call was answered in."""
    if tokens is not None:
        return tokens
    return math.nan if calls > 0 else 0.0
