"""What is compared of a scenario: facts, each with what is true and what a client said, and whether that is right.

A time is right within the tolerance of the self-test (10 ms) of what the script says, as the median of the repeats;
where it is not, and the server itself was later than that, the machine was too busy to tell; but no machine is so busy that a
token comes early.
Anything else has to be the same in every repeat. "Counted" is whether a request is in the statistics as
answered: an empty answer and a failed one are both kept apart, by whatever name. What a client never tells is
"not reported", and neither right nor wrong. What was not reported *to* the client has to be told as nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from call import Call, Report
from msgspec import UNSET, UnsetType

from tithe.net.conformance import TOLERANCE_S, Brief, Summary

Value = float | int | bool | str | tuple[float, ...] | None | UnsetType
Verdict = Literal["right", "wrong", "busy", "not reported"]

TIMES = ("ttft_s", "visible_ttft_s", "total_s", "gaps_s")
COUNTS = ("output_tokens", "reasoning_tokens", "cached_tokens")

MIXED = "differs"


@dataclass(frozen=True)
class Fact:
    """One fact of a scenario. `name` is printed; `true` is never UNSET."""

    name: str
    true: Value

    def verdict(self, told: Value, server_late_s: float) -> Verdict:
        """Whether `told` is right, by a server that was at most so late in an answer."""
        if told is UNSET:
            return "not reported"
        if _same(self.true, told):
            return "right"
        late = isinstance(self.true, float) and isinstance(told, float) and told > self.true
        gaps = isinstance(self.true, tuple) and isinstance(told, tuple) and len(self.true) == len(told)
        return "busy" if (late or gaps) and server_late_s > TOLERANCE_S else "wrong"


def facts(brief: Brief) -> list[Fact]:
    """What is true in a scenario and can be compared."""
    found: list[Fact] = []
    many = len(brief.truth.attempts) > 1
    for number, true in enumerate(brief.truth.attempts, start=1):
        mark = f"{number}: " if many else ""
        found.append(Fact(f"{mark}counted", true.outcome == "answered"))
        if true.outcome == "failed":
            continue
        for field in (*TIMES, *COUNTS):
            value = getattr(true, field)
            if value is not UNSET:
                found.append(Fact(mark + _named(field), value))
    summary = brief.truth.summary
    if isinstance(summary, Summary):
        found.append(Fact("statistics: counted", summary.counted))
        found.append(Fact("statistics: TTFT p50", summary.ttft_p50_s))
    return found


def told(brief: Brief, report: Report, repeats: int) -> dict[str, Value]:
    """What a client said of each fact, over the repeats of the scenario's requests."""
    attempts = len(brief.truth.attempts)
    many = attempts > 1
    said: dict[str, Value] = {}
    for number in range(attempts):
        calls = report.calls[number::attempts]
        mark = f"{number + 1}: " if many else ""
        said[f"{mark}counted"] = _agreed([call.outcome == "answered" for call in calls])
        for field in (*TIMES, *COUNTS):
            said[mark + _named(field)] = _merged(field, calls)
    summary = report.summary
    if isinstance(summary, Summary):
        whole, rest = divmod(summary.counted, repeats)
        said["statistics: counted"] = whole if rest == 0 else f"{summary.counted / repeats:.1f}"
        said["statistics: TTFT p50"] = summary.ttft_p50_s if summary.counted else None
    return said


def printed(value: Value) -> str:
    """A value as the table shows it."""
    match value:
        case UnsetType():
            return "not reported"
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(f"{gap * 1e3:.1f}" for gap in value) + " ms" if value else "none"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return f"{value * 1e3:.1f} ms"


def _named(field: str) -> str:
    return {
        "ttft_s": "TTFT",
        "visible_ttft_s": "visible TTFT",
        "total_s": "total",
        "gaps_s": "gaps",
        "output_tokens": "output tokens",
        "reasoning_tokens": "reasoning tokens",
        "cached_tokens": "cached tokens",
    }[field]


def _merged(field: str, calls: Sequence[Call]) -> Value:
    """One value of the repeats' ones: the median of times, and what all agree on of anything else.

    Of requests that a client has down as failed it tells nothing more.
    """
    values: list[Value] = [getattr(call, field) for call in calls if call.outcome != "failed"]
    if not values:
        return UNSET
    if field in TIMES and all(isinstance(value, float | int) for value in values):
        return median(value for value in values if isinstance(value, float | int))
    gaps = [value for value in values if isinstance(value, tuple)]
    if len(gaps) == len(values) and len({len(one) for one in gaps}) == 1:
        return tuple(median(place) for place in zip(*gaps, strict=True))
    return _agreed(values)


def _agreed(values: Sequence[Value]) -> Value:
    return values[0] if all(value == values[0] for value in values) else MIXED


def _same(true: Value, told: Value) -> bool:
    if isinstance(true, tuple) and isinstance(told, tuple):
        pairs = zip(true, told, strict=False)
        return len(true) == len(told) and all(abs(a - b) <= TOLERANCE_S for a, b in pairs)
    if isinstance(true, float) and isinstance(told, float):
        return abs(true - told) <= TOLERANCE_S
    return true == told
