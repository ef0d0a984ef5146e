"""One run of a task, and its account: where its wall clock went.

The instants of a run cut its wall clock into pieces, and every piece goes to exactly one part:

    ttft      sent to first token of the call that answered
    decode    first token to last
    tool      the tools that the answer called, one after the other
    retry     a failed attempt whole, from its beginning to its end, and what is waited before the next
    overhead  what lies between: connecting, the end of a stream after its last token, the client

An answer without a token has nothing but waiting: all of it is `ttft`.
"""

from typing import Literal

import msgspec

from tithe.audit.observation import Observation
from tithe.core import Message
from tithe.world import Family, Split

TaskOutcome = Literal["solved", "unsolved", "failed"]


class TaskStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its attempts in order, then its tools. No tool ran where every attempt failed."""

    attempts: tuple[Observation, ...]
    tool_start: float | None = None
    tool_end: float | None = None


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one task, from `start` to `end` (monotonic seconds).

    `family`, `seed` and `split` make the task again; `messages` is the conversation as it ended, and `answer`
    what finish was called with (None: it was not). Of the answers, `idle` called no tool; of the calls, `faults` named no tool or had arguments that do not fit.
    """

    repeat: int
    family: Family
    seed: int
    split: Split
    start: float
    end: float
    outcome: TaskOutcome
    answer: str | None
    idle: int
    faults: int
    steps: tuple[TaskStep, ...]
    messages: tuple[Message, ...]

    @property
    def wall_s(self) -> float:
        return self.end - self.start

    @property
    def goal(self) -> str:
        return self.messages[1].content or ""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A run's wall clock in seconds, and its parts: they sum to it."""

    wall_s: float
    ttft_s: float
    decode_s: float
    tool_s: float
    retry_s: float
    overhead_s: float


def account(run: TaskRun) -> Account:
    """Split a run's wall clock into its parts; see the top of the file."""
    parts = {"ttft": 0.0, "decode": 0.0, "tool": 0.0, "retry": 0.0, "overhead": 0.0}
    cursor = run.start
    for part, until in _cuts(run):
        parts[part] += until - cursor
        cursor = until
    parts["overhead"] += run.end - cursor
    return Account(
        wall_s=run.wall_s,
        ttft_s=parts["ttft"],
        decode_s=parts["decode"],
        tool_s=parts["tool"],
        retry_s=parts["retry"],
        overhead_s=parts["overhead"],
    )


def _cuts(run: TaskRun) -> list[tuple[str, float]]:
    """The run's instants in order, each with the part that the time before it belongs to."""
    cuts: list[tuple[str, float]] = []
    for step in run.steps:
        for place, seen in enumerate(step.attempts):
            cuts += [("retry", seen.begun)] if place else []
            cuts += _call_cuts(seen)
        if step.tool_start is not None and step.tool_end is not None:
            cuts += [("overhead", step.tool_start), ("tool", step.tool_end)]
    return cuts


def _call_cuts(seen: Observation) -> list[tuple[str, float]]:
    if seen.failure is not None or seen.sent is None:
        return [("overhead", seen.begun), ("retry", seen.ended)]
    if seen.first is None or seen.last is None:
        return [("overhead", seen.sent), ("ttft", seen.ended)]
    return [("overhead", seen.sent), ("ttft", seen.first), ("decode", seen.last)]
