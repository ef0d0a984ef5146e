"""The calls of an audit as a table in a file: one row an attempt, in the order that they began (RFC 4180).

A row says where in the audit the call stands, when what happened, and what the endpoint reported. A cell is
empty where a column has no meaning for the call, where it did not happen, and where the endpoint did not
report it; a zero is a zero that was reported. Offsets count from the audit's start, and all times are in
seconds to the nanosecond. No text of any message is in it.

The calls are those that the report counts in `calls`: the endpoint's, not those that found the client's
floor. A call that was not made any more when a limit was reached has no row, and neither has one that
an interruption cut off in its midst, of which nothing is known.
"""

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from tithe.audit import NOT_ASKED, AuditReport, Measured, Observation, ValidityClass, judged
from tithe.audit.structured import ARMS
from tithe.report.letters import letter

Measurement = Literal["warm-up", "pairs", "totals", "structured", "concurrency", "arrivals", "task"]
Part = Literal["warm-up", "calibration", "prime", "sample"]


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt; its fields are the file's columns, in order.

    measurement: what it was made for.
    part: sample, if figures stand on it; warm-up, calibration and prime come before and are in none.
    arm: uncached, cached (pairs); step, chat (totals); call or json, constrained or free (structured).
    length: tokens of the prefix, as planned (pairs).
    wanted_tokens: length of the answer asked for (totals).
    agents: how many agents ran at once (concurrency).
    load: part of the closed loop's steps a second at which tasks arrived (arrivals).
    family: kind of the task (task).
    round: which visit to this number of agents, from 0 (concurrency).
    repeat: which sample of its kind, from 0 (pairs, totals, structured); which task (arrivals, task).
    agent: which of the agents, from 0 (concurrency).
    step: which step of the agent or task, from 0.
    attempt: which attempt at the same answer, from 0.
    asked_again: true where the plan had not foreseen it: too short an answer, a failed step, a refused temperature,
        a call that was turned away for now.
    due_s: when it should have been sent (arrivals). This and the next six: offsets.
    begun_s: when the call was begun.
    sent_s: when the request's last byte had left.
    first_s: first generated token.
    first_visible_s: first token that is not reasoning.
    last_s: last generated token.
    ended_s: when the call was over.
    connected_s: seconds of opening a connection, before it was sent.
    ttft_s: sent to first token.
    visible_ttft_s: sent to first visible token.
    total_s: sent to last token.
    prompt_tokens: as reported.
    cached_tokens: of these, read from the cache, as reported.
    output_tokens: generated, as reported.
    reasoning_tokens: of these, reasoning, as reported.
    chunks: how many chunks with generated tokens came.
    finish: why the answer ended, as reported.
    answered: true for a whole answer with at least one token; only these enter figures of time.
    validity: class of a structured answer (audit/validity.py).
    failure: class of the error, where the call failed.
    http_status: status of the response, where the failure had one.
    """

    measurement: Measurement
    part: Part
    arm: str | None = None
    length: int | None = None
    wanted_tokens: int | None = None
    agents: int | None = None
    load: float | None = None
    family: str | None = None
    round: int | None = None
    repeat: int | None = None
    agent: int | None = None
    step: int | None = None
    attempt: int = 0
    asked_again: bool = False
    due_s: float | None = None
    begun_s: float = 0.0
    sent_s: float | None = None
    first_s: float | None = None
    first_visible_s: float | None = None
    last_s: float | None = None
    ended_s: float = 0.0
    connected_s: float = 0.0
    ttft_s: float | None = None
    visible_ttft_s: float | None = None
    total_s: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    chunks: int = 0
    finish: str | None = None
    answered: bool = False
    validity: ValidityClass | None = None
    failure: str | None = None
    http_status: int | None = None


COLUMNS = CallRow.__struct_fields__


def calls_csv(report: AuditReport) -> str:
    """The file's text: a line of names, then a line for each call; lines end in CR LF."""
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(COLUMNS)
    lines.writerows([_cell(name, getattr(row, name)) for name in COLUMNS] for row in call_rows(report))
    return text.getvalue()


def compared_calls_csv(reports: Sequence[AuditReport]) -> str:
    """The calls of several endpoints that were compared: a column `endpoint` first (A, B, ...), then the same.

    Offsets count from the beginning of each endpoint's own audit.
    """
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(("endpoint", *COLUMNS))
    for place, report in enumerate(reports):
        cells = ([_cell(name, getattr(row, name)) for name in COLUMNS] for row in call_rows(report))
        lines.writerows([letter(place), *each] for each in cells)
    return text.getvalue()


def call_rows(report: AuditReport) -> list[CallRow]:
    """A row for each call that was made, in the order that they began."""
    start = report.anchor.monotonic
    found = [_seen(place, seen, start) for place, seen in _calls(report) if _made(seen)]
    return sorted(found, key=lambda row: row.begun_s)


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.9f}" if isinstance(value, float) and name.endswith("_s") else str(value)


def _made(seen: Observation) -> bool:
    return seen.failure is None or seen.failure.kind != NOT_ASKED


def _seen(place: CallRow, seen: Observation, start: float) -> CallRow:
    """The row's place in the audit, and what was seen of the call."""

    def offset(instant: float | None) -> float | None:
        return instant - start if instant is not None else None

    return msgspec.structs.replace(
        place,
        due_s=offset(place.due_s),
        begun_s=seen.begun - start,
        sent_s=offset(seen.sent),
        first_s=offset(seen.first),
        first_visible_s=offset(seen.first_visible),
        last_s=offset(seen.last),
        ended_s=seen.ended - start,
        connected_s=seen.connected,
        ttft_s=seen.ttft,
        visible_ttft_s=seen.visible_ttft,
        total_s=seen.total,
        prompt_tokens=seen.prompt_tokens,
        cached_tokens=seen.cached_tokens,
        output_tokens=seen.output_tokens,
        reasoning_tokens=seen.usage.reasoning_tokens if seen.usage is not None else None,
        chunks=len(seen.stamps),
        finish=seen.finish,
        answered=seen.answered,
        failure=seen.failure.kind if seen.failure is not None else None,
        http_status=seen.failure.http_status if seen.failure is not None else None,
    )


Placed = Iterator[tuple[CallRow, Observation]]


def _calls(report: AuditReport) -> Placed:
    """Every attempt with its place in the audit: what was turned away and asked again before what came of it."""
    refused: dict[str, deque[Observation]] = {}
    for seen in sorted(report.refused, key=lambda one: one.begun):
        refused.setdefault(seen.label, deque()).append(seen)
    later = 0
    for place, seen in _kept(report):
        later = later if place.attempt else 0
        waiting = refused.get(seen.label, deque())
        while waiting and waiting[0].begun < seen.begun:
            yield _attempt(place, place.attempt + later), waiting.popleft()
            later += 1
        yield (_attempt(place, place.attempt + later, place.validity) if later else place), seen


def _attempt(place: CallRow, number: int, validity: ValidityClass | None = None) -> CallRow:
    return msgspec.structs.replace(place, attempt=number, asked_again=number > 0, validity=validity)


def _kept(report: AuditReport) -> Placed:
    """Every call that a measurement kept, with its place in the audit; `due_s` still an instant."""
    for seen in report.warm_up.observations:
        part: Part = "calibration" if seen.label == "calibration" else "warm-up"
        yield CallRow(measurement="warm-up", part=part), seen
    yield from _primes(report)
    yield from _singles(report.measured)
    yield from _agents(report.measured)
    yield from _arrivals(report.measured)
    for run in report.measured.task.runs:
        for number, step in enumerate(run.steps):
            place = CallRow(
                measurement="task", part="sample", family=run.family, repeat=run.repeat, step=number
            )
            yield from _attempts(place, step.attempts)


def _primes(report: AuditReport) -> Placed:
    """The calls that bring what a measurement takes for known into the cache."""
    measured = report.measured
    for length, seen in zip(report.plan.lengths, measured.pairs.primes, strict=True):
        yield CallRow(measurement="pairs", part="prime", length=length), seen
    for seen in measured.totals.primes:
        yield CallRow(measurement="totals", part="prime"), seen
    for arm, seen in zip(ARMS, measured.structured.primes, strict=True):
        yield CallRow(measurement="structured", part="prime", arm=arm), seen
    for seen in measured.concurrency.primes:
        yield CallRow(measurement="concurrency", part="prime"), seen
    by_family: dict[str, list[Observation]] = {}
    for seen in measured.task.primes:
        by_family.setdefault(seen.label.rpartition(".")[2], []).append(seen)
    for family, attempts in by_family.items():
        # The first is made again where the endpoint refused the temperature.
        yield from _attempts(CallRow(measurement="task", part="prime", family=family), attempts)


def _singles(measured: Measured) -> Placed:
    """The samples of the measurements that make one call after the other."""
    for pair in measured.pairs.samples:
        place = CallRow(
            measurement="pairs", part="sample", arm=pair.arm, length=pair.length, repeat=pair.repeat
        )
        yield place, pair.observation
    for total in measured.totals.samples:
        place = CallRow(
            measurement="totals",
            part="sample",
            arm="chat" if total.chat else "step",
            wanted_tokens=total.wanted,
            repeat=total.repeat,
        )
        yield from _attempts(place, total.attempts)
    for answer, validity in judged(measured.structured.samples):
        place = CallRow(
            measurement="structured",
            part="sample",
            arm=answer.arm,
            repeat=answer.repeat,
            validity=validity,
        )
        yield place, answer.observation


def _agents(measured: Measured) -> Placed:
    for one in measured.concurrency.rounds:
        for run in one.runs:
            for number, seen in enumerate(run.observations):
                place = CallRow(
                    measurement="concurrency",
                    part="sample",
                    agents=one.agents,
                    round=one.round,
                    agent=run.agent,
                    step=number,
                )
                yield place, seen


def _arrivals(measured: Measured) -> Placed:
    for run in measured.concurrency.arrivals:
        for task, arrived in enumerate(run.tasks):
            for number, step in enumerate(arrived.steps):
                place = CallRow(
                    measurement="arrivals",
                    part="sample",
                    load=run.load,
                    repeat=task,
                    step=number,
                    due_s=step.due,
                )
                yield place, step.observation


def _attempts(place: CallRow, attempts: Iterable[Observation]) -> Placed:
    for number, seen in enumerate(attempts):
        yield msgspec.structs.replace(place, attempt=number, asked_again=number > 0), seen
