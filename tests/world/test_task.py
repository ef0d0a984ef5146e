"""What every world has in common: calls are counted, faults are told, nothing is raised."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.world import FAMILIES, Family, Task, make_task, open_world
from tithe.world.task import OVER, same_number

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("family", FAMILIES)
def test_doing_nothing_does_not_succeed(family: Family) -> None:
    with open_world(make_task(family, 0, "train")) as world:
        pass
    assert not world.succeeded
    with open_world(make_task(family, 0, "train")) as world:
        world.call("finish", {"answer": "done"})
    assert not world.succeeded


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("grep", {}, "There is no tool 'grep'. Tools: list_files, search, read_file, calc, finish."),
        ("read_file", {}, "read_file needs 'path'."),
        ("read_file", {"path": 3}, "'path' of read_file must be a string, not a number."),
        ("read_file", {"path": None}, "'path' of read_file must be a string, not null."),
        ("read_file", {"path": "x", "line": "1"}, "read_file takes no 'line'. It takes: path."),
        ("list_files", {"path": "."}, "list_files takes no 'path'. It takes: nothing."),
        ("finish", {"answer": 12}, "'answer' of finish must be a string, not a number."),
        ("search", {"text": "x" * 501}, "'text' of search is too long: at most 500 characters."),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(name: str, arguments: dict[str, Any], said: str) -> None:
    with open_world(make_task("lookup", 0, "train")) as world:
        assert world.call(name, arguments) == said
        assert (world.steps, world.over) == (1, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("[" * 99_999, "JSON"),
    ],
)
def test_arguments_that_are_no_object_are_told_so(text: str, said: str) -> None:
    with open_world(make_task("lookup", 0, "train")) as world:
        assert said in world.call_json("read_file", text)
        assert "txt" in world.call_json("list_files", "") or "csv" in world.call_json("list_files", "{}")


def test_a_world_ends_with_finish_and_at_its_limit() -> None:
    task = make_task("lookup", 0, "train")
    with open_world(task) as world:
        assert world.call("finish", {"answer": "0"}) == "Finished."
        assert world.call("list_files", {}) == OVER
        assert world.steps == 1
    with open_world(task) as world:
        for _ in range(task.step_limit):
            assert world.call("list_files", {}) != OVER
        assert world.call("finish", {"answer": "0"}) == OVER
    assert world.call("list_files", {}) == OVER


@given(task=st.builds(make_task, st.sampled_from(FAMILIES), st.integers(), st.just("train")), data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_call_raises(task: Task, data: st.DataObject) -> None:
    tools = [tool for tool in task.tools if tool.name != "run_tests"]
    with open_world(task) as world:
        tool = data.draw(st.sampled_from(tools))
        keys = list((tool.parameters or {})["properties"])
        assert world.call(tool.name, data.draw(st.fixed_dictionaries(dict.fromkeys(keys, JSON))))
        assert world.call(tool.name, {key: data.draw(st.text(max_size=60)) for key in keys})
        assert world.call_json(data.draw(st.text(max_size=9)), data.draw(st.text(max_size=40)))


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("12", True),
        (" 12.\n", True),
        ("12.0", True),
        ("13", False),
        ("", False),
        ("twelve", False),
        ("nan", False),
        ("12 13", False),
    ],
)
def test_an_answer_is_a_number(answer: str, right: bool) -> None:
    assert same_number(answer, 12) is right
