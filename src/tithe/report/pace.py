"""The audit in an agent's terms, in words: the same on the terminal and on the page."""

from tithe.audit import Pace, samples_for
from tithe.report.figures import interval, number, seconds


def pace_heads(pace: Pace) -> tuple[str, ...]:
    """The heads of a table of waits."""
    return ("a wait of", *(seconds(fit.budget_s) for fit in pace.fits))


def pace_rows(pace: Pace) -> tuple[tuple[str, ...], ...]:
    """How many steps fit into each wait."""
    return (
        ("steps that fit, p50", *(f"{fit.steps_p50:,}" for fit in pace.fits)),
        ("steps that fit, p95", *(f"{fit.steps_p95:,}" for fit in pace.fits)),
    )


def pace_notes(pace: Pace) -> tuple[str, ...]:
    """Steps a minute, and what a step is."""
    middle = f"{number(pace.steps_a_minute_p50)} steps a minute at the median, {interval(pace.step_p50_s, 1e3)} ms a step"
    slow = f"no p95 of a step: that takes {samples_for(0.95)} of them"
    if pace.steps_a_minute_p95 is not None:
        slow = f"{number(pace.steps_a_minute_p95)} at the p95, {interval(pace.step_p95_s, 1e3)} ms"
    step = f"A step: one call of {pace.step_tokens} tokens, prefix cached; tools, retries and other agents come on top"
    return (f"{middle}; {slow}.", f"{step}. p95: 95 of 100 runs of so many steps stay within.")
