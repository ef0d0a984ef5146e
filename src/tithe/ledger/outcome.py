"""How a task ended, as far as it was seen.

A task whose last call brought no answer has failed, whatever else it did: nothing in it is known to have come of it. That
its command exited with a status, or was ended by a signal, is the command's, which may have run several tasks.
"""

import msgspec

from tithe.core import attributes as at
from tithe.ledger.attribution import Attribution
from tithe.trace.node import Node, answer_of, asked_tools, steps_of, teller
from tithe.trace.recorder import Recorder
from tithe.trace.records import TaskRecord


class FailedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that brought no answer. `step`: the task's step that it is of, from 1; None in a branch. `error` is a class or
    code, `status` that of HTTP; None where there was none. `attempts`: how many were made in vain."""

    step: int | None
    error: str | None
    status: int | None
    attempts: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a task ended.

    `failed`: its last call, where that brought no answer. `calls_failed`: all its calls that brought none. `error`: what the
    agent itself reports of the task. `unanswered`: the names of the tools that its last answer asks for, where nothing
    followed: no result of them was seen. `exit_status` (as a shell has it) and `signal` are of the command that it ran in,
    `recorder` tells whether what wrote it still lives.
    """

    failed: FailedCall | None = None
    calls_failed: int = 0
    error: str | None = None
    unanswered: tuple[str, ...] = ()
    exit_status: int | None = None
    signal: int | None = None
    recorder: Recorder = "ended"

    @property
    def good(self) -> bool:
        """Whether nothing is known to have gone wrong in the end."""
        return (
            self.failed is None and self.error is None and not self.exit_status and self.recorder != "killed"
        )


def outcome_of(record: TaskRecord, attribution: Attribution) -> Outcome:
    """How a task ended."""
    calls = [node for node in attribution.nodes if node.kind == "call" and not _given_up(node)]
    last = max(calls, key=lambda call: (call.start, call.end), default=None)
    # While its recorder lives, a further attempt may come.
    failed = last if last is not None and record.recorder != "running" and answer_of(last) is None else None
    return Outcome(
        failed=_failed(failed, attribution.root) if failed is not None else None,
        calls_failed=sum(answer_of(call) is None for call in calls),
        error=attribution.root.span.error,
        unanswered=_unanswered(last, attribution) if last is not None else (),
        exit_status=record.exit_status,
        signal=record.signal,
        recorder="ended" if _reported_end(attribution.root) else record.recorder,
    )


def _reported_end(root: Node) -> bool:
    """Whether the agent itself said that its task is over, whatever became of the recorder then."""
    return not root.made and root.span.end is not None


def _given_up(call: Node) -> bool:
    """Whether a call was one of several ways, and thrown away."""
    return bool(call.attributes.get(at.SPECULATIVE))


def _failed(call: Node, root: Node) -> FailedCall:
    told = teller(call)
    steps = enumerate(steps_of(root), start=1)
    return FailedCall(
        step=next((number for number, step in steps if call is step or call in step.children), None),
        error=told.span.error,
        status=told.span.attributes.get(at.STATUS),
        attempts=max(len(call.attempts), 1),
    )


def _unanswered(last: Node, attribution: Attribution) -> tuple[str, ...]:
    asked = asked_tools(last) if answer_of(last) is not None else None
    if not asked:
        return ()
    ids = {node.span.attributes.get(at.TOOL_CALL_ID) for node in attribution.nodes if node.kind == "tool"}
    followed = any(node.kind == "tool" and node.start >= last.end for node in attribution.nodes)
    return () if followed else tuple(name for id_, name in asked if id_ not in ids)
