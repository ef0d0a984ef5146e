"""The expert solves every task, with and without detours, and its transcripts are conversations."""

import json
from collections import Counter

import pytest

from tithe.world import FAMILIES, SPLITS, Family, Split, make_task, solve
from tithe.world.task import NO_CALL

# The repair family starts an interpreter three or four times a task.
COUNTS = {"lookup": 150, "repair": 24, "records": 150}
STEPS = {"lookup": (4, 12), "repair": (3, 10), "records": (3, 10)}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_expert_succeeds_in_the_steps_that_its_family_takes(family: Family, split: Split) -> None:
    least, most = STEPS[family]
    for seed in range(COUNTS[family]):
        transcript = solve(make_task(family, seed, split))
        assert transcript.succeeded, seed
        assert least <= transcript.steps <= most, seed


@pytest.mark.parametrize("family", FAMILIES)
def test_a_transcript_is_a_conversation(family: Family) -> None:
    for seed in range(COUNTS[family] // 4):
        task = make_task(family, seed, "train")
        system, user, *rest = solve(task).messages
        assert (system.role, system.content) == ("system", task.system)
        assert (user.role, user.content) == ("user", task.goal)
        tools = {tool.name for tool in task.tools}
        for asked, told in zip(rest[::2], rest[1::2], strict=True):
            if not asked.tool_calls:
                assert (asked.role, told.role, told.content) == ("assistant", "user", NO_CALL)
                continue
            (call,) = asked.tool_calls
            assert asked.role == "assistant"
            assert call.name in tools
            assert json.dumps(json.loads(call.arguments)) == call.arguments
            assert (told.role, told.tool_call_id) == ("tool", call.id)
            assert told.content
        assert rest[-2].tool_calls[0].name == "finish"


def test_mistakes_are_shown_and_not_taught() -> None:
    runs = [solve(make_task("lookup", seed, "train")) for seed in range(200)]
    runs += [solve(make_task("records", seed, "train")) for seed in range(200)]
    assistant = [turn for run in runs for turn in run.turns if turn.message.role == "assistant"]
    mistaken = [turn for turn in assistant if not turn.learn]
    assert 0.02 < len(mistaken) / len(assistant) < 0.2
    assert not any(turn.learn for run in runs for turn in run.turns if turn.message.role != "assistant")
    # What follows a mistake is taught: the last turn of every run is.
    assert all(run.turns[-2].learn for run in runs)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_arguments_give_the_same_task_and_transcript(family: Family) -> None:
    for seed in range(8):
        first, again = make_task(family, seed, "held_out"), make_task(family, seed, "held_out")
        assert first == again
        assert solve(first) == solve(again)


@pytest.mark.parametrize("family", FAMILIES)
def test_seeds_give_different_tasks(family: Family) -> None:
    goals = Counter(make_task(family, seed, "train").goal for seed in range(300))
    assert len(goals) > 240


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("family", FAMILIES)
def test_goals_and_results_are_short(family: Family, split: Split) -> None:
    for seed in range(COUNTS[family] // 5):
        for message in solve(make_task(family, seed, split)).messages:
            assert len(message.content or "") < 500
