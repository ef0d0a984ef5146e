"""Mooncake's requests: when they came, and how long their prompts were."""

from tithe.core import attributes as at

from .given import lines


def test_requests_are_untimed_calls_of_one_task(imported):
    found = imported(
        "mooncake",
        {"timestamp": 1500, "input_length": 1100, "output_length": 52, "hash_ids": [7, 8, 12]},
        {"timestamp": 4500, "input_length": 600, "output_length": 1, "hash_ids": [7, 9]},
    )
    [task] = found.tasks
    first, second = task.spans
    assert (first.start, first.end, second.start, second.end) == (0.0, 0.0, 3.0, 3.0)
    assert first.attributes == {
        at.UNTIMED: True, at.INPUT_TOKENS: 1100, at.OUTPUT_TOKENS: 52, at.BLOCKS: [[7, 2], [12, 1]],
        at.BLOCK_TOKENS: 512, at.SOURCE: "import:mooncake",
    }  # fmt: skip
    assert task.began is None
    assert "how long calls took" in found.notes[0]


def test_a_file_that_grew_is_the_same_task(imported):
    told = [
        {"timestamp": place, "input_length": 1, "output_length": 1, "hash_ids": [place]}
        for place in range(12)
    ]
    before, after = imported("mooncake", raw=lines(*told[:11])), imported("mooncake", raw=lines(*told))
    assert before.tasks[0].id == after.tasks[0].id
    assert before.tasks[0].spans == after.tasks[0].spans[:11]


def test_lines_that_are_no_request_are_counted(imported):
    good = {"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": []}
    assert (
        "left out: 1 line that is no request (line 2)"
        in imported("mooncake", good, good | {"timestamp": "x"}).notes
    )
