"""An answer's pieces are the same however its bytes were cut into tokens."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core.event import Delta, ReasoningDelta, TextDelta, ToolCallDelta
from tithe.engine.answer import Answer
from tithe.engine.sampler import Scored
from tithe.engine.vocabulary import Vocabulary
from tithe.wire.output import OutputParser

from . import nano


class Bytes(Vocabulary):
    """The nano's vocabulary, and beyond it one token for any run of bytes that a test likes to cut."""

    def __init__(self) -> None:
        super().__init__(nano.FILES.tokenizer, nano.FILES.eos[:1], nano.SIZE)
        self.cut: list[bytes] = []

    def token(self, data: bytes) -> int:
        self.cut.append(data)
        return self.size + len(self.cut) - 1

    def bytes_of(self, token: int) -> bytes:
        return super().bytes_of(token) if token < self.size else self.cut[token - self.size]


VOCABULARY = Bytes()
END, THINK, END_THINK = (VOCABULARY.added[name] for name in ("<|im_end|>", "<think>", "</think>"))


def says(
    tokens: Sequence[int], stop: Sequence[str] = (), *, tools: bool = False, drained: int = 1
) -> tuple[str, list[Delta], Answer]:
    """What is told of these tokens when it is asked for after every `drained` of them."""
    answer = Answer(VOCABULARY, 0, stop, OutputParser(tools=tools))
    deltas: list[Delta] = []
    for i, token in enumerate(tokens):
        stopped = answer.push(token, None)
        if i % drained == 0:
            deltas += answer.drain(float(i))
        if stopped:
            answer.end(stopped=True)
            break
    else:
        answer.end(stopped=False)
    deltas += answer.drain(99.0)
    return "".join(d.text for d in deltas if isinstance(d, TextDelta)), deltas, answer


@st.composite
def cuts(draw: st.DrawFn, text: str) -> list[bytes]:
    """A text's bytes, cut anywhere, within characters too."""
    data = text.encode()
    at = sorted(draw(st.sets(st.integers(0, len(data)), max_size=len(data))))
    ends = [0, *at, len(data)]
    return [data[start:end] for start, end in pairwise(ends) if start < end]


texts = st.text(alphabet="abcé€🙂 ", max_size=25)
stops = st.lists(st.text(alphabet="abcé€🙂", min_size=1, max_size=5), max_size=3)


def until_first(text: str, stop: Sequence[str]) -> str:
    """A text up to the stop string that is complete first (of two at once, the longer)."""
    for end in range(len(text) + 1):
        starts = [end - len(each) for each in stop if text[:end].endswith(each)]
        if starts:
            return text[: min(starts)]
    return text


@settings(max_examples=300)
@given(st.data(), texts, stops, st.integers(1, 4))
def test_stop_strings_end_the_text_and_no_part_of_one_is_told(
    data: st.DataObject, text: str, stop: list[str], drained: int
) -> None:
    tokens = [VOCABULARY.token(part) for part in data.draw(cuts(text))]
    expected = until_first(text, stop)
    told, deltas, _ = says(tokens, stop, drained=drained)
    assert told == expected
    assert all(isinstance(delta, TextDelta) and delta.text for delta in deltas)
    if expected == text:
        return
    # Whenever one looks, all that was told is the beginning of what stands in the end.
    answer = Answer(VOCABULARY, 0, stop, OutputParser(tools=False))
    seen = ""
    for token in tokens:
        stopped = answer.push(token, None)
        seen += "".join(d.text for d in answer.drain(0.0) if isinstance(d, TextDelta))
        assert expected.startswith(seen)
        if stopped:
            return
    pytest.fail("the stop string was not noticed")


@settings(max_examples=100)
@given(st.data(), st.text(max_size=12))
def test_a_character_is_told_when_it_is_whole(data: st.DataObject, text: str) -> None:
    tokens = [VOCABULARY.token(part) for part in data.draw(cuts(text))]
    assert says(tokens)[0] == text


def test_bytes_that_are_no_text_are_told_as_such() -> None:
    assert says([VOCABULARY.token(b"a\xff"), VOCABULARY.token("é".encode()[:1])])[0] == "a\ufffd\ufffd"


def test_control_tokens_are_never_told() -> None:
    told, _, _ = says([*VOCABULARY.encode("a"), END, *VOCABULARY.encode("b")])
    assert told == "ab"


def test_reasoning_is_told_apart_and_counted() -> None:
    thoughts, rest = VOCABULARY.encode("\nHm, well.\n"), VOCABULARY.encode("\n\nYes.")
    told, deltas, answer = says([THINK, *thoughts, END_THINK, *rest])
    assert told == "Yes."
    assert "".join(d.text for d in deltas if isinstance(d, ReasoningDelta)).strip() == "Hm, well."
    # The tags are thoughts' tokens too.
    assert answer.reasoning_tokens == len(thoughts) + 2
    assert says(rest)[2].reasoning_tokens == 0


def test_a_call_comes_as_deltas_that_join_to_what_was_written() -> None:
    text = '<tool_call>\n{"name": "f", "arguments": {"a": [1,  "é"]}}\n</tool_call>'
    for drained in (1, 3, 1000):
        told, deltas, answer = says(VOCABULARY.encode(text), tools=True, drained=drained)
        assert (told, answer.has_calls) == ("", True)
        calls = [d for d in deltas if isinstance(d, ToolCallDelta)]
        assert len(calls) == len(deltas)
        assert [d.name for d in calls if d.id is not None] == ["f"]
        assert calls[0].id is not None
        assert "".join(d.arguments for d in calls) == '{"a": [1,  "é"]}'
        assert all(d.arguments or d.id for d in calls)
    assert not says(VOCABULARY.encode(text))[2].has_calls


def test_what_came_between_two_looks_is_one_delta() -> None:
    tokens = VOCABULARY.encode("one two three four five")
    assert len(tokens) > 3
    assert len(says(tokens)[1]) > 1
    answer = Answer(VOCABULARY, 3, (), OutputParser(tools=False))
    for token in tokens:
        answer.push(token, None)
    answer.end(stopped=False)
    (delta,) = answer.drain(2.5)
    assert delta == TextDelta(at=2.5, index=3, text="one two three four five")
    assert answer.drain(3.0) == []


def test_log_probabilities_come_with_the_text_of_their_tokens() -> None:
    first, second = VOCABULARY.token("é".encode()[:1]), VOCABULARY.token("é".encode()[1:] + b"!")
    answer = Answer(VOCABULARY, 0, (), OutputParser(tools=False))
    answer.push(first, Scored(first, -1.0, [(first, -1.0)]))
    assert answer.drain(0.0) == []
    answer.push(second, Scored(second, -2.0, []))
    (delta,) = answer.drain(0.0)
    assert [entry.logprob for entry in delta.logprobs] == [-1.0, -2.0]
    assert b"".join(entry.bytes for entry in delta.logprobs).decode() == "é!"
    assert delta.logprobs[0].top[0].bytes == b"\xc3"
