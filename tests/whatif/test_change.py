"""Absurd changes are refused, with what to give instead."""

import pytest

from tithe.core.errors import UsageError
from tithe.whatif.calltimes import fit_call_times
from tithe.whatif.change import Change
from tithe.whatif.profile import Capacity, Level, Profile

LEVELS = (Level(agents=1, step_s=1.0, steps_per_s=0.5), Level(agents=4, step_s=1.1, steps_per_s=1.8))


def profile(capacity: Capacity | None) -> Profile:
    return Profile(name="p", times=fit_call_times("p", []), capacity=capacity)


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
            {"agents": 8, "profile": profile(Capacity(lone_s=1.0, reached=False, shared=1.8, levels=LEVELS))},
            "went to 4 at once",
        ),
    ],
)
def test_what_cannot_be_is_refused(given, told):
    with pytest.raises(UsageError, match=told):
        Change(**given).check()


def test_no_change_and_agents_that_were_measured_are_fine():
    Change().check()
    Change(agents=4, profile=profile(Capacity(lone_s=1.0, reached=False, shared=1.8, levels=LEVELS))).check()


def test_a_profile_whose_calls_carry_no_fit_says_why():
    with pytest.raises(UsageError, match=r"TTFT could not be fitted \(0 samples"):
        profile(None).check()
