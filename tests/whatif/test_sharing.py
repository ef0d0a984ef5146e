"""Agents that share an endpoint: the simulation against what is known exactly, and against a measured curve."""

import math

import pytest

from tithe.whatif.beside import Beside
from tithe.whatif.calltimes import CallSample, fit_call_times
from tithe.whatif.change import Change
from tithe.whatif.described import Description, described_graph
from tithe.whatif.profile import Capacity, Level, Profile
from tithe.whatif.sharing import Stage, crowded, measured_error
from tithe.whatif.simulate import seconds_of, simulate


def law(share: float, free: float = 0.0) -> Beside:
    return Beside(what="decode beside others", share=share, free=free)


def servers(count: int) -> Beside:
    """So many servers that the calls share."""
    return law(1 / count, count - 1)


def call_s(agents: int, stages: tuple[Stage, ...], pause_s: float) -> float:
    slow = crowded(agents, stages, pause_s)
    return sum(stage.seconds * times for stage, times in zip(stages, slow, strict=True))


def exact_s(agents: int, stages: tuple[Stage, ...], pause_s: float) -> float:
    """The mean seconds of a call by the closed network's product form: p(n) ~ Z^(N-n) / (N-n)! * prod of R(k) / k, R = N / X - Z."""
    weights = []
    for count in range(agents + 1):
        each = (
            sum(stage.seconds * float(stage.law.slowdown(float(n - 1))) for stage in stages) / n
            for n in range(1, count + 1)
        )
        weights.append(math.prod(each) * pause_s ** (agents - count) / math.factorial(agents - count))
    pausing = sum((agents - n) * weight for n, weight in enumerate(weights)) / sum(weights)
    return agents * pause_s / pausing - pause_s


@pytest.mark.parametrize("agents", [1, 2, 5, 12])
@pytest.mark.parametrize(
    "stages",
    [
        (Stage(1.0, servers(1)),),
        (Stage(1.0, servers(3)),),
        (Stage(0.7, law(0.4)),),
        (Stage(0.2, law(0.1)), Stage(1.1, law(0.6, 2.0))),
    ],
)
@pytest.mark.parametrize("pause_s", [0.2, 2.0])
def test_it_is_the_closed_network_that_has_a_product_form(agents, stages, pause_s):
    assert call_s(agents, stages, pause_s) == pytest.approx(exact_s(agents, stages, pause_s), rel=0.06)


def test_one_server_is_the_machine_repairman():
    # M/M/1 with finite population, N = 3, R = Z = 1: utilisation 1 - p0 = 15/16, and R = N / X - Z by Little's law.
    known = 3 / (15 / 16) - 1
    assert exact_s(3, (Stage(1.0, servers(1)),), 1.0) == pytest.approx(known)
    assert call_s(3, (Stage(1.0, servers(1)),), 1.0) == pytest.approx(known, rel=0.06)


def test_below_the_knee_nobody_waits_and_far_beyond_it_the_capacity_is_shared():
    assert call_s(4, (Stage(1.0, servers(4)),), 0.5) == pytest.approx(1.0)
    # N / R = c / R(1) when no one pauses (the asymptote of Denning & Buzen).
    assert call_s(32, (Stage(1.0, servers(4)),), 0.0) == pytest.approx(8.0)
    assert call_s(64, (Stage(0.5, servers(2)),), 1.0) == pytest.approx(64 * 0.5 / 2.0 - 1.0, rel=0.05)


def test_each_part_of_a_call_is_slowed_down_by_its_own_law():
    first, rest = crowded(8, (Stage(1.0, law(0.0)), Stage(1.0, law(0.5))), 0.1)
    assert first == pytest.approx(1.0)
    assert 3.0 < rest <= 4.5


def profile(share: float, *, levels: tuple[Level, ...]) -> Profile:
    samples = [
        CallSample(
            prompt=100 + 7 * n,
            decoded=10 + 3 * (n % 9),
            ttft_s=0.6 + 1e-4 * (100 + 7 * n),
            decode_s=(10 + 3 * (n % 9)) / 60,
        )
        for n in range(40)
    ]
    rounds = [
        CallSample(
            prompt=200,
            decoded=60,
            others_first=n % 4,
            others_rest=n % 4,
            ttft_s=0.62 * (1 + share * (n % 4)),
            decode_s=1 + share * (n % 4),
        )
        for n in range(40)
    ]
    return Profile(
        name="p",
        times=fit_call_times("p", samples, rounds=rounds),
        capacity=Capacity(reached=True, levels=levels),
    )


def test_it_is_held_against_the_measured_curve():
    levels = tuple(
        Level(agents=n, ttft_s=0.5 * (1 + 0.5 * (n - 1)), decode_s=1 + 0.5 * (n - 1), pause_s=0.0)
        for n in (1, 2, 8)
    )
    found = measured_error(profile(0.5, levels=levels))
    assert [(agents, measured) for agents, _, measured in found] == [(1, 1.5), (2, 2.25), (8, 6.75)]
    assert [simulated for _, simulated, _ in found] == pytest.approx([1.5, 2.25, 6.75])
    assert measured_error(profile(0.5, levels=levels[1:])) == ()


def test_agents_that_share_an_endpoint_slow_each_other_down_as_far_as_they_are_busy():
    shared = profile(1.0, levels=(Level(agents=1, ttft_s=0.6, decode_s=1.0, pause_s=0.1),))
    busy = described_graph(Description(steps=20, prompt=200))
    idle = described_graph(Description(steps=20, prompt=200, tool_s=200.0))
    for graph, low, high in ((busy, 7.5, 8.5), (idle, 1.0, 1.2)):
        one, eight = (
            seconds_of(simulate(graph, Change(profile=shared, agents=n), draws=20).buckets)["decode"]
            for n in (1, 8)
        )
        assert low <= eight / one <= high
