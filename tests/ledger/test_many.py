import msgspec

from tithe.ledger.account import Account
from tithe.ledger.many import many_tasks
from tithe.ledger.outcome import Outcome


def account(wall_s: float, **wall: float) -> Account:
    return Account(
        task="t", name="n", started=None, wall_s=wall_s, wall=wall, busy=wall, steps=3, calls=3, retries=0, tools=0,
        input_tokens=None, cached_tokens=None, output_tokens=None,
    )  # fmt: skip


def test_shares_are_of_all_wall_clocks_together_and_a_bucket_nobody_has_is_left_out():
    found = many_tasks([account(10.0, decode=4.0, tool=6.0), account(30.0, decode=30.0)])
    assert [(one.name, one.total, one.share) for one in found.buckets] == [
        ("decode", 34.0, 0.85),
        ("tool", 6.0, 0.15),
    ]
    assert (found.wall.total, found.wall.share, found.steps.total) == (40.0, None, 6.0)
    # A task without tools has zero of them.
    assert found.buckets[1].p50.value == 3.0


def test_what_a_task_does_not_report_is_not_counted_as_zero():
    told = [account(10.0, decode=4.0, tool=6.0), account(5.0, decode=5.0)]
    untold = account(20.0, inference=8.0, unattributed=12.0)
    some = msgspec.structs.replace(account(9.0, decode=1.0, unattributed=8.0), tools=1)
    by_name = {one.name: one for one in many_tasks([*told, untold, some]).buckets}
    assert {name: one.tasks for name, one in by_name.items()} == {
        "inference": 4, "decode": 3, "tool": 3, "unattributed": 4,
    }  # fmt: skip
    assert by_name["decode"].p50.value == 4.0  # of 4, 5 and 1
    assert by_name["tool"].p50.value == 0.0  # of 6, 0 and 0
    assert by_name["inference"].p50.value == 0.0
    assert by_name["tool"].share == 6.0 / 44.0


def test_p95_takes_twenty_tasks():
    accounts = [account(float(n), decode=float(n)) for n in range(1, 21)]
    assert many_tasks(accounts[:19]).wall.p95 is None
    p95 = many_tasks(accounts).wall.p95
    assert p95 is not None
    assert p95.high is None  # twenty tasks don't cover its upper end
    assert many_tasks(accounts).wall.p50.low == 6.0  # the 6th and the 15th of 20


def test_what_is_pooled_is_named_and_those_that_ended_badly_are_counted():
    named = [
        msgspec.structs.replace(account(1.0, decode=1.0), name=name, outcome=Outcome(exit_status=status))
        for name, status in (("a", 0), ("b", 1), ("b", None))
    ]
    found = many_tasks(named)
    assert (found.names, found.failed) == ((("b", 2), ("a", 1)), 1)


def test_no_tasks_are_no_figures():
    found = many_tasks([])
    assert (found.wall.p50, found.buckets, found.steps.total) == (None, (), 0)
