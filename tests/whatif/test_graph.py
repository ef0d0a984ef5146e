"""The graph of a task: timed again with nothing changed it takes what it took, whatever its spans."""

import msgspec
import pytest
from hypothesis import given, settings
from tests.ledger.trees import record, span, span_trees

from tithe.ledger import make_account
from tithe.trace.tree import build_tree
from tithe.whatif.change import Change
from tithe.whatif.graph import Graph, graph_of
from tithe.whatif.projection import project
from tithe.whatif.simulate import seconds_of, simulate

SERIAL = (
    span("task", "task", 0.0, 10.0, name="shop", source="api"),
    span("c1", "call", 1.0, 4.0, "task", sent=0.1, first_token=1.1, last_token=2.9, input_tokens=100,
         cache_read_tokens=40, output_tokens=19, asked_tools=[["a", "find"], ["b", "buy"]]),
    span("t1", "tool", 4.5, 6.0, "task", tool_call_id="a"),
    span("t2", "tool", 6.0, 6.5, "task", tool_call_id="b"),
    span("c2", "call", 7.0, 9.5, "task", first_token=1.0, last_token=2.5, output_tokens=31, input_tokens=180),
)  # fmt: skip


def graph(*spans) -> Graph:
    return graph_of(build_tree(spans), task="t", name="t")


@settings(deadline=None)
@given(span_trees())
def test_with_nothing_changed_it_takes_what_it_took(spans):
    made = graph(*spans)
    again = simulate(made, Change())
    assert again.wall[0] == pytest.approx(made.wall_s, rel=1e-9, abs=1e-6)
    assert again.buckets[0].sum() == pytest.approx(made.wall_s, rel=1e-9, abs=1e-6)


def test_a_serial_task_is_one_segment_with_the_ledgers_buckets():
    made = graph(*SERIAL)
    assert len(made.segments) == 1
    account = make_account(record(*SERIAL))
    assert seconds_of(simulate(made, Change()).buckets) == pytest.approx(account.wall)


def test_a_call_has_its_tokens_and_times():
    first, second = graph(*SERIAL).calls
    assert (first.prompt, first.cached, first.decoded, first.place) == (100, 40, 18, 0)
    assert (first.ttft_s, first.decode_s, first.asks_tools) == (pytest.approx(1.0), pytest.approx(1.8), True)
    assert (second.cached, second.decoded, second.place) == (None, 30, 1)


def test_what_ran_at_once_is_waited_for_by_what_came_after():
    made = graph(
        span("task", "task", 0.0, 9.0, source="api"),
        span("c1", "call", 0.0, 1.0, "task", first_token=0.5, last_token=1.0, output_tokens=11),
        span("t1", "tool", 1.0, 4.0, "task"),
        span("t2", "tool", 1.0, 6.0, "task"),
        span("c2", "call", 6.0, 9.0, "task", first_token=1.0, last_token=3.0, output_tokens=11),
    )
    assert seconds_of(simulate(made, Change()).buckets)["tool"] == pytest.approx(5.0)
    assert simulate(made, Change(tools=2.0)).wall[0] == pytest.approx(14.0)


def test_failed_attempts_and_backoff_are_told_apart():
    [call] = graph(
        span("task", "task", 0.0, 6.0),
        span("c", "call", 0.0, 6.0, "task"),
        span("a1", "attempt", 0.0, 1.0, "c", error="429"),
        span("a2", "attempt", 3.0, 6.0, "c", first_token=1.0, last_token=3.0, output_tokens=5),
    ).calls
    assert (call.failures, call.failed_s, call.backoff_s) == (1, pytest.approx(1.0), pytest.approx(2.0))
    assert (call.ttft_s, call.decode_s) == (pytest.approx(1.0), pytest.approx(2.0))


def test_an_answer_in_one_piece_is_not_told_apart_and_a_failed_call_has_no_answer():
    one, lost = graph(
        span("task", "task", 0.0, 6.0),
        span("c", "call", 0.0, 2.0, "task", output_tokens=5),
        span("d", "call", 3.0, 6.0, "task", error="timeout"),
    ).calls
    assert (one.ttft_s, one.whole_s, one.answered) == (None, pytest.approx(2.0), True)
    assert (lost.answered, lost.failures, lost.failed_s) == (False, 1, pytest.approx(3.0))


def test_calls_of_branches_are_lines_of_their_own_and_count_what_runs_beside_them():
    calls = graph(
        span("task", "task", 0.0, 9.0),
        span("c1", "call", 0.0, 1.0, "task", output_tokens=1),
        span("b1", "branch", 1.0, 5.0, "task"),
        span("b2", "branch", 1.0, 5.0, "task"),
        span("c2", "call", 1.0, 5.0, "b1", output_tokens=1),
        span("c3", "call", 2.0, 5.0, "b2", output_tokens=1),
    ).calls
    assert sorted(call.others_first for call in calls) == [0.0, 0.75, 1.0]
    assert [call.others_rest for call in calls] == [call.others_first for call in calls]
    assert len({call.line for call in calls}) == 3


def test_what_runs_beside_is_told_of_each_part_and_of_calls_to_the_same_endpoint():
    here, there = {"server": "here"}, {"server": "there"}
    calls = graph(
        span("task", "task", 0.0, 9.0),
        *(span(f"b{n}", "branch", 0.0, 9.0, "task") for n in range(3)),
        span("c0", "call", 0.0, 8.0, "b0"),
        span("a0", "attempt", 0.0, 8.0, "c0", **here, first_token=4.0, last_token=8.0, output_tokens=9),
        span("c1", "call", 5.0, 7.0, "b1"),
        span("a1", "attempt", 5.0, 7.0, "c1", **here, first_token=1.0, last_token=2.0, output_tokens=9),
        span("c2", "call", 0.0, 9.0, "b2"),
        span("a2", "attempt", 0.0, 9.0, "c2", **there, first_token=1.0, last_token=9.0, output_tokens=9),
    ).calls
    found = {call.ttft_s: (call.others_first, call.others_rest) for call in calls if call.endpoint == "here"}
    assert found == {4.0: (0.0, 0.5), 1.0: (1.0, 1.0)}
    assert [call.others_rest for call in calls if call.endpoint == "there"] == [0.0]


def test_a_replay_that_broke_off_is_projected_with_a_word_on_that():
    task, *rest = SERIAL
    broken = graph(msgspec.structs.replace(task, error="replay_ended"), *rest)
    assert (broken.broken, graph(*SERIAL).broken) == (True, False)
    told = [project([one], Change(speedup=2), {}).assumptions for one in (broken, graph(*SERIAL))]
    assert [any("is a replay that broke off" in line for line in lines) for lines in told] == [True, False]
