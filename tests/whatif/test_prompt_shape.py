"""The shape of prompts: their lengths as recorded, and what they share."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.core import Span
from tithe.core import attributes as at
from tithe.core.part import fingerprint
from tithe.trace.tree import build_tree
from tithe.whatif import CallShape, call_shapes


def call(
    number: int, tokens: int | None, out: int | None = 10, line: str | None = None, **told: object
) -> Span:
    reported = {at.INPUT_TOKENS: tokens, at.OUTPUT_TOKENS: out}
    known = {name: value for name, value in reported.items() if value is not None}
    return Span(
        id=f"c{number}",
        trace="t",
        kind="call",
        name="chat",
        start=float(number),
        end=number + 0.5,
        parent=line,
        attributes={**known, **{getattr(at, name): value for name, value in told.items()}},
    )


def branch(name: str) -> Span:
    return Span(id=name, trace="t", kind="branch", name=name, start=0.0, end=99.0)


def shapes(*spans: Span) -> list[CallShape]:
    return list(call_shapes(build_tree(spans).root, {}).values())


def runs(shape: CallShape) -> list[tuple[str, float]]:
    return [(run.key, run.tokens) for message in shape.messages for run in message.runs]


def length(shape: CallShape) -> float:
    return sum(message.tokens for message in shape.messages)


@given(
    st.lists(
        st.tuples(st.integers(1, 3000), st.integers(1, 400), st.integers(0, 3000)), min_size=1, max_size=12
    )
)
def test_a_prompt_is_as_long_as_it_was_however_it_grew_or_shrank(told):
    found = shapes(
        *(
            call(number, tokens, out, CACHE_READ_TOKENS=cached)
            for number, (tokens, out, cached) in enumerate(told)
        )
    )
    assert [length(shape) for shape in found] == pytest.approx([tokens for tokens, _, _ in told], abs=1)
    assert [shape.output_tokens for shape in found] == [out for _, out, _ in told]
    assert all(shape.messages[-1].role == "user" for shape in found)


def test_a_call_goes_on_from_the_one_before_it_with_its_answer():
    first, second = shapes(call(0, 500, 40), call(1, 700))
    assert second.messages[: len(first.messages)] == first.messages
    answer, new = second.messages[len(first.messages) :]
    assert (answer.role, answer.answer_of, answer.tokens) == ("assistant", "c0", 40)
    assert (new.role, new.tokens) == ("user", 160)


def test_a_prompt_that_grew_by_less_than_the_answer_goes_on_without_it():
    first, second = shapes(call(0, 500, 400), call(1, 600))
    assert second.messages[: len(first.messages)] == first.messages
    assert [message.answer_of for message in second.messages] == [None] * 3


def test_a_history_that_was_cut_shares_what_was_cached():
    first, second = shapes(call(0, 1000, 10), call(1, 600, CACHE_READ_TOKENS=320))
    shared = runs(second)[0]
    assert shared == (runs(first)[0][0], 320)
    assert length(second) == 600


def test_without_a_word_on_the_cache_a_history_that_was_cut_shares_nothing():
    first, second = shapes(call(0, 1000, 10), call(1, 600))
    assert not {key for key, _ in runs(first)} & {key for key, _ in runs(second)}


def test_lines_do_not_go_on_from_each_other():
    first, second = shapes(branch("a"), branch("b"), call(0, 500, 10, "a"), call(1, 700, 10, "b"))
    assert not {key for key, _ in runs(first)} & {key for key, _ in runs(second)}


def test_a_branch_shares_with_the_task_what_was_cached():
    first, second = shapes(branch("a"), call(0, 500), call(1, 400, 10, "a", CACHE_READ_TOKENS=250))
    assert runs(second)[0] == (runs(first)[0][0], 250)


def test_blocks_are_runs_and_the_rest_is_a_tail():
    [shape] = shapes(call(0, 150, BLOCKS=[[7, 1], [2, 1]], BLOCK_TOKENS=64))
    assert runs(shape) == [("block/7", 64.0), ("block/2", 64.0), ("tail/c0", 22.0)]
    assert shape.source == "blocks"


def test_what_was_not_reported_is_assumed_and_told():
    known, silent = shapes(call(0, 500, 30), call(1, None, None))
    assert (silent.input_tokens, silent.output_tokens) == (known.input_tokens, 30)
    assert (known.assumed, silent.assumed) == ((), ("prompt", "answer"))


def test_fingerprints_give_tokens_to_what_is_new_alone():
    texts = [("system", "s" * 600), ("user", "one " * 50), ("assistant", "b" * 40), ("user", "two " * 100)]
    parts = [
        fingerprint(text, place=f"messages[{place}]", role=role) for place, (role, text) in enumerate(texts)
    ]
    tree = build_tree([call(0, 400, 12), call(1, 600, 12)])
    first, second = call_shapes(tree.root, {"c0": parts[:2], "c1": parts}).values()
    assert (first.source, second.source) == ("parts", "parts")
    assert second.messages[:2] == first.messages
    assert [length(shape) for shape in (first, second)] == pytest.approx([400, 600])
    assert [message.answer_of for message in second.messages] == [None, None, "c0", None]


def test_every_earlier_answer_stays_an_answer_in_the_prompts_that_follow():
    told = [("system", "s" * 600), ("user", "one " * 50)]
    for number in range(3):
        told += [("assistant", f"answer {number}"), ("tool", f"result {number} " * 20)]
    whole = [
        fingerprint(text, place=f"messages[{place}]", role=role) for place, (role, text) in enumerate(told)
    ]
    tree = build_tree([call(number, 400 + 80 * number, 12) for number in range(4)])
    found = list(
        call_shapes(tree.root, {f"c{number}": whole[: 2 + 2 * number] for number in range(4)}).values()
    )
    for number, shape in enumerate(found):
        assert [message.answer_of for message in shape.messages if message.role == "assistant"] == [
            f"c{place}" for place in range(number)
        ]
    assert all(after.messages[: len(before.messages)] == before.messages for before, after in pairwise(found))


def test_after_a_prefix_that_changed_no_answer_is_taken_for_an_earlier_one():
    first = [("system", "a" * 300), ("user", "go")]
    later = [("system", "b" * 300), ("user", "go"), ("assistant", "so"), ("tool", "done")]
    prompts = {
        f"c{number}": [
            fingerprint(text, place=f"m{place}", role=role) for place, (role, text) in enumerate(told)
        ]
        for number, told in enumerate((first, later))
    }
    _, second = call_shapes(build_tree([call(0, 400), call(1, 420)]).root, prompts).values()
    assert [message.answer_of for message in second.messages] == [None] * 4
