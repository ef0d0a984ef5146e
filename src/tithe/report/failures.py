"""What went wrong in an audit: counted, named, and said of the measurement that it was in."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from tithe.audit import NOT_ASKED, About, AuditReport, Measured, Observation
from tithe.audit.patience import asks_for_patience
from tithe.report.figures import counted, seconds

# A word with a digit in it: a count, a time, a request id.
_NUMBERED = re.compile(r"\S*\d\S*")
# The page and the terminal name the endpoint in their heads.
_ENDPOINT = re.compile(r"^https?://\S+ ")
_LONGEST = 240
# What the labels of calls, and the costs of a plan, call a measurement, and what it is called to a reader.
MEASUREMENTS = {
    "warm-up": "warm-up",
    "calibration": "warm-up",
    "pairs": "cache",
    "totals": "short generations",
    "structured": "structured output",
    "concurrency": "concurrency",
    "task": "task",
}


def failures(report: AuditReport) -> list[str]:
    """What went wrong, the most frequent first, and where. Failures that differ in numbers alone are one line."""
    seen = [one for one in observations(report) if _measurement(one) not in report.left_out]
    return [*failure_lines(seen), *_waited(report)]


def failure_lines(seen: Iterable[Observation]) -> list[str]:
    """A line for all calls without an answer that ended alike, and which measurements they were of."""
    found: dict[str, list[Observation]] = {}
    for one in seen:
        if not one.answered:
            found.setdefault(_NUMBERED.sub("#", _what(one)), []).append(one)
    lines: list[str] = []
    for alike in sorted(found.values(), key=len, reverse=True):
        said = {_what(one) for one in alike}
        where = ", ".join(dict.fromkeys(_measurement(one) for one in alike))
        lines.append(
            f"{counted(len(alike), 'call')} of {where} {_what(alike[0])}"
            + (" (numbers differ)" if len(said) > 1 else "")
        )
    return lines


def _measurement(seen: Observation) -> str:
    head = seen.label.partition(".")[0]
    return MEASUREMENTS.get(head, head)


def _what(seen: Observation) -> str:
    """What became of a call without an answer, as the end of a sentence about it."""
    if seen.failure is None:
        return "came back empty."
    if seen.failure.kind == NOT_ASKED:
        return f"not asked: {seen.failure.message}."
    return f"failed: {said(seen.failure.message)}"


def said(message: str) -> str:
    """An error's message in short, without the endpoint's address."""
    short = _ENDPOINT.sub("", message)
    return short if len(short) <= _LONGEST else f"{short[: _LONGEST - 3]}..."


def _waited(report: AuditReport) -> list[str]:
    """How turned-away calls were waited for."""
    if not report.refused and report.waited_s == 0:
        return []
    turned_away = [one.failure for one in observations(report) if asks_for_patience(one.failure)]
    told = sum(failure is not None and failure.retry_after is not None for failure in turned_away)
    by = "with a Retry-After" if told == len(turned_away) else "without a Retry-After"
    by = by if told in (0, len(turned_away)) else "with a Retry-After or without"
    calls = counted(len(turned_away), "call")
    return [
        f"The endpoint turned {calls} away for now, {by}; the audit waited {seconds(report.waited_s)} in all for it."
    ]


def why_not_measured(report: AuditReport, about: About) -> str:
    """Why a measurement has no figure to stand on, as a sentence."""
    left_out, refused = report.left_out.get(about), _refusal(report.measured, about)
    if left_out is not None:
        return left_out
    if refused is not None:
        return f"The endpoint does not take its calls: {said(refused)}"
    missed = [one for one in observations(report) if _measurement(one) == about and not one.answered]
    most = Counter(_what(one) for one in missed).most_common(1)
    if not most:
        return "No call that it stands on was made."
    return f"No call that it stands on was answered; {counted(most[0][1], 'call')} {most[0][0]}"


def _refusal(measured: Measured, about: About) -> str | None:
    """What the endpoint said where it takes no call of a measurement."""
    match about:
        case "cache":
            lengths = [row.refused for row in measured.pairs.figures.lengths]
            return lengths[0] if lengths and None not in lengths else None
        case "short generations":
            return measured.totals.refused
        case "structured output":
            return None
        case "concurrency":
            return measured.concurrency.refused
        case "task":
            return measured.task.refused


def doubts(report: AuditReport) -> dict[About, str]:
    """Of each measurement whose verdict is withheld, what that says of the figures that are shown all the same."""
    found: dict[About, str] = {}
    for verdict in report.verdicts:
        if verdict.withheld is None:
            continue
        if report.client.judgements[verdict.about].figure_s is None:
            found[verdict.about] = f"Not measured. {why_not_measured(report, verdict.about)}"
        else:
            found[verdict.about] = (
                f"No verdict: {verdict.withheld}. The figures stand as measured, and the client may be in them."
            )
    return found


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
        *report.refused,
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
    return f"Nothing to draw: of {counted(len(asked), 'call')} none was answered{came}."
