"""How a measurement's sampling ended, in a sentence below its table."""

from tithe.audit import AuditPlan, Extent

_LIMITS = {
    "time": "its share of the time (--max-time) was used up",
    "tokens": "its share of the tokens (--max-tokens) was used up",
    "requests": "its share of the calls (--max-requests) was used up",
    "gave up": "the audit gave up",
    "interrupted": "the audit was interrupted",
}


def sampled(extent: Extent, plan: AuditPlan) -> list[str]:
    """Nothing where everything that was planned was run; else why it was not."""
    rounds = "1 round" if extent.rounds == 1 else f"{extent.rounds} rounds"
    if extent.ended == "precise":
        return [f"{rounds}: every interval is within {100 * plan.precision:g} % of its figure."]
    if extent.ended == "samples":
        return []
    return [f"{rounds}, then {_LIMITS[extent.ended]}."]
