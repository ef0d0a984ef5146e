"""What the figures amount to, as data: a word that a program can act on, or the reason there is none.

| about | outcome | when |
|---|---|---|
| cache | caches, does_not_cache, unclear | pairs.py |
| short generations | slower_than_chat, faster_than_chat, as_chat, unclear | a step against the chat figure's prediction, 10 % either way |
| structured output | constrained_cheaper, free_cheaper, alike, never_valid, unclear | expected time of a tool call with retries, 10 % either way |
| concurrency | scales, saturates, slows, unfair, unclear | Jain's index at the most agents at least 0.9; no knee (knee.py); a step at the most agents at most 1.5 times as long as at the fewest |
| task | ttft, decode, tool, retry, overhead, unclear | the largest part of the shown run's wall clock, solved or not |

Two samples of a figure make no verdict: below three it has no interval (statistics.py), and it is unclear.

1.5: an agent that waits half as long again has lost more than the usual spread between its steps, while
eight agents still get over five times the work out of the endpoint that one does.
"""

from typing import Literal

import msgspec

from tithe.audit.concurrency import Concurrency
from tithe.audit.innocence import FAR_BELOW, Floor, Judgement, LagFigures, judge
from tithe.audit.pairs import Pairs
from tithe.audit.structured import Structured, StructuredArm, StructuredFigures
from tithe.audit.task import Task
from tithe.audit.totals import Totals
from tithe.core.statistics import FEWEST, Estimate

About = Literal["cache", "short generations", "structured output", "concurrency", "task"]

_ALIKE = 0.1
_SLOWS_ABOVE = 1.5
_UNFAIR_BELOW = 0.9


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The five measurements of an audit."""

    pairs: Pairs
    totals: Totals
    structured: Structured
    concurrency: Concurrency
    task: Task


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A conclusion. `withheld` is why it may not be drawn; `outcome` is then what the figures alone say."""

    about: About
    outcome: str
    withheld: str | None


def judgements(
    measured: Measured, floor: Floor | None, lags: dict[About, LagFigures]
) -> dict[About, Judgement]:
    """For each verdict, whether the client can vouch for the smallest figure that its sentence quotes.

    Of the cache that is the uncached TTFT at the longest length: whether a prefix is cached is told by the
    difference of two arms that have the client alike. What it may be of the cached TTFT is `clients_share_s`.
    """
    steps = [row.step_s for row in measured.concurrency.figures if row.step_s is not None]
    crowd = steps[-1] if steps else None
    longest = measured.pairs.figures.longest
    stands_on: dict[About, Estimate | None] = {
        "cache": longest.uncached_ttft_s if longest is not None else None,
        "short generations": measured.totals.figures.chat.measured_step_s,
        "structured output": _fastest(measured.structured.figures),
        "concurrency": crowd,
        "task": measured.task.figures.step_inference_s,
    }
    ttft, total, crowded = _floors(floor)
    floors = {
        "cache": ttft,
        "short generations": total,
        "structured output": total,
        "concurrency": crowded,
        # The floor's step is longer than most answers of a task: it errs against the client.
        "task": total,
    }
    return {about: judge(figure, floors[about], lags[about]) for about, figure in stands_on.items()}


def clients_share_s(judgement: Judgement, figure_s: float) -> float | None:
    """Seconds of a figure that may be the client's, where they are over a fifth of it; None where they are not."""
    most = max(judgement.floor_s or 0.0, judgement.lag.p99_s or 0.0)
    return most if most > FAR_BELOW * figure_s else None


def _floors(floor: Floor | None) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
    return (floor.ttft_s, floor.step_s, floor.crowd_step_s) if floor is not None else (None, None, None)


def _fastest(arms: tuple[StructuredFigures, ...]) -> Estimate | None:
    known = [arm.valid_total_s for arm in arms if arm.valid_total_s is not None]
    known = known or [arm.ttft_s for arm in arms if arm.ttft_s is not None]
    return _least(*known)


def _least(*known: Estimate | None) -> Estimate | None:
    figures = [estimate for estimate in known if estimate is not None]
    return min(figures, key=lambda estimate: estimate.value, default=None)


def verdicts(measured: Measured, judged: dict[About, Judgement]) -> tuple[Verdict, ...]:
    """One verdict for each measurement, in the order that they ran."""
    outcomes: dict[About, str] = {
        "cache": measured.pairs.figures.caching,
        "short generations": _short_generations(measured.totals),
        "structured output": _structured_output(measured.structured.figures),
        "concurrency": _concurrency(measured.concurrency),
        "task": _task(measured.task),
    }
    return tuple(
        Verdict(about=about, outcome=outcome, withheld=judged[about].withheld)
        for about, outcome in outcomes.items()
    )


def _short_generations(totals: Totals) -> str:
    misjudged, step = totals.figures.chat.misjudged, totals.figures.chat.measured_step_s
    if misjudged is None or step is None or step.low is None:
        return "unclear"
    if misjudged > 1 + _ALIKE:
        return "slower_than_chat"
    return "faster_than_chat" if misjudged < 1 - _ALIKE else "as_chat"


def _structured_output(arms: tuple[StructuredFigures, ...]) -> str:
    by_arm: dict[StructuredArm, StructuredFigures] = {arm.arm: arm for arm in arms}
    constrained, free = by_arm["call constrained"], by_arm["call free"]
    if min(arm.valid.n if arm.valid is not None else 0 for arm in (constrained, free)) < FEWEST:
        return "unclear"
    if constrained.expected_s is None:
        return "never_valid" if free.expected_s is None else "free_cheaper"
    if free.expected_s is None or constrained.expected_s < (1 - _ALIKE) * free.expected_s:
        return "constrained_cheaper"
    return "free_cheaper" if free.expected_s < (1 - _ALIKE) * constrained.expected_s else "alike"


def _concurrency(concurrency: Concurrency) -> str:
    rows = concurrency.figures
    if not rows:
        return "unclear"
    fewest, most = rows[0], rows[-1]
    if fewest.step_s is None or most.step_s is None or fewest is most:
        return "unclear"
    if most.jain is not None and most.jain < _UNFAIR_BELOW:
        return "unfair"
    if concurrency.knee is not None and concurrency.knee.agents is not None:
        return "saturates"
    if concurrency.climb not in ("saturated", "planned"):
        return "unclear"
    return "slows" if most.step_s.value > _SLOWS_ABOVE * fewest.step_s.value else "scales"


def _task(task: Task) -> str:
    split = task.figures.account
    if split is None:
        return "unclear"
    parts = {
        "ttft": split.ttft_s,
        "decode": split.decode_s,
        "tool": split.tool_s,
        "retry": split.retry_s,
        "overhead": split.overhead_s,
    }
    return max(parts, key=lambda part: parts[part])
