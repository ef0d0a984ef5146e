"""How an audit took its samples: the calls before any figure, and how a measurement's sampling ended."""

from tithe.audit import AuditPlan, AuditReport, Extent
from tithe.report.figures import seconds

_LIMITS = {
    "time": "its share of the time (--max-time) was used up",
    "tokens": "its share of the tokens (--max-tokens) was used up",
    "requests": "its share of the calls (--max-requests) was used up",
    "gave up": "the audit gave up",
    "interrupted": "the audit was interrupted",
}


def sampled(extent: Extent, plan: AuditPlan, sought: str | None = None) -> list[str]:
    """What ended the sampling; `sought` is what was to be precise.

    Nothing where a plan without that was run whole, and where none was begun: that has reasons of its own.
    """
    if extent.ended == "left out" or (extent.ended == "samples" and extent.rounds == 0):
        return []
    rounds = "1 round" if extent.rounds == 1 else f"{extent.rounds} rounds"
    if extent.ended == "precise":
        return [f"{rounds}: every {sought} is known to within {100 * plan.precision:g} %."]
    if extent.ended == "samples":
        return [f"{rounds}, the most asked for (--repeats)."] if sought is not None else []
    return [f"{rounds}, then {_LIMITS[extent.ended]}."]


def warmed_up(report: AuditReport) -> list[str]:
    """The warm-up apart, as it is in no figure: how long each of its first tokens took."""
    times = [
        one.ttft
        for one in report.warm_up.observations
        if one.label == "warm-up" and one.answered and one.ttft is not None
    ]
    return [f"Warm-up, in no figure: first tokens after {', '.join(map(seconds, times))}."] if times else []
