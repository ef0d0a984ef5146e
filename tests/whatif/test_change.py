"""Absurd changes are refused, with what to give instead."""

from collections.abc import Sequence

import pytest

from tithe.core.errors import UsageError
from tithe.whatif.calltimes import CallSample, fit_call_times
from tithe.whatif.change import Change
from tithe.whatif.profile import Capacity, Level, Profile

LEVELS = tuple(Level(agents=n, ttft_s=0.4, decode_s=0.6, pause_s=1.0) for n in (1, 4))
BESIDE = [
    CallSample(prompt=9, decoded=9, ttft_s=0.1, decode_s=0.1, others_first=n % 2, others_rest=n % 2)
    for n in range(20)
]


def profile(capacity: Capacity | None, rounds: Sequence[CallSample] = BESIDE) -> Profile:
    times = fit_call_times("p", BESIDE if rounds else [], rounds=rounds)
    return Profile(name="p", times=times, capacity=capacity)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ttft_s": -1.0}, "ttft is -1 s"),
        ({"tokens_per_s": 0.0}, "tps is 0"),
        ({"tokens_per_s": float("nan")}, "tps is nan"),
        ({"retries": 0.95}, "retries is 0.95"),
        ({"tools": -0.5}, "tools is x-0.5"),
        ({"speedup": 0.0}, "speedup is 0"),
        ({"speedup": float("inf")}, "speedup is inf"),
        ({"candidates": 0}, "candidates is 0"),
        ({"agents": 0}, "agents is 0"),
        ({"agents": 2}, "give a profile"),
        ({"agents": 2, "profile": profile(None)}, "give a profile"),
        ({"ttft_s": 0.1, "profile": profile(None)}, "has its own TTFT"),
        (
            {"agents": 8, "profile": profile(Capacity(reached=False, levels=LEVELS))},
            "went to 4 at once",
        ),
        (
            {"agents": 2, "profile": profile(Capacity(reached=True, levels=LEVELS), BESIDE[::2])},
            "does not tell TTFT beside others: 0 calls ran beside others; it takes 8",
        ),
    ],
)
def test_what_cannot_be_is_refused(given, told):
    with pytest.raises(UsageError, match=told):
        Change(**given).check()


def test_no_change_and_agents_that_were_measured_are_fine():
    Change().check()
    Change(agents=4, profile=profile(Capacity(reached=False, levels=LEVELS))).check()
    Change(agents=8, profile=profile(Capacity(reached=True, levels=LEVELS))).check()


def test_a_profile_whose_calls_carry_no_fit_says_why():
    with pytest.raises(UsageError, match=r"TTFT could not be fitted \(0 samples"):
        profile(None, ()).check()
