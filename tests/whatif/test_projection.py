"""A projection has its interval, its floor and its knobs, names what it stands on, and refuses what it can't know."""

import msgspec
import pytest

from tithe.core.errors import UsageError
from tithe.whatif import (
    Call,
    Change,
    Description,
    Graph,
    Segment,
    Settings,
    Work,
    compiled,
    described_graph,
    own_call_times,
    project,
    run,
)

PLAIN = described_graph(Description(steps=10, tool_s=0.4, failed=1, retry_s=2.0))


def test_before_and_after_sum_and_the_floor_is_what_no_endpoint_touches():
    found = project([PLAIN], Change(ttft_s=0.2, tokens_per_s=200), {})
    assert sum(found.before.values()) == pytest.approx(found.before_s) == pytest.approx(25.33, abs=0.01)
    assert sum(found.after.values()) == pytest.approx(found.wall.mean) == pytest.approx(12.0)
    assert found.floor_s == pytest.approx(4.0)
    assert project([PLAIN], Change(tools=0.5), {}).floor_s == pytest.approx(2.0)


def test_the_knobs_are_sorted_by_what_a_notch_saves():
    found = project([PLAIN], Change(ttft_s=0.2, tokens_per_s=200), {})
    assert [(knob.name, round(knob.saves_s, 3)) for knob in found.knobs] == [
        ("decode", 0.4), ("tools", 0.4), ("TTFT", 0.2), ("retries", 0.2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change", [Change(), Change(speedup=50), Change(retries=0.05), Change(speedup=10, retries=0.3)]
)
def test_a_notch_saves_what_the_page_s_slider_does(change):
    graph = described_graph(Description(steps=10, tool_s=0.4, failed=1, retry_s=5.0))
    found = project([graph], change, {}, draws=100)
    program = compiled([graph], change, {}, draws=100)
    again = 0.9 * program.retries / (1 - program.retries)
    moved = {
        "TTFT": Settings(ttft_s=0.9 * (program.ttft_s or 0.0)),
        "decode": Settings(tokens_per_s=(program.tokens_per_s or 0.0) / 0.9),
        "retries": Settings(retries=again / (1 + again)),
        "tools": Settings(tools=0.9),
    }
    still = run(program, Settings()).wall_s
    assert {knob.name: knob.saves_s for knob in found.knobs} == pytest.approx(
        {name: still - run(program, put).wall_s for name, put in moved.items()}
    )
    # Of a tenth, however fast the endpoint, no more than a tenth comes.
    assert all(knob.saves_s < 0.1 * found.wall.mean for knob in found.knobs)


def test_a_mean_does_not_carry_the_noise_of_rare_failures():
    means = [project([PLAIN], Change(retries=0.05), {}, seed=seed).after["retry"] for seed in range(8)]
    assert means == pytest.approx([(6 + 800 / 60) * 0.05 / 0.95] * 8, rel=0.02)


def test_several_tasks_are_told_apart_and_together():
    found = project([PLAIN, PLAIN], Change(speedup=10, retries=0.3), {}, draws=500)
    assert len(found.tasks) == 2
    assert found.before_s == pytest.approx(2 * PLAIN.wall_s)
    assert found.wall.low < found.wall.p50 < found.wall.high
    assert found.wall.mean == pytest.approx(sum(task.wall.mean for task in found.tasks))


def test_it_says_what_it_takes_for_granted_and_how_good_its_fits_are():
    calls = [
        Call(model="m", prompt=1000 + 137 * (n % 7), cached=(n * 311) % 900, decoded=30 + 11 * (n % 5), ttft_s=0.5 + 0.001 * n, decode_s=1.0)
        for n in range(20)
    ]  # fmt: skip
    works = tuple(Work(bucket="overhead", seconds=0.1, call=call) for call in calls)
    graph = Graph(task="t", name="t", wall_s=32.19, segments=(Segment((), works),))
    found = project([graph], Change(ttft_s=0.2, verify=True, candidates=2), own_call_times([graph]))
    said = " ".join(found.assumptions)
    assert "given one" in said
    assert "scatter" in said
    assert "2 candidates" in said
    assert {(fit.what, fit.n) for fit in found.fits} == {
        ("TTFT", 20),
        ("decode", 20),
        ("TTFT beside others", 0),
        ("decode beside others", 0),
    }
    alone = project([graph], Change(ttft_s=0.2), own_call_times([graph]))
    assert {fit.what for fit in alone.fits} == {"TTFT", "decode"}
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


@pytest.mark.parametrize(
    ("graphs", "change", "told"),
    [
        ([], Change(), "No task"),
        ([Graph(task="abc", name="idle", wall_s=1.0, segments=(Segment((), ()),))], Change(), "idle .abc. has no answered LLM call"),
        ([PLAIN], Change(cache="warm"), "do not tell it"),
        ([PLAIN], Change(speedup=-1), "speedup is -1"),
    ],
)  # fmt: skip
def test_what_cannot_be_projected_is_refused(graphs, change, told):
    with pytest.raises(UsageError, match=told):
        project(graphs, change, {})
