"""How a task ended: what failed for good, what was asked for and never came, and what its command and recorder say."""

import msgspec
import pytest

from tithe.core import Span
from tithe.ledger import FailedCall, Outcome, make_account, make_ledger
from tithe.trace import TaskRecord

from .trees import record, span


def outcome(*spans: Span, **told: object) -> Outcome:
    whole: TaskRecord = msgspec.structs.replace(record(*spans), **told)
    found = make_ledger(whole).outcome
    assert make_account(whole).outcome == found
    return found


def answered(id_: str, start: float, end: float, *ids: str) -> Span:
    return span(id_, "attempt", start, end, f"{id_}-call", asked_tools=[[one, "look"] for one in ids])


def test_a_task_that_just_ended_has_nothing_to_tell() -> None:
    assert outcome(answered("a", 0, 1), exit_status=0) == Outcome(exit_status=0)
    assert outcome(answered("a", 0, 1), exit_status=0).good


def test_the_last_call_without_an_answer_is_the_failure() -> None:
    found = outcome(
        answered("a", 0, 1),
        span("b", "attempt", 1, 2, "two", error="server_error", status=500),
        span("c", "attempt", 3, 4, "two", error="bad_gateway", status=502),
    )
    assert found.failed == FailedCall(step=2, error="bad_gateway", status=502, attempts=2)
    assert found.calls_failed == 1
    assert not found.good


def test_a_call_that_failed_before_an_answer_came_is_counted_and_no_failure() -> None:
    found = outcome(span("a", "attempt", 0, 1, "one", error="timeout"), answered("b", 2, 3))
    assert (found.failed, found.calls_failed, found.good) == (None, 1, True)


def test_a_call_that_may_yet_be_tried_again_has_not_failed() -> None:
    failing = span("a", "attempt", 0, 1, "one", error="429", status=429)
    assert outcome(failing, recorder="running").failed is None
    assert outcome(failing, recorder="killed").failed is not None


def test_tools_that_nothing_followed_are_named() -> None:
    assert outcome(answered("a", 0, 1, "x", "y")).unanswered == ("look", "look")
    ran = span("x", "tool", 1, 2, None, tool_call_id="x")
    assert outcome(answered("a", 0, 1, "x"), ran).unanswered == ()
    assert outcome(answered("a", 0, 1, "x"), answered("b", 2, 3)).unanswered == ()


def test_a_failed_call_asked_for_nothing() -> None:
    broken = span("a", "attempt", 0, 1, "one", error="StreamBroken", asked_tools=[["x", "look"]])
    assert outcome(broken).unanswered == ()


@pytest.mark.parametrize("recorder", ["running", "killed"])
def test_a_task_that_said_it_is_over_needs_no_recorder(recorder: str) -> None:
    assert outcome(answered("a", 0, 1), recorder=recorder).recorder == recorder
    assert outcome(span("t", "task", 0, 2), answered("a", 0, 1), recorder=recorder).recorder == "ended"


def test_what_the_agent_reports_of_its_task_is_kept() -> None:
    found = outcome(span("t", "task", 0, 2, error="ValueError"), answered("a", 0, 1))
    assert (found.error, found.good) == ("ValueError", False)
