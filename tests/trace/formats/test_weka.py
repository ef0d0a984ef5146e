"""WEKA's traces: made ones, and the fourteen real ones where they are."""

import json
from pathlib import Path

import pytest

from tithe.core import Anchor
from tithe.core import attributes as at
from tithe.ledger import make_ledger
from tithe.trace import TaskRecord
from tithe.trace.formats import parse, read_guessed
from tithe.trace.tree import build_tree

from .given import of_kind


def _real_files() -> list[Path]:
    for root in Path(__file__).resolve().parents:
        found = sorted((root.parent / "shared" / "data" / "weka").glob("trace_*.json"))
        if found:
            return found
    return []


def request(t, kind, took, first, count, **more):
    return {
        "t": t, "type": kind, "model": "claude-x", "in": count * 64 + 5, "out": 20, "api_time": took,
        "hash_ids": [*range(1, count), first], "think_time": 1.0, "stop": "tool_use", **more,
    }  # fmt: skip


MADE = {
    "id": "trace_made", "block_size": 64, "tool_tokens": 640, "system_tokens": 64,
    "requests": [
        request(0.0, "s", 4.5, 10, 10, ttft=1.25),
        # Both ended when `t` says; they began together, just after the answer that asked for them.
        {"t": 14.6, "type": "subagent", "agent_id": "a1", "subagent_type": "Explore", "duration_ms": 10_000,
         "requests": [request(0.0, "n", 2.0, 5, 5), request(3.0, "n", 6.5, 6, 6)]},
        {"t": 24.6, "type": "subagent", "agent_id": "a2", "duration_ms": 20_000, "requests": [request(0.0, "n", 19.0, 7, 7)]},
        request(25.0, "n", 3.0, 99, 12, stop="end_turn"),
    ],
}  # fmt: skip


def test_calls_are_from_t_for_as_long_as_the_api_took(imported):
    found = imported("weka", document=MADE)
    [task] = found.tasks
    [whole] = of_kind(task.spans, "task")
    calls = [call for call in of_kind(task.spans, "call") if call.parent == whole.id]
    assert [(call.start, call.end) for call in calls] == [(0.0, 4.5), (25.0, 28.0)]
    assert calls[0].attributes[at.FIRST_TOKEN] == 1.25
    assert at.FIRST_TOKEN not in calls[1].attributes
    assert calls[1].attributes[at.FINISH_REASONS] == ["end_turn"]
    assert (calls[0].attributes[at.INPUT_TOKENS], calls[0].attributes[at.OUTPUT_TOKENS]) == (645, 20)
    assert at.CACHE_READ_TOKENS not in calls[0].attributes
    assert of_kind(task.spans, "tool") == of_kind(task.spans, "user") == []
    assert (task.began, task.name) == (None, "trace_made")
    assert "think_time" in found.notes[0]
    assert found.notes[1] == "not reported: the first token of 4 calls (type n)"


def test_sub_agents_end_at_t_and_their_calls_count_from_their_own_beginning(imported):
    [task] = imported("weka", document=MADE).tasks
    first, second = of_kind(task.spans, "branch")
    assert [(one.name, round(one.start, 9), one.end) for one in (first, second)] == [
        ("Explore", 4.6, 14.6),
        ("sub-agent", 4.6, 24.6),
    ]
    asked = of_kind(task.spans, "call")[0]
    assert first.attributes[at.BRANCH_OF] == second.attributes[at.BRANCH_OF] == asked.id
    inside = [call for call in of_kind(task.spans, "call") if call.parent == first.id]
    assert [(round(call.start, 9), round(call.end, 9)) for call in inside] == [(4.6, 6.6), (7.6, 14.1)]


def test_prompts_are_blocks_in_runs(imported):
    [task] = imported("weka", document=MADE).tasks
    last = of_kind(task.spans, "call")[-1]
    assert last.attributes[at.BLOCKS] == [[1, 11], [99, 1]]
    assert last.attributes[at.BLOCK_TOKENS] == 64


def test_requests_without_a_time_are_counted(imported):
    broken = MADE | {"requests": [*MADE["requests"], {"t": None, "type": "n"}, {"t": 40.0, "type": "n"}]}
    assert "left out: 2 requests without a time or a duration" in imported("weka", document=broken).notes


def _requests(requests):
    for each in requests:
        if each["type"] == "subagent":
            yield from _requests(each["requests"])
        else:
            yield each


@pytest.mark.parametrize("path", _real_files() or [None], ids=lambda path: path.stem if path else "absent")
def test_a_real_file_is_read_whole(path):
    if path is None:
        pytest.skip("the real WEKA traces are not here (shared/data/weka beside the repository)")
    data = path.read_bytes()
    told = json.loads(data)
    found, imported = read_guessed(parse(data, path.name))
    assert found.name == "weka"
    [task] = imported.tasks
    calls = of_kind(task.spans, "call")
    requests = list(_requests(told["requests"]))
    assert len(calls) == len(requests)
    totals = told["totals"]["combined_tokens"]
    assert sum(call.attributes[at.INPUT_TOKENS] for call in calls) == totals["input"]
    assert sum(call.attributes[at.OUTPUT_TOKENS] for call in calls) == totals["output"]
    assert sum(at.FIRST_TOKEN in call.attributes for call in calls) == sum(
        "ttft" in each for each in requests
    )
    for call, blocks in zip(
        sorted(calls, key=lambda call: repr(call.attributes[at.BLOCKS])),
        sorted((each["hash_ids"] for each in requests), key=lambda ids: repr(runs_of(ids))),
        strict=True,
    ):
        assert [
            first + place for first, count in call.attributes[at.BLOCKS] for place in range(count)
        ] == blocks
    [whole] = of_kind(task.spans, "task")
    assert all(whole.start <= span.start <= span.end <= whole.end for span in task.spans)
    branches = of_kind(task.spans, "branch")
    assert len(branches) == told["totals"]["subagent_count"]
    spans = {span.id: span for span in task.spans}
    for branch in branches:
        inside = [span for span in task.spans if span.parent == branch.id]
        assert all(branch.start <= span.start and span.end <= branch.end for span in inside)
        asked = spans[branch.attributes[at.BRANCH_OF]]
        assert 0 <= branch.start - asked.end < 2  # whoever asked for it had just ended
    assert build_tree(task.spans).notes == ()
    record = TaskRecord(
        id=task.id, anchor=Anchor(monotonic=0.0, unix=0.0), source="import:weka", name=None, session=None, spans=task.spans
    )  # fmt: skip
    ledger = make_ledger(record)
    assert abs(sum(entry.wall_s for entry in ledger.entries) - whole.end) < 1e-6
    assert ledger.bucket_s("tool") == ledger.bucket_s("user") == 0.0
    assert ledger.started is None


def runs_of(ids):
    """Another way to the same runs."""
    starts = [place for place, one in enumerate(ids) if place == 0 or one != ids[place - 1] + 1]
    return [[ids[at_], until - at_] for at_, until in zip(starts, [*starts[1:], len(ids)], strict=True)]
