import asyncio
import dataclasses

import pytest

from tithe.audit.observation import Observation, Stamp
from tithe.audit.plan import AuditPlan
from tithe.audit.spending import Spending, foreseen, needs
from tithe.core import FakeClock, Usage

SEEN = Observation(
    label="x",
    begun=0.0,
    ended=1.0,
    sent=0.0,
    stamps=(Stamp(0.5, "text"), Stamp(0.6, "text")),
    usage=Usage(prompt_tokens=70, completion_tokens=30),
)


def spending(**limits: float | None) -> tuple[Spending, FakeClock]:
    none = {"max_time": None, "max_tokens": None, "max_requests": None}
    clock = FakeClock()
    return Spending(dataclasses.replace(AuditPlan(), **none | limits), clock), clock  # type: ignore[arg-type]


def book(account: Spending, seen: Observation = SEEN, prompt_tokens: float = 0.0) -> None:
    account.begin()
    account.add(seen, prompt_tokens)


def test_what_was_reported_is_booked_and_what_was_not_is_estimated() -> None:
    account, _ = spending()
    book(account, SEEN, 50.0)
    assert (account.spent("tokens"), account.spent("requests")) == (100, 1)
    unreported = Observation(label="x", begun=0.0, ended=1.0, stamps=SEEN.stamps)
    book(account, unreported, 50.0)
    assert (account.spent("tokens"), account.spent("requests")) == (152, 2)


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        ({}, None),
        ({"max_requests": 3}, "requests"),
        ({"max_tokens": 300}, "tokens"),
        ({"max_tokens": 301}, None),
    ],
)
def test_a_limit_is_reached_when_that_much_is_spent(limits: dict[str, float], reached: str | None) -> None:
    account, _ = spending(**limits)
    for _ in range(2):
        book(account)
    assert account.exhausted() is None
    book(account)
    assert account.exhausted() == reached


def test_a_measurement_has_its_share_of_what_is_left_and_leaves_the_rest_to_the_others() -> None:
    account, _ = spending(max_requests=20)
    account.share([{}] * 4)
    for spent in range(5):
        assert account.share_exhausted() is None, spent
        book(account)
    assert (account.share_exhausted(), account.exhausted()) == ("requests", None)
    # 15 are left: the next of three has five again; it takes one, and the next of two has seven.
    account.share([{}] * 3)
    book(account)
    assert account.share_exhausted() is None
    account.share([{}] * 2)
    for _ in range(7):
        assert account.share_exhausted() is None
        book(account)
    assert account.share_exhausted() == "requests"


async def test_time_is_the_clocks() -> None:
    account, clock = spending(max_time=10.0)

    async def work() -> None:
        account.share([{}] * 2)
        await clock.sleep(4.9)
        assert account.share_exhausted() is None
        await clock.sleep(0.2)
        assert (account.share_exhausted(), account.exhausted()) == ("time", None)
        await clock.sleep(5.0)
        assert account.exhausted() == "time"

    await clock.run(asyncio.ensure_future(work()), idle_turns=8)


def test_each_has_its_least_and_an_equal_part_of_the_surplus() -> None:
    account, _ = spending(max_requests=40)
    wanted = [{"requests": 6.0}, {"requests": 14.0}]
    assert account.share(wanted) is None
    for spent in range(16):
        assert account.share_exhausted() is None, spent
        book(account)
    assert account.share_exhausted() == "requests"


def test_what_is_too_little_for_one_goes_to_those_it_is_enough_for() -> None:
    account, _ = spending(max_requests=20)
    wanted = [{"requests": 8.0}, {"requests": 16.0}, {"requests": 9.0}]
    assert account.share(wanted) is None
    for _ in range(9):
        book(account)
    assert account.share(wanted[1:]) == (
        "--max-requests 20 leaves 11 calls for it, and it takes at least 16."
    )
    assert account.share(wanted[2:]) is None
    for _ in range(10):
        book(account)
    assert "leaves 1 call for it" in str(account.share(wanted[2:]))


def test_the_least_of_each_measurement_and_what_a_limit_is_too_small_for() -> None:
    plan = AuditPlan()
    # Three lengths: a prime and a pair each. Three primes of the task and a run of five steps.
    assert [need["requests"] for need in needs(plan)] == [9, 6, 8, 16, 8]
    assert foreseen(plan) == ()
    assert foreseen(dataclasses.replace(plan, max_requests=5 + 9 + 6 + 8 + 8)) == ("concurrency",)
    assert foreseen(dataclasses.replace(plan, max_requests=5 + 9 + 6 + 8 + 16 + 8)) == ()
    assert foreseen(dataclasses.replace(plan, max_tokens=14_000))[0] == "totals"
