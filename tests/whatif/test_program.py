"""A program says what the projection says: as projected to the last digit, and moved what a task with such calls takes."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger.trees import span_trees

from tithe.trace.buckets import BUCKETS
from tithe.trace.tree import build_tree
from tithe.whatif.beside import Beside
from tithe.whatif.calltimes import CallSample, fit_call_times, own_call_times
from tithe.whatif.change import Change
from tithe.whatif.described import Description, described_graph
from tithe.whatif.graph import Call, Graph, Segment, Work, graph_of
from tithe.whatif.profile import Capacity, Level, Profile
from tithe.whatif.program import Result, Settings, compiled, run
from tithe.whatif.projection import Projection, project
from tithe.whatif.simulate import simulate

from .test_simulate import recorded


def same(found: Result, wall_s: float, buckets: dict[str, float]) -> None:
    told = {bucket: value for bucket, value in zip(BUCKETS, found.buckets, strict=True) if value > 1e-12}
    assert found.wall_s == pytest.approx(wall_s, rel=1e-9, abs=1e-9)
    assert sum(found.buckets) == pytest.approx(wall_s, rel=1e-9, abs=1e-9)
    assert told == pytest.approx(
        {name: value for name, value in buckets.items() if value > 1e-12}, rel=1e-9, abs=1e-9
    )


def as_projected(graphs: list[Graph], change: Change) -> tuple[Result, Projection]:
    own = own_call_times(graphs)
    return run(compiled(graphs, change, own), Settings()), project(graphs, change, own)


PROFILE = Profile(
    name="p",
    times=fit_call_times(
        "p",
        [
            CallSample(
                prompt=200 * n,
                cached=60 * (n % 5),
                decoded=10 * n,
                ttft_s=0.05 + 0.01 * n,
                decode_s=n / (25 + n % 7),
            )
            for n in range(1, 30)
        ],
    ),
)
SHARED = msgspec.structs.replace(
    PROFILE,
    times=msgspec.structs.replace(
        PROFILE.times,
        ttft_beside=Beside(what="TTFT beside others", share=0.3),
        decode_beside=Beside(what="decode beside others", share=0.1),
    ),
    capacity=Capacity(
        reached=True, levels=tuple(Level(agents=n, ttft_s=0.4, decode_s=0.6, pause_s=1.0) for n in (1, 4))
    ),
)
FAILED = Call(failures=2, failed_s=3.0, backoff_s=1.0, place=99)


def with_failures(graph: Graph) -> Graph:
    """The same with two failures of one call, and another call that gave up."""
    [segment] = graph.segments
    first, *others = segment.works
    assert first.call is not None
    call = msgspec.structs.replace(first.call, failures=2, failed_s=1.5, backoff_s=0.5)
    works = (
        msgspec.structs.replace(first, call=call),
        *others,
        Work(bucket="overhead", seconds=0.1, call=FAILED),
    )
    return msgspec.structs.replace(graph, segments=(Segment((), works),))


def in_one_piece(graph: Graph) -> Graph:
    """The same, with every other answer in one piece."""
    [segment] = graph.segments
    works = [
        msgspec.structs.replace(
            work,
            call=msgspec.structs.replace(
                call, ttft_s=None, decode_s=None, whole_s=(call.ttft_s or 0) + (call.decode_s or 0)
            ),
        )
        if (call := work.call) is not None and call.place % 2
        else work
        for work in segment.works
    ]
    return msgspec.structs.replace(graph, segments=(Segment((), tuple(works)),))


@pytest.mark.parametrize(
    "shape", [lambda one: one, with_failures, in_one_piece], ids=["plain", "failures", "in one"]
)
@pytest.mark.parametrize(
    "change",
    [
        Change(),
        Change(ttft_s=0.2),
        Change(tokens_per_s=300, retries=0.2),
        Change(cache="warm", speedup=4),
        Change(profile=PROFILE, tools=0.5),
        Change(profile=PROFILE, verify=True, speedup=3, candidates=3),
        Change(verify=True, ttft_s=0.1, parallel_tools=True, retries=0.1, candidates=2),
        Change(speedup=10, candidates=7),
        Change(profile=SHARED, agents=6, candidates=2),
    ],
    ids=lambda change: ", ".join(
        name for name in change.__struct_fields__ if getattr(change, name) != getattr(Change(), name)
    )
    or "nothing",
)  # fmt: skip
def test_a_task_in_series_takes_what_it_is_projected_to(shape, change):
    found, projection = as_projected([shape(recorded(20)), recorded(7)], change)
    same(found, projection.wall.mean, projection.after)


@settings(deadline=None, max_examples=60)
@given(span_trees(), st.floats(0.2, 5), st.floats(0.2, 5), st.floats(0, 5), st.booleans())
def test_moved_it_is_the_task_with_such_calls(spans, ttft, rate, tools, parallel):
    graph = graph_of(build_tree(spans), task="t", name="t")
    change = Change(parallel_tools=parallel)
    program = compiled([graph], change, {})
    at = Settings(
        ttft_s=None if program.ttft_s is None else program.ttft_s * ttft,
        tokens_per_s=None if program.tokens_per_s is None else program.tokens_per_s * rate,
        tools=tools,
    )
    if program.tokens_per_s is None:
        rate = 1.0
    expected = simulate(scaled(graph, ttft, rate), msgspec.structs.replace(change, tools=tools))
    found = run(program, at)
    assert found.wall_s == pytest.approx(float(expected.wall[0]), rel=1e-9, abs=1e-9)
    assert sum(found.buckets) == pytest.approx(found.wall_s, rel=1e-9, abs=1e-9)


def scaled(graph: Graph, ttft: float, rate: float) -> Graph:
    """The graph with those times at its calls."""

    def times(call: Call) -> Call:
        if call.ttft_s is None:
            return call
        return msgspec.structs.replace(
            call,
            ttft_s=call.ttft_s * ttft,
            queue_s=call.queue_s * ttft,
            decode_s=None if call.decode_s is None else call.decode_s / rate,
        )

    segments = tuple(
        Segment(
            segment.after,
            tuple(
                work if work.call is None else msgspec.structs.replace(work, call=times(work.call))
                for work in segment.works
            ),
        )
        for segment in graph.segments
    )
    return msgspec.structs.replace(graph, segments=segments)


MISSION = described_graph(Description(steps=10, tool_s=0.4, failed=1, retry_s=2.0))


def test_the_missions_example():
    program = compiled([MISSION], Change(), {})
    assert (program.ttft_s, program.tokens_per_s) == pytest.approx((0.6, 60.0))
    assert program.retries == pytest.approx(1 / 11)
    assert run(program, Settings()).wall_s == pytest.approx(25.333, abs=1e-3)
    assert run(program, Settings(ttft_s=0.2, tokens_per_s=200)).wall_s == pytest.approx(12.0)
    assert run(program, Settings(ttft_s=0.2, tokens_per_s=200, retries=0.0)).wall_s == pytest.approx(10.0)
    assert run(program, Settings(tools=0.0)).wall_s == pytest.approx(21.333, abs=1e-3)


def test_failures_that_were_recorded_are_scaled_and_where_there_were_none_they_take_what_calls_take():
    program = compiled([MISSION], Change(), {})
    # Two failures to ten answers in place of one.
    assert run(program, Settings(retries=2 / 12)).wall_s == pytest.approx(27.333, abs=1e-3)
    # They are not calls' time, so another TTFT is none to them.
    assert run(program, Settings(retries=2 / 12, ttft_s=0.2)).wall_s == pytest.approx(23.333, abs=1e-3)
    never = compiled([described_graph(Description(steps=10, tool_s=0.4))], Change(), {})
    assert never.retries == 0.0
    assert run(never, Settings(retries=0.5)).wall_s == pytest.approx(10 * (2 * (0.6 + 80 / 60) + 0.4))
    faster = run(never, Settings(retries=0.5, ttft_s=0.2, tokens_per_s=200))
    assert faster.wall_s == pytest.approx(10 * (2 * 0.6 + 0.4))


def test_given_failures_go_by_the_calls_times():
    program = compiled([described_graph(Description(steps=1000, tool_s=0.4))], Change(retries=0.2), {})
    assert program.retries == 0.2
    assert run(program, Settings(retries=0.5)).wall_s == pytest.approx(
        1000 * (2 * (0.6 + 80 / 60) + 0.4), rel=0.01
    )


def test_the_flags_are_where_the_sliders_stand():
    graph = recorded(20)
    own = own_call_times([graph])
    program = compiled([graph], Change(ttft_s=0.2, tokens_per_s=100, speedup=2, tools=0.5), own)
    assert (program.ttft_s, program.tokens_per_s, program.tools) == (0.1, 200.0, 0.5)
    half = run(program, Settings(ttft_s=0.05))
    projected = project([graph], Change(ttft_s=0.1, tokens_per_s=100, speedup=2, tools=0.5), own)
    same(half, projected.wall.mean, projected.after)


def test_candidates_take_as_much_longer_as_the_draws_say():
    graph = recorded(20, scatter=0.4)
    own = own_call_times([graph])
    program = compiled([graph], Change(), own)
    [task] = program.tasks
    assert list(task.slower) == sorted(task.slower)
    assert task.slower[0] == 1.0
    assert task.slower[2] > 1.05
    projected = project([graph], Change(candidates=3), own)
    assert run(program, Settings(candidates=3)).wall_s == pytest.approx(projected.wall.mean, rel=1e-9)
    back = compiled([graph], Change(candidates=3), own)
    assert run(back, Settings(candidates=1)).wall_s == pytest.approx(
        run(program, Settings()).wall_s, rel=1e-9
    )


def test_branches_at_once_fall_short_of_the_projection_and_each_is_waited_for_in_turn():
    works = recorded(30, scatter=0.5).segments[0].works
    # Two branches with the same calls, so that now one and now the other is slower.
    branches = (
        Segment((), works[:2]),
        Segment((0,), works),
        Segment((0,), works),
        Segment((1, 2), works[:2]),
    )
    graph = Graph(task="t", name="t", wall_s=1.0, segments=branches)
    found, projection = as_projected([graph], Change(speedup=2))
    assert 0.8 * projection.wall.mean < found.wall_s < projection.wall.mean
    tools = compiled([graph], Change(), own_call_times([graph]))
    for at in (Settings(ttft_s=0.01), Settings(tokens_per_s=1.0), Settings(tools=9.0)):
        assert sum(run(tools, at).buckets) == pytest.approx(run(tools, at).wall_s)


def test_one_task_of_several_alone():
    program = compiled([MISSION, recorded(7)], Change(), {})
    walls = [run(program, Settings(), task).wall_s for task in (0, 1)]
    assert run(program, Settings()).wall_s == pytest.approx(sum(walls))
    assert walls[0] == pytest.approx(25.333, abs=1e-3)


def test_a_call_of_which_nothing_but_the_whole_is_known_is_not_touched():
    call = Call(whole_s=2.0, decoded=50)
    graph = Graph(
        task="t",
        name="t",
        wall_s=2.0,
        segments=(Segment((), (Work(bucket="overhead", seconds=0.0, call=call),)),),
    )
    program = compiled([graph], Change(), {})
    assert (program.ttft_s, program.tokens_per_s, program.undivided) == (None, None, 1)
    assert run(program, Settings(ttft_s=0.1, tokens_per_s=1000.0)).wall_s == 2.0
    assert run(program, Settings(retries=0.5)).wall_s == pytest.approx(4.0)
