"""What was avoidable, and what removing it saves."""

import pytest

from tithe.core import Span
from tithe.ledger.account import Ledger, TaxItem
from tithe.ledger.breaks import Break, Diagnosis
from tithe.ledger.ledger import make_ledger

from .trees import record, span


def items(ledger: Ledger) -> dict[str, TaxItem]:
    return {item.kind: item for item in ledger.tax}


def task(*inside: Span, end: float) -> Ledger:
    return make_ledger(record(span("t", "task", 0, end, source="api"), *inside, source="api"))


def asking(id_: str, start: float, end: float, *ids: str) -> Span:
    return span(
        id_, "call", start, end, "t", sent=0.0, first_token=0.5, asked_tools=[[one, "look"] for one in ids]
    )


def test_a_retry_is_charged_whole_and_by_cause() -> None:
    ledger = task(
        span("c", "call", 0, 6, "t"),
        span("a1", "attempt", 0, 1, "c", error="429"),
        span("a2", "attempt", 3, 4, "c", error="500"),
        span("a3", "attempt", 4, 6, "c", sent=0.0, first_token=1.0),
        end=6,
    )
    retries = items(ledger)["retries"]
    assert (retries.wall_s, retries.saves_s, retries.count) == (4, 4, 2)
    assert retries.causes == (("backoff", 1, 2.0), ("429", 1, 1.0), ("500", 1, 1.0))
    assert (ledger.tax_s, ledger.work_s) == (4, 2)


def test_a_call_that_failed_without_a_further_attempt_is_no_retry() -> None:
    ledger = task(span("c", "call", 0, 2, "t"), span("a1", "attempt", 0, 2, "c", error="401"), end=2)
    assert (ledger.tax, ledger.tax_s, ledger.bucket_s("retry")) == ((), 0, 2)


def test_of_a_call_that_failed_for_good_the_last_attempt_is_no_tax() -> None:
    ledger = task(
        span("c", "call", 0, 9, "t"),
        span("a1", "attempt", 0, 1, "c", error="500"),
        span("a2", "attempt", 3, 5, "c", error="500"),
        span("a3", "attempt", 6, 9, "c", error="500"),
        end=9,
    )
    retries = items(ledger)["retries"]
    assert (retries.wall_s, retries.saves_s, retries.count) == (6, pytest.approx(6), 2)
    assert {name: (times, s) for name, times, s in retries.causes} == {"500": (2, 3), "backoff": (2, 3)}


def test_tools_that_one_answer_asked_for_need_not_run_one_after_the_other() -> None:
    ledger = task(
        asking("c1", 0, 1, "x", "y", "z"),
        span("x", "tool", 1, 3, "t", tool_call_id="x"),
        span("y", "tool", 3, 6, "t", tool_call_id="y"),
        span("z", "tool", 6, 7, "t", tool_call_id="z"),
        asking("c2", 7, 8),
        end=8,
    )
    serial = items(ledger)["serial tools"]
    assert (serial.wall_s, serial.saves_s, serial.count) == (3, 3, 1)


@pytest.mark.parametrize("y", [(2.0, 4.0), (1.0, 3.0)])
def test_tools_that_ran_at_once_are_no_tax(y: tuple[float, float]) -> None:
    ledger = task(
        asking("c1", 0, 1, "x", "y"),
        span("x", "tool", 1, 3, "t", tool_call_id="x"),
        span("y", "tool", *y, "t", tool_call_id="y"),
        asking("c2", 5, 6),
        end=6,
    )
    assert ledger.tax == ()


def test_tools_that_carry_no_id_are_told_by_their_names() -> None:
    asked = [["x", "search"], ["y", "read"]]
    ledger = task(
        span("c1", "call", 0, 1, "t", asked_tools=asked),
        span("r", "tool", 1, 3, "t", tool_name="search"),
        span("s", "tool", 3, 6, "t", tool_name="read"),
        span("c2", "call", 6, 7, "t", asked_tools=[]),
        end=7,
    )
    serial = items(ledger)["serial tools"]
    assert (serial.wall_s, serial.saves_s, serial.count) == (2, 2, 1)
    assert ledger.unchecked == ()


def test_where_nobody_knows_when_each_tool_ran_that_is_said() -> None:
    ledger = task(
        asking("c1", 0, 1, "x", "y"),
        span("r", "tool", 1, 3, "t", tool_name="fetch"),
        asking("c2", 5, 6, "v", "w"),
        span("v", "tool", 6, 7, "t", tool_call_id="v"),
        asking("c3", 8, 9, "z"),
        span("z", "tool", 9, 10, "t", tool_call_id="z"),
        asking("c4", 11, 12),
        end=12,
    )
    assert ledger.tax == ()
    [unchecked] = ledger.unchecked
    assert (unchecked.kind, unchecked.count) == ("serial tools", 2)


def test_tools_of_two_answers_may_depend_on_each_other() -> None:
    ledger = task(
        asking("c1", 0, 1, "x"),
        span("x", "tool", 1, 3, "t", tool_call_id="x"),
        asking("c2", 3, 4, "y"),
        span("y", "tool", 4, 6, "t", tool_call_id="y"),
        end=6,
    )
    assert ledger.tax == ()


def test_what_was_removed_beside_something_longer_saves_nothing() -> None:
    ledger = task(
        span("c", "call", 0, 2, "t"),
        span("a1", "attempt", 0, 1, "c", error="429"),
        span("a2", "attempt", 1, 2, "c", sent=0.0, first_token=0.5),
        span("long", "tool", 0, 5, "t"),
        end=5,
    )
    assert "retries" not in items(ledger)
    assert ledger.tax_s == 0


def test_queueing_saves_what_the_endpoint_says_it_waited() -> None:
    ledger = task(span("c", "call", 0, 4, "t", sent=0.0, queue=1.5, first_token=2.0), end=4)
    assert (items(ledger)["queueing"].saves_s, ledger.bucket_s("queue")) == (1.5, 1.5)


def test_thrown_away_work_is_tax_only_where_it_held_something_up() -> None:
    held = task(span("x", "tool", 0, 2, "t", speculative=True), span("y", "tool", 2, 3, "t"), end=3)
    assert items(held)["speculation"].saves_s == 2
    beside = task(span("x", "tool", 0, 2, "t", speculative=True), span("y", "tool", 0, 3, "t"), end=3)
    assert beside.tax == ()
    assert sum(entry.busy_s for entry in beside.entries if entry.bucket == "speculation") == 2


def test_a_lost_prefix_costs_no_more_than_the_prefill_that_it_was_in() -> None:
    found = Break(
        call="c",
        step=1,
        cause="timestamp",
        place="system",
        offset=10,
        paid_by=None,
        other_session=False,
        shared_tokens=0,
        lost_tokens=900,
        estimated=True,
        cost_s=1.5,
        sentence="",
        fix="",
    )
    spans = (span("t", "task", 0, 4, source="api"), span("c", "call", 0, 4, "t", sent=0.0, first_token=2.0))

    def lost(cost_s: float) -> TaxItem:
        priced = Break(
            **{name: getattr(found, name) for name in Break.__struct_fields__} | {"cost_s": cost_s}
        )
        diagnosis = Diagnosis(task="t", calls=(), breaks=(priced,), token_s=0.001, fitted_on="")
        return items(make_ledger(record(*spans), diagnosis))["lost prefix"]

    assert (lost(1.5).saves_s, lost(1.5).causes[0][0]) == (1.5, "timestamp")
    assert lost(9.0).saves_s == 2.0


def test_taxes_are_removed_together_once() -> None:
    ledger = task(
        span("c", "call", 0, 5, "t"),
        span("a1", "attempt", 0, 1, "c", error="429"),
        span("a2", "attempt", 1, 5, "c", sent=0.0, queue=1.0, first_token=2.0),
        end=5,
    )
    assert ledger.tax_s == pytest.approx(2.0)
    assert sum(item.wall_s for item in ledger.tax) == pytest.approx(2.0)
