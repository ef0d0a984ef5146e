"""How a task ended, in sentences: the failure first, then what is only to be known of it."""

import signal

from tithe.ledger import FailedCall, Outcome
from tithe.report.figures import counted
from tithe.report.headline import Headline
from tithe.report.ledger_words import visible
from tithe.trace.node import HUNG_UP

OUTCOME = "Outcome"


def outcome_sentences(outcome: Outcome) -> tuple[str, ...]:
    """What went wrong with a task, and what of its end was not seen; nothing where it just ended."""
    return (*_wrong(outcome), *_unseen(outcome))


def outcome_headline(outcome: Outcome) -> tuple[Headline, ...]:
    """The same as a conclusion; none where nothing went wrong and all was seen."""
    told = outcome_sentences(outcome)
    if not told:
        return ()
    given_up = outcome.failed is not None and outcome.failed.error == HUNG_UP
    failed = (outcome.failed is not None and not given_up) or outcome.error is not None
    ended = {"running": "still running", "killed": "cut off"}.get(
        outcome.recorder, "given up" if given_up else "ended"
    )
    return (
        Headline(
            about=OUTCOME,
            outcome="failed" if failed else command_end(outcome.exit_status, outcome.signal) or ended,
            sentence=" ".join(told),
            good=None if outcome.good else False,
        ),
    )


def command_end(exit_status: int | None, ended_by: int | None) -> str | None:
    """How a command ended that did not end well, such as SIGSEGV or exit 3."""
    if ended_by is not None:
        return signal_name(ended_by)
    return f"exit {exit_status}" if exit_status else None


def signal_name(number: int) -> str:
    """The name of a signal, where this platform has one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _wrong(outcome: Outcome) -> list[str]:
    told: list[str] = []
    if outcome.failed is not None:
        given_up = outcome.failed.error == HUNG_UP
        what = "The task ended in its last call" if given_up else "The task failed: its last call"
        told.append(f"{what}{_failure(outcome.failed, seen_to_end=outcome.recorder == 'ended')}.")
    if outcome.error is not None:
        told.append(f"The agent reports that the task failed: {visible(outcome.error, 60)}.")
    others = outcome.calls_failed - (outcome.failed is not None)
    if others > 0:
        told.append(f"{counted(others, 'call')} before its last brought no answer, and it went on.")
    if outcome.signal is not None:
        told.append(f"The command that it ran in was ended by {signal_name(outcome.signal)}.")
    elif outcome.exit_status:
        told.append(f"The command that it ran in exited with status {outcome.exit_status}.")
    return told


def _failure(call: FailedCall, *, seen_to_end: bool) -> str:
    where = f", step {call.step:,}," if call.step is not None else ""
    error = visible(call.error, 60) if call.error is not None else None
    if call.status is not None and call.status >= 400:
        got = f"HTTP {call.status}" + (f" ({error})" if error is not None else "")
        tried = f" in the last of {call.attempts} attempts" if call.attempts > 1 else ""
        return f"{where} got {got}{tried}, and no further attempt {'followed' if seen_to_end else 'was seen'}"
    if call.error == HUNG_UP:
        return f"{where or ','} which was given up by the agent before an answer came"
    tried = f", after {call.attempts} attempts" if call.attempts > 1 else ""
    return f"{where} brought no answer ({error or 'abandoned'}){tried}"


def _unseen(outcome: Outcome) -> list[str]:
    told: list[str] = []
    if outcome.unanswered:
        names = ", ".join(visible(name, 60) for name in dict.fromkeys(outcome.unanswered))
        ended = "with nothing after it, as agents end whose last tool takes the answer"
        after = {"running": "whose result has not come yet", "killed": "the last thing that was seen"}
        told.append(f"Its last answer asks for {names}, {after.get(outcome.recorder, ended)}.")
    if outcome.recorder == "running":
        told.append("Its recording still runs.")
    elif outcome.recorder == "killed":
        told.append("Its recorder was killed: what came after is not known.")
    return told
