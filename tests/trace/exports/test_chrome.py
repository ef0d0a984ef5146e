"""The Chrome trace: slices of a lane never cross, what ran at once lies in lanes of its own, times are right."""

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tithe.core import Anchor, Span
from tithe.trace import TaskRecord
from tithe.trace.exports import to_chrome

KINDS = st.sampled_from(["task", "branch", "step", "call", "attempt", "tool", "validation", "user", "other"])
TIMES = st.integers(0, 40).map(lambda tick: tick / 7)


@st.composite
def records(draw: st.DrawFn) -> TaskRecord:
    spans: list[Span] = []
    for number in range(draw(st.integers(1, 12))):
        parent = draw(st.none() | st.integers(0, 14).map(str))
        end = draw(st.none() | TIMES)
        spans.append(
            Span(
                id=str(number), trace="t", kind=draw(KINDS), name="n", start=draw(TIMES), end=end, parent=parent,
                attributes={"tithe.first_token_s": 0.01},
            )
        )  # fmt: skip
    anchor = Anchor(monotonic=0.0, unix=1_790_000_000.123)
    return TaskRecord(id="t", anchor=anchor, source="proxy", name=None, session=None, spans=tuple(spans))


def events(*told: TaskRecord) -> list[dict[str, Any]]:
    return json.loads(b"".join(to_chrome(told)))["traceEvents"]


@given(records())
def test_slices_of_a_lane_lie_in_one_another_or_one_after_the_other(record: TaskRecord) -> None:
    slices = [event for event in events(record) if event["ph"] == "X"]
    assert {one.id for one in record.spans} <= {event["args"]["id"] for event in slices}
    by_lane: dict[int, list[tuple[int, int]]] = {}
    for event in slices:
        start, length = round(event["ts"] * 1000), round(event["dur"] * 1000)
        assert start >= 0
        assert length >= 0
        by_lane.setdefault(event["tid"], []).append((start, start + length))
    for lane in by_lane.values():
        for (start, end), (later, until) in itertools.combinations(
            sorted(lane, key=lambda at: (at[0], -at[1])), 2
        ):
            assert later >= end or until <= end, (start, end, later, until)


def test_what_ran_one_after_the_other_is_in_the_lane_of_what_it_ran_in(record) -> None:
    told = events(record)
    placed = {
        event["args"]["id"]: (event["tid"], event["ts"], event["dur"]) for event in told if event["ph"] == "X"
    }
    assert placed[record.id][:2] == (0, 0.0)
    assert placed["00f067aa0ba902b7"] == (0, 0.0, 1e6)
    assert placed["00f067aa0ba902b8"] == (0, 1.5e6, 1500000.001)
    assert placed["tool one"] == (0, 3.1e6, 0.9e6)
    assert placed["beside"][0] == 1  # the sub-agent went on while the tool ran
    assert placed["last"][0] == 0
    [instant] = [event for event in told if event["ph"] == "i"]
    assert (instant["name"], instant["ts"], instant["tid"]) == ("first token", 2e6, 0)


def test_tasks_are_processes_on_one_time_and_named(record) -> None:
    early = TaskRecord(
        id="early",
        anchor=Anchor(monotonic=5.0, unix=1_789_999_990.25),
        source="api",
        name=None,
        session=None,
        spans=(Span(id="x", trace="early", kind="task", name="before", start=5.0, end=6.0),),
    )
    told = events(record, early)
    names = {event["pid"]: event["args"]["name"] for event in told if event["name"] == "process_name"}
    assert names == {1: f"fix the bug ({record.id})", 2: "early"}
    starts = {event["pid"]: event["ts"] for event in reversed(told) if event["ph"] == "X"}
    assert starts == {1: 10e6, 2: 0.0}


def test_no_tasks_are_an_empty_trace() -> None:
    assert events() == []
