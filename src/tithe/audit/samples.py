"""What two audits can be compared by: a report's samples, by figure and by what pairs them.

Samples of one figure are keyed by what they share with the other endpoint's: the round, the number of agents
and the round, the task. Failed calls have no sample, so a pair is left out where either of its calls failed.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator

import msgspec
import numpy as np

from tithe.audit.audit import AuditReport
from tithe.audit.concurrency import Round, step_time
from tithe.audit.pairs import ARMS, Arm
from tithe.audit.plan import AuditPlan
from tithe.audit.structured import ARMS as STRUCTURED_ARMS
from tithe.audit.structured import judged
from tithe.audit.verdict import About, Measured

Name = tuple[About, str]
Times = dict[Name, dict[Hashable, float]]
Shares = dict[Name, tuple[int, int]]

STEP_OF_ALL = "step, all rounds"
TASK_STEP = "step of a task"

# Two plans that differ in one of these measured different things, whatever they called it.
SHAPED_BY: dict[About, tuple[str, ...]] = {
    "cache": ("tail",),
    "short generations": ("prefix", "tail", "chat_in"),
    "structured output": ("structured_tokens",),
    "concurrency": ("prefix", "tail", "step_in", "step_out", "agent_steps", "think_s"),
    "task": ("seed", "task_families", "task_steps", "task_out", "task_temperature"),
}


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """`times` in seconds; `shares` are (successes, of how many)."""

    times: Times
    shares: Shares


def samples(report: AuditReport) -> Samples:
    """Everything in a report that a comparison stands on."""
    times: Times = defaultdict(dict)
    for name, key, value in _times(report.measured, report.plan):
        times[name][key] = value
    return Samples(times=dict(times), shares=dict(_shares(report.measured)))


def primary(plan: AuditPlan, times: Times) -> dict[About, str]:
    """The one figure of each measurement that its verdict stands on."""
    lengths = [length for length in plan.lengths if ("cache", cached(length)) in times]
    return {
        "cache": cached(max(lengths, default=max(plan.lengths))),
        "short generations": total(plan.step_out, chat=False),
        "structured output": "call constrained",
        "concurrency": STEP_OF_ALL,
        "task": TASK_STEP,
    }


def cached(length: int) -> str:
    """The name of the cached TTFT at a prefix length."""
    return _first_token("cached", length)


def _first_token(arm: Arm, length: int) -> str:
    return f"{arm} TTFT {length:,}"


def total(wanted: int, *, chat: bool) -> str:
    """The name of the time to so many tokens."""
    return f"{wanted} tokens{', fresh' if chat else ''}"


def _times(measured: Measured, plan: AuditPlan) -> Iterator[tuple[Name, Hashable, float]]:
    for pair in sorted(measured.pairs.samples, key=lambda pair: (pair.length, ARMS.index(pair.arm))):
        if pair.observation.answered and pair.observation.ttft is not None:
            name = cached(pair.length) if pair.arm == "cached" else f"TTFT {pair.arm}, {pair.length:,} tokens"
            yield ("cache", name), pair.repeat, pair.observation.ttft
    for generation in sorted(measured.totals.samples, key=lambda one: (one.chat, one.wanted)):
        seen = generation.observation
        if seen.answered and seen.total is not None and not generation.fell_short:
            name = total(generation.wanted, chat=generation.chat)
            yield ("short generations", name), generation.repeat, seen.total
    for answer in sorted(measured.structured.samples, key=lambda one: STRUCTURED_ARMS.index(one.arm)):
        if answer.observation.answered and answer.observation.total is not None:
            yield ("structured output", answer.arm), answer.repeat, answer.observation.total
    for one in sorted(measured.concurrency.rounds, key=lambda one: (one.agents, one.round)):
        middle = _middle_step(one, plan.step_out)
        if middle is not None:
            yield ("concurrency", STEP_OF_ALL), (one.agents, one.round), middle
            yield ("concurrency", f"step, {one.agents} agent{'s' * (one.agents > 1)}"), one.round, middle
    for run in measured.task.runs:
        if run.outcome != "failed" and run.steps:
            yield ("task", TASK_STEP), run.repeat, run.wall_s / len(run.steps)
        if run.outcome == "solved":
            yield ("task", "task both solved"), run.repeat, run.wall_s


def _middle_step(one: Round, step_tokens: int) -> float | None:
    """The median of a round's steps: they share its fate, so a round is one sample."""
    calls = [seen for run in one.runs for seen in run.observations if seen.answered]
    steps = [time for seen in calls if (time := step_time(seen, step_tokens)) is not None]
    return float(np.median(steps)) if steps else None


def _shares(measured: Measured) -> Iterator[tuple[Name, tuple[int, int]]]:
    valid: dict[str, list[bool]] = defaultdict(list)
    for answer, found in judged(measured.structured.samples):
        if found != "failed":
            valid[answer.arm].append(found == "valid")
    for arm, found in valid.items():
        yield ("structured output", f"{arm}, valid"), (sum(found), len(found))
    solved = measured.task.figures.solved
    if solved is not None:
        yield ("task", "solved"), (solved.successes, solved.n)
