"""What is printed of a difference: the sentence holds what the tables do, and nothing is lost at 80 columns."""

import re

import msgspec
from rich.console import Console

from tithe.ledger import Account, Difference, difference
from tithe.ledger.outcome import Outcome
from tithe.report import print_difference
from tithe.report.difference import headline


def account(**told: float) -> Account:
    """Calls of prefill and decode, and tools; seconds each, and how many."""
    calls, tools = int(told.get("calls", 4)), int(told.get("tools", 3))
    wall = {
        "prefill": calls * told.get("prefill", 0.5),
        "decode": calls * told.get("decode", 1.0),
        "tool": tools * told.get("tool", 1.0),
        "user": told.get("user", 0.0),
    }
    return Account(
        task="t", name="n", started=None, wall_s=sum(wall.values()), wall=wall,  # pyright: ignore[reportArgumentType]
        busy=wall, steps=calls, calls=calls, retries=0, tools=tools, input_tokens=1000 * calls, cached_tokens=None,  # pyright: ignore[reportArgumentType]
        output_tokens=int(told.get("output", 100)) * calls,
    )  # fmt: skip


def printed(found: Difference, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        print_difference(found, console)
    return captured.get()


def test_the_sentence_tells_more_and_slower_apart_and_why():
    assert headline(difference(account(), account(calls=7, decode=2.2, output=150))) == (
        "B takes 12.9 s more, 21.9 s against 9.00 s: 3 more calls (+6.30 s), each 1.20 s slower "
        "(+6.60 s: +3.39 s by more tokens, +3.21 s by slower work)."
    )
    assert headline(difference(account(tools=3), account(tools=2, user=0.25))) == (
        "B takes 750 ms less, 8.25 s against 9.00 s: 1 fewer tool run (-1.00 s), more user (+250 ms)."
    )
    assert headline(difference(account(), account(decode=0.5))) == (
        "B takes 2.00 s less, 7.00 s against 9.00 s: calls each 500 ms faster (-2.00 s)."
    )


def test_what_did_not_change_is_said_and_what_cancels_out_too():
    assert headline(difference(account(), account())) == "B takes as long as A: 9.00 s against 9.00 s."
    even = headline(difference(account(), account(prefill=1.0, decode=0.5)))
    assert even.startswith("B takes as long as A: 9.00 s")
    moved = headline(difference(account(), account(decode=1.5, tools=1)))
    assert moved.startswith("B takes as long as A (9.00 s against 9.00 s), although: ")
    assert "2 fewer tool runs (-2.00 s)" in moved


def test_a_group_whose_interval_holds_zero_is_not_said_to_differ():
    a = [account(decode=1 + 0.1 * n) for n in range(8)]
    b = [account(decode=1 + 0.1 * n, prefill=0.505) for n in range(8)]
    assert headline(difference(a, b)).endswith(
        "The interval holds zero: that there is a difference is not shown."
    )
    assert "not shown" not in headline(difference(a, [account(decode=5 + 0.1 * n) for n in range(8)]))


def test_a_side_that_ended_badly_is_not_told_as_faster_without_saying_so():
    broke_off = msgspec.structs.replace(account(calls=2), outcome=Outcome(error="TimeoutError"))
    told = "B takes 3.00 s less, 6.00 s against 9.00 s (B ended badly): 2 fewer calls"
    assert headline(difference(account(), broke_off)).startswith(told)
    assert "on the mean (of B 1 ended badly)" in headline(difference([account()] * 2, [account(), broke_off]))


def test_bounds_are_marked_and_not_said_to_be_faster():
    seen = [msgspec.structs.replace(one, outside=("tool",)) for one in (account(tool=1.0), account(tool=0.5))]
    found = difference(*seen)
    assert headline(found).endswith(": tool runs each ≤ 500 ms against ≤ 1.00 s (-1.50 s, from outside).")
    out = printed(found)
    assert re.search(r"tools +3 +≤ 3.00 +≤ 1.50 +-1.50", out)
    assert "≤: seen from outside, so an upper bound" in out
    assert "≤" not in printed(difference(account(tool=1.0), account(tool=0.5)))


def test_the_tables_fit_80_columns_with_intervals_and_cut_nothing():
    a = [account(calls=4 + n % 3, decode=1 + 0.03 * n) for n in range(12)]
    b = [account(calls=5 + n % 4, decode=1.7 + 0.03 * n, output=133, tools=5) for n in range(12)]
    out = printed(difference(a, b, names=("the old prompt", "the new prompt")))
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "…" not in out
    for said in (
        "the old prompt",
        "12 tasks",
        "wall clock",
        "decode: output tokens a call",
        "95 %",
        "Means a task",
    ):
        assert said in out
    assert re.search(r"calls +5 → 6\.50 .*\+\d+\.\d+ \[\+", out)


def test_two_single_tasks_are_said_to_differ_by_chance_perhaps():
    assert "may be chance" in printed(difference(account(), account(calls=5)))
    assert "Fewer than three" in printed(difference([account(), account()], account(calls=5)))


def test_names_are_text_and_nothing_a_terminal_obeys():
    out = printed(difference(account(), account(calls=5), names=("[red]x[/red]\x1b[31m", "b")))
    assert "[red]x[/red] [31m" in out
    assert "\x1b[31m" not in out
