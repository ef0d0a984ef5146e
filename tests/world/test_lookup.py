"""Lookup and sum: the tools, and that the answer alone decides."""

import pytest

from tithe.world import SPLITS, Split, make_task, open_world
from tithe.world.lookup import LookupState, make


@pytest.mark.parametrize("split", SPLITS)
def test_the_answer_decides(split: Split) -> None:
    for seed in range(40):
        lookup = make(seed, split)
        for answer, right in ((lookup.answer, True), (lookup.answer + 1, False)):
            with open_world(lookup.task) as world:
                # Not one look into a file: how the answer was come by does not matter.
                world.call("finish", {"answer": str(answer)})
            assert world.succeeded is right


def test_files_are_several_and_small_and_values_may_be_zero_or_more() -> None:
    for seed in range(200):
        lookup = make(seed, "train")
        assert 2 <= len(lookup.files) <= 9
        assert lookup.answer >= 0
        assert all(len(text) < 400 for text in lookup.files.values())


def test_searching() -> None:
    lookup = make(1, "train")
    state = LookupState(lookup)
    name, text = next(iter(lookup.files.items()))
    line = text.split("\n")[0]
    assert f"{name}: {line}" in state.act("search", {"text": line.upper()})
    assert (
        state.act("search", {"text": "no such words"})
        == "No line contains 'no such words'. Try a single word."
    )
    assert state.act("search", {"text": " "}) == "search needs a text that is not empty."


@pytest.mark.parametrize("path", ["../task.py", "/etc/passwd", "", "a\0b", "x" * 400])
def test_a_file_that_is_not_there(path: str) -> None:
    with open_world(make_task("lookup", 0, "train")) as world:
        assert world.call("read_file", {"path": path}).startswith("There is no file '")
