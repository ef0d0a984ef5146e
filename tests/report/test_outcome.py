"""How a task ended, in words: what failed comes first, what just ended says nothing, and nobody's text is obeyed."""

import io

import msgspec
import pytest
from rich.console import Console

from tithe.ledger import FailedCall, Outcome
from tithe.report.ledger_page import as_ledger_page
from tithe.report.ledger_short import print_short
from tithe.report.ledger_terminal import print_ledger
from tithe.report.outcome import outcome_headline, outcome_sentences

from .ledgers import EVIL, proxied

FAILED = FailedCall(step=3, error="server_error", status=500, attempts=1)


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (Outcome(exit_status=0), []),
        (
            Outcome(failed=FAILED, calls_failed=1),
            [
                "The task failed: its last call, step 3, got HTTP 500 (server_error), and no further attempt followed."
            ],
        ),
        (
            Outcome(failed=FAILED, recorder="killed"),
            [
                "The task failed: its last call, step 3, got HTTP 500 (server_error), and no further attempt was seen.",
                "Its recorder was killed: what came after is not known.",
            ],
        ),
        (
            Outcome(failed=FailedCall(step=None, error="Unreachable", status=None, attempts=3)),
            ["The task failed: its last call brought no answer (Unreachable), after 3 attempts."],
        ),
        (
            # A stream that broke had its 200.
            Outcome(failed=FailedCall(step=1, error="StreamBroken", status=200, attempts=1)),
            ["The task failed: its last call, step 1, brought no answer (StreamBroken)."],
        ),
        (
            Outcome(failed=FailedCall(step=2, error="client_closed", status=None, attempts=1), signal=2),
            [
                "The task ended in its last call, step 2, which was given up by the agent before an answer came.",
                "The command that it ran in was ended by SIGINT.",
            ],
        ),
        (
            Outcome(calls_failed=2, exit_status=3),
            [
                "2 calls before its last brought no answer, and it went on.",
                "The command that it ran in exited with status 3.",
            ],
        ),
        (Outcome(recorder="running"), ["Its recording still runs."]),
        (Outcome(recorder="killed"), ["Its recorder was killed: what came after is not known."]),
        (
            Outcome(unanswered=("look", "look", "read")),
            [
                "Its last answer asks for look, read, with nothing after it, as agents end whose last tool takes the answer."
            ],
        ),
    ],
)
def test_each_end_has_its_words(outcome: Outcome, says: list[str]) -> None:
    assert list(outcome_sentences(outcome)) == says


def test_the_page_leads_with_the_failure() -> None:
    assert outcome_headline(Outcome(exit_status=0)) == ()
    ledger = msgspec.structs.replace(proxied(), outcome=Outcome(failed=FAILED))
    page = as_ledger_page(ledger, None)
    assert (page.headlines[0].outcome, page.headlines[0].good) == ("failed", False)
    assert page.headlines[0].about in page.anchors


@pytest.mark.parametrize("width", [80, 120])
def test_an_end_fits_and_obeys_no_one(width: int) -> None:
    told = FailedCall(step=1, error=EVIL, status=500, attempts=1)
    ledger = msgspec.structs.replace(proxied(), outcome=Outcome(failed=told, error=EVIL, unanswered=(EVIL,)))
    out = io.StringIO()
    console = Console(file=out, width=width, no_color=True)
    print_ledger(ledger, None, console)
    print_short([(ledger, None)], console)
    shown = out.getvalue()
    assert "The task failed" in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= width


def test_a_table_of_many_has_how_they_ended() -> None:
    ends = (
        Outcome(),
        Outcome(exit_status=2),
        Outcome(failed=FAILED, exit_status=1),
        Outcome(recorder="killed"),
        Outcome(failed=FailedCall(step=1, error="client_closed", status=None, attempts=1), exit_status=0),
    )
    out = io.StringIO()
    ledgers = [(msgspec.structs.replace(proxied(), outcome=one), None) for one in ends]
    print_short(ledgers, Console(file=out, width=100, no_color=True))
    assert [one for one in ("exit 2", "failed", "cut off", "given up") if one not in out.getvalue()] == []
