"""The ledger's tables, as cells: a terminal and a page show the same ones."""

from collections.abc import Iterable, Sequence

import msgspec

from tithe.ledger import Bucket, Diagnosis, Entry, Ledger, StepRow
from tithe.report.buckets import LOOKS
from tithe.report.figures import NOT_REPORTED, NOTHING, TimeUnit, number
from tithe.report.ledger_words import (
    TAX_NAMES,
    bound,
    bucket_seconds,
    finding_where,
    findings,
    kind_name,
    of_all,
    visible,
)

# Of a long task's steps, those that are shown: the first, the last, and those that take most.
_FIRST, _LAST, _DEAREST = 3, 3, 10


class Cells(msgspec.Struct, frozen=True, kw_only=True):
    """A table. `total`: whether the last row is of all the others."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: bool = False


def unit_of(values: Iterable[float | None]) -> TimeUnit:
    """Milliseconds, unless the longest time is a second or more."""
    longest = max((abs(value) for value in values if value is not None), default=0.0)
    return TimeUnit(name="s", scale=1.0) if longest >= 1 else TimeUnit(name="ms", scale=1e3)


def _time(value: float | None, unit: TimeUnit, missing: str = NOTHING) -> str:
    if value is None:
        return missing
    written = number(value * unit.scale)
    return "<0.001" if written == "0" and value > 0 else written  # what is little is not none


def _bounded(value: float | None, unit: TimeUnit, *, outside: bool) -> str:
    return NOTHING if value is None else f"{bound(outside)}{_time(value, unit)}"


def _count(value: int | None) -> str:
    return f"{value:,}" if value is not None else NOT_REPORTED


def cost_cells(ledger: Ledger) -> Cells:
    """Each bucket with its kinds, what costs most first."""
    unit = unit_of([ledger.wall_s])
    rows: list[tuple[str, ...]] = []
    for bucket, wall in sorted(_shown_buckets(ledger).items(), key=lambda one: -one[1]):
        kinds = sorted((one for one in ledger.entries if one.bucket == bucket), key=lambda one: -one.wall_s)
        alone = len(kinds) == 1
        whole = Entry(
            bucket=bucket,
            wall_s=wall,
            busy_s=sum(one.busy_s for one in kinds),
            saves_s=ledger.saves_s.get(bucket),
            outside=bucket in ledger.outside,
        )
        name = kind_name(bucket, kinds[0].detail) if alone else LOOKS[bucket].name
        rows.append(_cost(name, whole, ledger, unit))
        rows += [
            _cost(f"  {visible(one.detail or 'not told apart')}", one, ledger, unit)
            for one in ([] if alone else kinds)
        ]
    rows.append(("wall clock", _time(ledger.wall_s, unit), of_all(ledger.wall_s, ledger.wall_s), "", ""))
    heads = ("bucket", f"wall ({unit.name})", "share", f"busy ({unit.name})", f"saves ({unit.name})")
    return Cells(title="By cost", heads=heads, rows=tuple(rows), total=True)


def _cost(name: str, entry: Entry, ledger: Ledger, unit: TimeUnit) -> tuple[str, ...]:
    share = f"{bound(entry.outside)}{of_all(entry.wall_s, ledger.wall_s)}"
    wall, busy, saves = (
        _bounded(value, unit, outside=entry.outside) for value in (entry.wall_s, entry.busy_s, entry.saves_s)
    )
    return name, wall, share, busy, saves


def _shown_buckets(ledger: Ledger) -> dict[Bucket, float]:
    """Those on the wall clock, and those that only ran beside it."""
    busy: dict[Bucket, float] = {one.bucket: 0.0 for one in ledger.entries if one.busy_s > 0}
    return {**busy, **bucket_seconds(ledger)}


def tax_cells(ledger: Ledger) -> Cells:
    """What was avoidable, by its causes."""
    unit = unit_of([ledger.wall_s])
    rows: list[tuple[str, ...]] = []
    for item in ledger.tax:
        rows.append(
            (TAX_NAMES[item.kind], f"{item.count:,}", _time(item.wall_s, unit), _time(item.saves_s, unit))
        )
        rows += [
            (f"  {visible(name, 60)}", f"{count:,}", _time(spent, unit), "")
            for name, count, spent in item.causes
        ]
    if ledger.tax:
        whole = sum(item.wall_s for item in ledger.tax)
        rows.append(("all of it", "", _time(whole, unit), _time(ledger.tax_s, unit)))
    heads = ("avoidable", "count", f"wall ({unit.name})", f"saves ({unit.name})")
    return Cells(title="Tax: what was avoidable", heads=heads, rows=tuple(rows), total=bool(ledger.tax))


def break_cells(diagnosis: Diagnosis) -> Cells:
    """The doctor's findings."""
    found = findings(diagnosis)
    unit = unit_of(one.cost_s for one in found)
    return Cells(
        title="Prefix breaks, by cause and place",
        heads=(
            "where",
            "place",
            "cause",
            "breaks",
            "tokens again",
            f"cost ({unit.name})",
            "what happened, and what to do",
        ),
        rows=tuple(
            (
                finding_where(one),
                visible(one.first.place, 60),
                one.first.cause,
                f"{one.breaks:,}",
                f"{'about ' if one.first.estimated else ''}{_count(one.lost_tokens)}",
                _time(one.cost_s, unit, NOT_REPORTED),
                f"{visible(one.first.sentence)} {visible(one.first.fix)}",
            )
            for one in found
        ),
    )


def step_name(row: StepRow) -> str:
    """A step's number and its name, and its line where that is not the task's own."""
    number = f"{row.number:,}" if row.line is None else f"{visible(row.line, 40)} {row.number:,}"
    return number if row.name is None else f"{number} {visible(row.name, 40)}"


def kept_steps(steps: Sequence[StepRow]) -> list[int]:
    """Which rows of a long task are shown: the first and last of it, and those that take most."""
    if len(steps) <= _FIRST + _LAST + _DEAREST:
        return list(range(len(steps)))
    dearest = sorted(range(len(steps)), key=lambda place: -steps[place].wall_s)[:_DEAREST]
    own = [place for place, step in enumerate(steps) if step.line is None] or list(range(len(steps)))
    return sorted({*own[:_FIRST], *own[-_LAST:], *dearest})


def step_cells(ledger: Ledger) -> Cells:
    """Every step, in order: the task's own line, then the branches."""
    unit = unit_of(row.length_s for row in ledger.steps)
    return Cells(
        title="By step",
        heads=(
            "step",
            f"wall ({unit.name})",
            f"length ({unit.name})",
            f"TTFT ({unit.name})",
            "prompt tokens",
            "of them cached",
            "output tokens",
            "attempts",
            "tools",
        ),
        rows=tuple(_step(row, unit) for row in ledger.steps),
    )


def _step(row: StepRow, unit: TimeUnit) -> tuple[str, ...]:
    tools = ", ".join(visible(name, 60) for name in row.tools)
    error = f"failed: {visible(row.error, 60)}" if row.error is not None else ""
    return (
        step_name(row),
        _time(row.wall_s, unit),
        _time(row.length_s, unit),
        _time(row.ttft_s, unit, NOT_REPORTED),
        _count(row.input_tokens),
        _count(row.cached_tokens),
        _count(row.output_tokens),
        f"{row.attempts:,}",
        "; ".join(one for one in (error, tools) if one),
    )


def tool_cells(ledger: Ledger) -> Cells:
    """Every tool. Times of runs that were seen from outside are upper bounds."""
    unit = unit_of(row.busy_s for row in ledger.tools)
    return Cells(
        title="By tool",
        heads=(
            "tool",
            "runs",
            "errors",
            f"wall ({unit.name})",
            f"busy ({unit.name})",
            f"saves ({unit.name})",
            f"p50 ({unit.name})",
            f"longest ({unit.name})",
            "from outside",
        ),
        rows=tuple(
            (
                visible(row.name, 60),
                f"{row.runs:,}",
                f"{row.errors:,}",
                *(_bounded(value, unit, outside=row.outside > 0) for value in (row.wall_s, row.busy_s, row.saves_s, row.p50_s, row.longest_s)),
                f"{row.outside:,}",
            )
            for row in ledger.tools
        ),
    )  # fmt: skip


def model_cells(ledger: Ledger) -> Cells:
    """Every model."""
    unit = unit_of(row.busy_s for row in ledger.models)
    return Cells(
        title="By model",
        heads=(
            "model",
            "calls",
            "attempts",
            "failed",
            f"wall ({unit.name})",
            f"busy ({unit.name})",
            f"saves ({unit.name})",
            "prompt tokens",
            "of them cached",
            "output tokens",
            f"TTFT p50 ({unit.name})",
            "decode p50 (tok/s)",
        ),
        rows=tuple(
            (
                visible(row.name, 60),
                f"{row.calls:,}",
                f"{row.attempts:,}",
                f"{row.failed:,}",
                *(_time(value, unit) for value in (row.wall_s, row.busy_s, row.saves_s)),
                _count(row.input_tokens),
                _count(row.cached_tokens),
                _count(row.output_tokens),
                _time(row.ttft_p50_s, unit, NOT_REPORTED),
                number(row.decode_tokens_per_s) if row.decode_tokens_per_s is not None else NOT_REPORTED,
            )
            for row in ledger.models
        ),
    )
