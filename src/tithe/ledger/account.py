"""What a ledger is: an additive account of one task's wall clock, and of many.

Theory. The account is the critical path, cut into slices. From the task's end one asks backwards what the wall clock
waited for; so every instant from start to end is in exactly one slice, and a slice in exactly one bucket: the slices' lengths
sum to the wall clock whatever ran beside them. Work that ran in parallel is on the wall clock once, where it held
things up; `busy` counts it in full. What a removal saves is neither: it is what the task takes when its graph is timed
again without that work (retime.py), since something else may then be what it waits for.

All times are seconds; instants are seconds from the task's start. None is "not reported".
"""

from typing import Literal

import msgspec

from tithe.core.statistics import Estimate
from tithe.ledger.outcome import Outcome
from tithe.trace.buckets import Bucket

TaxKind = Literal["lost prefix", "retries", "serial tools", "queueing", "speculation"]


class Slice(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of the wall clock. `detail` tells a bucket's kinds apart:

    prefill: cached, uncached; decode: reasoning, arguments, answer; retry: the error's class, or backoff;
    overhead and unattributed: what lies before and after. None: not told apart.
    `span` is the id of the span that it belongs to; None is a gap between spans.
    """

    start: float
    end: float
    bucket: Bucket
    detail: str | None = None
    span: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket, or one kind in it: its seconds on the wall clock, and of all work in it, parallel work in full.

    `saves_s`: by how much the task would have been shorter without it (None: not computed for this kind). `outside`: some
    of it was seen from outside only, so that its times are upper bounds.
    """

    bucket: Bucket
    detail: str | None = None
    wall_s: float
    busy_s: float
    saves_s: float | None = None
    outside: bool = False


class TaxItem(msgspec.Struct, frozen=True, kw_only=True):
    """An avoidable part. `wall_s` of the wall clock is it; without it the task is `saves_s` shorter. `count`: of breaks,
    attempts, groups of tools, calls. `causes`: (what, how many, seconds), most seconds first."""

    kind: TaxKind
    wall_s: float
    saves_s: float
    count: int
    causes: tuple[tuple[str, int, float], ...] = ()


class Unchecked(msgspec.Struct, frozen=True, kw_only=True):
    """An avoidable part that could not be looked for everywhere: in `count` answers, and `why`, half a sentence."""

    kind: TaxKind
    count: int
    why: str


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `number` counts from 1 along its line; `line` is None for the task's own, else the branch's name. `name` is
    what the agent calls it, None where it does not.

    `wall_s`: its share of the critical path; `length_s`: from its first request to what comes after it.
    """

    number: int
    line: str | None
    start_s: float
    length_s: float
    wall_s: float
    entries: tuple[Entry, ...]
    model: str | None = None
    ttft_s: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    attempts: int = 0
    tools: tuple[str, ...] = ()
    error: str | None = None
    name: str | None = None


class ToolRow(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of one tool.

    `outside`: how many of them are seen from outside only, so that all the times here are upper bounds. `together`: how
    many of those are of an answer that asked for several. Each of these has the whole time until their results were sent as
    its bound, on the wall clock and saved, so the tools' figures may sum to more than their bucket's.
    """

    name: str
    runs: int
    errors: int
    outside: int
    together: int = 0
    wall_s: float
    busy_s: float
    saves_s: float
    p50_s: float
    longest_s: float


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """All calls of one model. Rates by MEASURING's definitions; token sums are over the calls that reported them."""

    name: str
    calls: int
    attempts: int
    failed: int
    wall_s: float
    busy_s: float
    saves_s: float
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    ttft_p50_s: float | None
    decode_tokens_per_s: float | None


BarKind = Literal["task", "branch", "step", "call", "attempt", "tool", "validation", "user", "other"]


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the waterfall. `slices` are its own, in full, whether on the critical path or not; `critical` those
    stretches (start, end) of it that are on the path. `slack_s`: how much longer it could have taken for nothing.

    `first_token_s` is an instant. `unended`: no end of it was seen.
    """

    id: str
    kind: BarKind
    name: str
    depth: int
    start_s: float
    end_s: float
    slices: tuple[Slice, ...] = ()
    critical: tuple[tuple[float, float], ...] = ()
    slack_s: float | None = None
    first_token_s: float | None = None
    outside: bool = False
    error: str | None = None
    unended: bool = False
    step: int | None = None
    told: tuple[tuple[str, str], ...] = ()


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """One task's account. `slices` partition [0, wall_s]; `entries`, one for each kind in each bucket, sum to it.

    `saves_s`: by how much the task would have been shorter without a bucket, all kinds of it. `started` is seconds since the epoch, None where the source has no date. `tax` items don't overlap; `tax_s` is what
    the task would save without all of them, `work_s` the rest; `unchecked` is what could not be looked for. `outcome` is how it
    ended. `notes` say what was repaired or is not reported.
    """

    task: str
    name: str
    source: str
    session: str | None = None
    started: float | None = None
    finished: bool = True
    wall_s: float
    slices: tuple[Slice, ...]
    entries: tuple[Entry, ...]
    saves_s: dict[Bucket, float]
    tax: tuple[TaxItem, ...]
    tax_s: float
    work_s: float
    unchecked: tuple[Unchecked, ...] = ()
    steps: tuple[StepRow, ...]
    tools: tuple[ToolRow, ...]
    models: tuple[ModelRow, ...]
    bars: tuple[Bar, ...]
    outcome: Outcome = Outcome()
    notes: tuple[str, ...] = ()

    def bucket_s(self, bucket: Bucket) -> float:
        """Seconds of the wall clock in a bucket, all kinds of it."""
        return sum(entry.wall_s for entry in self.entries if entry.bucket == bucket)

    @property
    def outside(self) -> frozenset[Bucket]:
        """The buckets of which some was seen from outside only, so that their times are upper bounds."""
        return frozenset(entry.bucket for entry in self.entries if entry.outside)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The short form of a ledger, for many tasks: seconds on the wall clock and busy, by bucket.

    `failed`: how many of its calls ended without an answer.

    `outside`: the buckets of which some was seen from outside only, so that their times are upper bounds.
    """

    task: str
    name: str
    started: float | None
    wall_s: float
    wall: dict[Bucket, float]
    busy: dict[Bucket, float]
    steps: int
    calls: int
    retries: int
    tools: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    failed: int = 0
    outside: tuple[Bucket, ...] = ()
    outcome: Outcome = Outcome()


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over many tasks; None where there are too few for that percentile. `tasks`: how many report it. `outside`: it is an
    upper bound."""

    name: str
    p50: Estimate | None
    p95: Estimate | None
    total: float
    tasks: int
    share: float | None = None
    outside: bool = False


class ManyTasks(msgspec.Struct, frozen=True, kw_only=True):
    """Many tasks at once: their accounts, and p50 and p95 of each bucket over them, with intervals by order statistics.

    `names`: what they are called, and how many are called so, the most first. `failed`: how many are known to have ended badly.
    """

    accounts: tuple[Account, ...]
    names: tuple[tuple[str, int], ...] = ()
    failed: int = 0
    wall: Spread
    buckets: tuple[Spread, ...]
    steps: Spread
