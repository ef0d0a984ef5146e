"""An agent's run as it is told: while it goes on, and when it is over."""

import io

import msgspec
import pytest
from rich.console import Console

from tithe.agent import Decision, Environment, Outcome
from tithe.agent.code import Change, Changes
from tithe.agent.progress import Event, ToolUsed, WayBegun
from tithe.report.agent import print_changes, print_event, print_outcome, shown

DONE = Outcome(
    answer="mended",
    stopped="answered",
    vouched=True,
    wall_s=1.5,
    budget_s=30.0,
    steps=3,
    calls=4,
    retries=0,
    hedges=0,
    ways=1,
    tokens=0,
    faults=(),
    decisions=(),
    messages=(),
    environment=Environment(),
)


def printed(print_to, *told: object) -> str:
    console = Console(file=io.StringIO(), width=60)
    print_to(*told[:1], console, *told[1:])
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Decision(kind="step", why="plain", predicted_s=0.25), "step: plain, 250 ms expected\n"),
        (Decision(kind="accept", why="vouched for"), "accept: vouched for\n"),
        (WayBegun(number=1), ""),
        (WayBegun(number=2), "way 2, from the start in a fresh copy\n"),
        (ToolUsed(name="read", arguments={"path": "a"}, seconds=0.5, said="x"), '  read("path":"a")  500 ms\n'),
        (ToolUsed(name="run_tests", arguments={}, seconds=2, said="a\n[exit status 1]"), "  run_tests()  [exit status 1]\n"),
        (ToolUsed(name="run_tests", arguments={}, seconds=2), "  run_tests()  2.00 s, given up\n"),
        (ToolUsed(name="read", arguments={}, seconds=2, failed="There is none.\nNo."), "  read()  2.00 s\n    There is none.\n"),
    ],
)  # fmt: skip
def test_what_is_done_is_a_line(event: Event, line: str) -> None:
    assert printed(print_event, event) == line


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "mended\nDone, and vouched for; 1.50 s of 30.0 s, 3 steps, 4 calls\n"),
        ({"vouched": False, "ways": 2}, "Done, and nothing vouches for it; 1.50 s of 30.0 s, 3 steps, 4 calls, 2 ways\n"),
        ({"stopped": "out of time", "next": "review"}, "Ended: the time was up; there is an answer, and vouched for; 1.50 s"),
        ({"stopped": "out of time", "next": "review"}, "With more time: review.\n"),
        ({"answer": None, "stopped": "stuck"}, "There is no answer.\nEnded: the model went in circles; "),
    ],
)  # fmt: skip
def test_what_came_of_it_is_told(more: dict[str, object], says: str) -> None:
    assert says in printed(print_outcome, msgspec.structs.replace(DONE, **more))


def test_a_diff_is_printed_but_for_what_a_terminal_acts_on() -> None:
    change = Change(path="a[b].py", before=None, after=b"x = [1]\n\x1b]0;title\x07 end\n")
    told = printed(print_changes, Changes(changes=(change,), left_out=()))
    assert told == "--- /dev/null\n+++ b/a[b].py\n@@ -0,0 +1,2 @@\n+x = [1]\n+\\x1b]0;title\\x07 end\n"


def test_what_moves_the_cursor_is_shown_as_its_code() -> None:
    assert shown("a\x1b[2J\x9b1m\r\b\x7fb\té\n") == "a\\x1b[2J\\x9b1m\\x0d\\x08\\x7fb\té\n"
