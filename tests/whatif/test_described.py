"""A described task gives the mission's own figures."""

import pytest

from tithe.core.errors import UsageError
from tithe.whatif.change import Change
from tithe.whatif.described import Description, described_graph
from tithe.whatif.simulate import seconds_of, simulate

MISSION = Description(steps=10, out=80, tool_s=0.4, failed=1, retry_s=2.0, ttft_s=0.6, tokens_per_s=60)


def test_the_missions_task_takes_25_seconds_and_12_with_the_faster_model():
    graph = described_graph(MISSION)
    before = simulate(graph, Change())
    assert seconds_of(before.buckets) == pytest.approx(
        {"prefill": 6.0, "decode": 800 / 60, "tool": 4.0, "retry": 2.0}
    )
    assert before.wall[0] == pytest.approx(25.33, abs=0.01) == graph.wall_s
    after = simulate(graph, Change(ttft_s=0.2, tokens_per_s=200))
    assert seconds_of(after.buckets) == pytest.approx(
        {"prefill": 2.0, "decode": 4.0, "tool": 4.0, "retry": 2.0}
    )
    assert after.wall[0] == pytest.approx(12.0)


@pytest.mark.parametrize(("failed", "wall"), [(0, 25.3), (1, 30.3), (2, 35.3)])
def test_a_retry_of_five_seconds_costs_half_of_one_at_ten_times_the_speed(failed, wall):
    graph = described_graph(Description(steps=10, tool_s=0.4, overhead_s=0.2, failed=failed, retry_s=5.0))
    assert simulate(graph, Change()).wall[0] == pytest.approx(wall, abs=0.05)
    fast = seconds_of(simulate(graph, Change(speedup=10)).buckets)
    assert fast.get("retry", 0.0) == pytest.approx(0.5 * failed)


def test_failures_are_spread_and_prompts_grow():
    calls = described_graph(
        Description(steps=4, out=50, prompt=1000, result=200, failed=2, retry_s=1.0)
    ).calls
    assert [call.failures for call in calls] == [0, 1, 0, 1]
    assert [(call.prompt, call.cached) for call in calls] == [
        (1000, 0),
        (1250, 1050),
        (1500, 1300),
        (1750, 1550),
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"steps": 3, "out": -1}, "out is -1"),
        ({"steps": 3, "out": 10**22}, "out is 1000"),
        ({"steps": 3, "failed": 10**11}, "failed is 100000000000"),
        ({"steps": 3, "tool_s": -1.0}, "tool_time is -1 s"),
        ({"steps": 3, "retry_s": float("inf")}, "retry_time is inf s"),
        ({"steps": 3, "ttft_s": float("inf")}, "base_ttft is inf s"),
        ({"steps": 3, "tokens_per_s": float("nan")}, "base_tps is nan"),
        ({"steps": 3, "tokens_per_s": float("inf")}, "base_tps is inf"),
        ({"steps": 3, "tokens_per_s": 0.0}, "base_tps is 0"),
    ],
)
def test_what_no_task_can_have_is_refused(given, told):
    with pytest.raises(UsageError, match=told):
        described_graph(Description(**given))
