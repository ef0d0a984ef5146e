"""A projection as it is printed: what changes, the floor, and what it stands on; within 80 columns."""

import io

import msgspec
import pytest
from rich.console import Console

from tithe.report import print_projection
from tithe.report.figures import seconds
from tithe.whatif import (
    Call,
    Change,
    Description,
    Graph,
    Projection,
    Segment,
    Work,
    described_graph,
    own_call_times,
    project,
)


def printed(found: Projection) -> str:
    out = io.StringIO()
    print_projection(found, Console(file=out, width=80, no_color=True))
    return out.getvalue()


def recorded(name: str) -> Graph:
    calls = [
        Call(model="m[red]\x1b[31m", prompt=1000 + 137 * (n % 7), decoded=30 + 11 * (n % 5), ttft_s=0.5 + 0.01 * (n % 3), decode_s=1.0)
        for n in range(20)
    ]  # fmt: skip
    works = tuple(Work(bucket="overhead", seconds=0.1, call=call) for call in calls)
    return Graph(task=name, name=name, wall_s=32.2, segments=(Segment((), works),))


def test_one_task():
    mission = described_graph(Description(steps=10, tool_s=0.4, failed=1, retry_s=2.0))
    out = printed(project([mission], Change(ttft_s=0.2, tokens_per_s=200), {}))
    assert "a described task: 25.3 s before, 12.0 s projected, 2.11 times as fast." in out
    assert next(line.split() for line in out.splitlines() if line.strip().startswith("decode ")) == [
        "decode", "13.3", "4.00", "-9.33",
    ]  # fmt: skip
    assert "at most 6.33 times as fast" in " ".join(out.split())
    assert "10 % less time a token" in out
    assert "Taken for granted" in out


def test_several_tasks_their_fits_and_names_that_a_terminal_would_obey():
    graphs = [recorded("evil\x1b[31m[bold]"), recorded("b")]
    out = printed(project(graphs, Change(ttft_s=0.1, retries=0.2), own_call_times(graphs)))
    assert "2 tasks: 64.4 s before" in out
    assert any(line.split()[:3] == ["b", "b", "20"] for line in out.splitlines())
    assert "80 % of draws" in out
    assert "TTFT of m[red]" in out
    assert "median of 40 calls" in " ".join(out.split())
    assert "\x1b" not in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_tasks_of_one_name_are_told_apart_and_no_figure_is_cut():
    graphs = [
        msgspec.structs.replace(recorded("a task with a rather long name"), task=f"{one}{'0' * 30}")
        for one in ("a1b2", "c3d4")
    ]
    out = printed(project(graphs, Change(speedup=2, retries=0.1), own_call_times(graphs)))
    table = out.split("wall clock")[0]
    assert "a1b20000" in table
    assert "c3d40000" in table
    assert "…" not in table
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_task_of_inference_alone_has_no_floor():
    out = printed(project([described_graph(Description(steps=2))], Change(speedup=3), {}))
    assert "There is no floor" in out


def test_what_was_seen_from_outside_is_an_upper_bound_and_so_is_the_floor():
    graph = recorded("a")
    [segment] = graph.segments
    works = (*segment.works, Work(bucket="tool", seconds=1.5))
    graph = msgspec.structs.replace(graph, segments=(Segment((), works),), outside=("tool",))
    out = printed(project([graph], Change(speedup=10), own_call_times([graph])))
    assert next(line.split() for line in out.splitlines() if line.strip().startswith("tool "))[1:] == [
        "≤", "1.50", "≤", "1.50",
    ]  # fmt: skip
    assert "The floor is at most 3.50 s" in out
    assert "times as fast as before, or more" in " ".join(out.split())


def test_what_is_said_to_be_projected_is_the_mean_that_the_buckets_sum_to():
    found = project([recorded("a")], Change(speedup=10, retries=0.3), own_call_times([recorded("a")]))
    assert found.wall.mean != pytest.approx(found.wall.p50, rel=1e-3)
    assert f"{seconds(found.wall.mean)} projected" in printed(found)
