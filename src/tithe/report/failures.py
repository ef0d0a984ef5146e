"""What went wrong in an audit, counted and named."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from tithe.audit import NOT_ASKED, AuditReport, Observation

# A word with a digit in it: a count, a time, a request id.
_NUMBERED = re.compile(r"\S*\d\S*")


def failures(seen: Iterable[Observation]) -> list[str]:
    """What went wrong, the most frequent first. Failures that differ in numbers alone are one line."""
    counted: Counter[str] = Counter()
    first: dict[str, str] = {}
    for one in seen:
        if one.answered:
            continue
        said = (
            f"{one.failure.kind}: {one.failure.message}"
            if one.failure is not None
            else "The answer was empty."
        )
        like = _NUMBERED.sub("#", said)
        counted[like] += 1
        first.setdefault(like, said)
    return [
        f"{count} x {first[like]}" + (" (numbers differ)" if count > 1 and like != first[like] else "")
        for like, count in counted.most_common()
    ]


def cut_short(report: AuditReport) -> list[str]:
    """Why the audit did not run to its end, where it did not."""
    said: list[str] = []
    if report.gave_up is not None:
        said.append(f"The audit gave up: {report.gave_up} Below is what was measured until then.")
    if report.interrupted:
        said.append("The audit was interrupted. Below is what was measured until then.")
    return said


def observations(report: AuditReport) -> list[Observation]:
    """Every call of an audit, the floor's aside."""
    measured = report.measured
    primed = (measured.pairs, measured.totals, measured.structured, measured.concurrency, measured.task)
    return [
        *report.warm_up.observations,
        *(seen for one in primed for seen in one.primes),
        *(sample.observation for sample in measured.pairs.samples),
        *(seen for sample in measured.totals.samples for seen in sample.attempts),
        *(sample.observation for sample in measured.structured.samples),
        *(seen for one in measured.concurrency.rounds for run in one.runs for seen in run.observations),
        *(
            step.observation
            for run in measured.concurrency.arrivals
            for task in run.tasks
            for step in task.steps
        ),
        *(seen for run in measured.task.runs for step in run.steps for seen in step.attempts),
    ]


def unanswered(seen: Sequence[Observation]) -> str:
    """Why there is nothing to show of these calls."""
    asked = [one for one in seen if one.failure is None or one.failure.kind != NOT_ASKED]
    if not asked:
        return "Nothing to draw: the audit had ended before these calls."
    if any(one.answered for one in asked):
        return "Nothing to draw: the endpoint did not report what this is computed from."
    empty = sum(one.failure is None for one in asked)
    came = f" ({empty} of them came back empty)" if empty else ""
    return f"Nothing to draw: of {len(asked)} calls none was answered{came}."
