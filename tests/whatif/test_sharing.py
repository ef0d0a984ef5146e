"""Agents that share an endpoint: alone nobody waits, and in the end each has its part of the capacity."""

import pytest

from tithe.whatif.calltimes import CallSample, fit_call_times
from tithe.whatif.change import Change
from tithe.whatif.described import Description, described_graph
from tithe.whatif.profile import Capacity, Level, Profile
from tithe.whatif.sharing import crowded_s, measured_error
from tithe.whatif.simulate import seconds_of, simulate


def test_below_the_knee_nobody_waits():
    assert crowded_s(1, 1.0, 1.0, 0.5) == pytest.approx(1.0, rel=0.05)
    assert crowded_s(4, 1.0, 4.0, 0.5) == pytest.approx(1.0, rel=0.05)


def test_beyond_it_a_call_takes_what_the_capacity_leaves():
    # N / R = shared / lone when no one pauses (the asymptote of Denning & Buzen).
    assert crowded_s(32, 1.0, 4.0, 0.0) == pytest.approx(8.0, rel=0.05)
    assert crowded_s(64, 0.5, 2.0, 1.0) == pytest.approx(64 * 0.5 / 2.0 - 1.0, rel=0.05)


def test_one_server_is_the_machine_repairman():
    # M/M/1 with finite population, N = 3, R = Z = 1: utilisation 1 - p0 = 15/16, and R = N / X - Z by Little's law.
    assert crowded_s(3, 1.0, 1.0, 1.0) == pytest.approx(3 / (15 / 16) - 1, rel=0.06)


def test_it_is_held_against_the_measured_curve():
    levels = tuple(Level(agents=n, step_s=max(1.0, n / 2), steps_per_s=min(n, 2.0)) for n in (1, 2, 8, 16))
    found = measured_error(Capacity(lone_s=1.0, reached=True, shared=2.0, levels=levels))
    assert [(agents, measured) for agents, _, measured in found] == [(1, 1.0), (2, 1.0), (8, 4.0), (16, 8.0)]
    assert found[-1][1] == pytest.approx(8.0, rel=0.05)
    assert measured_error(Capacity(lone_s=1.0, reached=True, shared=2.0, levels=levels[1:])) == ()


def test_agents_that_share_an_endpoint_slow_each_other_down_as_far_as_they_are_busy():
    levels = (Level(agents=1, step_s=1.0, steps_per_s=1.0),)
    shared = Profile(
        name="p",
        times=fit_call_times("p", [
            CallSample(prompt=100 + 7 * n, decoded=10 + 3 * (n % 9), ttft_s=0.6 + 1e-4 * (100 + 7 * n), decode_s=(10 + 3 * (n % 9)) / 60)
            for n in range(40)
        ]),
        capacity=Capacity(lone_s=1.0, reached=True, shared=1.0, levels=levels),
    )  # fmt: skip
    busy = described_graph(Description(steps=20, prompt=200))
    idle = described_graph(Description(steps=20, prompt=200, tool_s=200.0))
    for graph, low, high in ((busy, 7.5, 8.5), (idle, 1.0, 1.2)):
        one, eight = (
            seconds_of(simulate(graph, Change(profile=shared, agents=n), draws=20).buckets)["decode"]
            for n in (1, 8)
        )
        assert low <= eight / one <= high
