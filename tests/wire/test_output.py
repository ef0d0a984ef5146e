import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.wire.output import CallArguments, CallOpened, OutputParser, Piece, Reasoning, Text

CALL = '<tool_call>\n{"name": "look", "arguments": {"q": "a  b", "n": [1,{"x":"}"}]}}\n</tool_call>'


def pieces_of(*texts: str, tools: bool = True, reasoning_open: bool = False) -> list[Piece]:
    parser = OutputParser(tools=tools, reasoning_open=reasoning_open)
    return [piece for text in texts for piece in parser.feed(text)] + parser.flush()


def merged(pieces: list[Piece]) -> list[Piece]:
    """Neighbouring pieces of one kind as one, so that two ways of cutting can be compared."""
    result: list[Piece] = []
    for piece in pieces:
        last = result[-1] if result else None
        match last, piece:
            case (Text(a), Text(b)):
                result[-1] = Text(a + b)
            case (Reasoning(a), Reasoning(b)):
                result[-1] = Reasoning(a + b)
            case (CallArguments(i, a), CallArguments(j, b)) if i == j:
                result[-1] = CallArguments(i, a + b)
            case _:
                result.append(piece)
    return result


def parse(text: str, **options: bool) -> list[Piece]:
    return merged(pieces_of(text, **options))


def test_plain_text_comes_at_once():
    parser = OutputParser(tools=True)
    assert parser.feed("Hello") == [Text("Hello")]
    assert parser.feed(", a < b") == [Text(", a < b")]
    assert parser.flush() == []


def test_reasoning_is_told_apart_and_the_space_after_it_dropped():
    assert parse("<think>\nlet me see\n</think>\n\nYes.") == [Reasoning("let me see"), Text("Yes.")]


def test_empty_reasoning_is_none():
    assert parse("<think>\n\n</think>\n\nYes.") == [Text("Yes.")]


def test_reasoning_may_be_open_from_the_start_and_may_never_close():
    assert parse("hm</think>Yes", reasoning_open=True) == [Reasoning("hm"), Text("Yes")]
    assert parse("hm <", reasoning_open=True) == [Reasoning("hm <")]


def test_the_reasoning_property_follows_the_text():
    parser = OutputParser(tools=True)
    assert not parser.reasoning
    parser.feed("<think>a")
    assert parser.reasoning
    parser.feed("</think>")
    assert not parser.reasoning


def test_a_call_gives_its_arguments_as_written():
    assert parse(CALL) == [CallOpened(0, "look"), CallArguments(0, '{"q": "a  b", "n": [1,{"x":"}"}]}')]


def test_arguments_stream_while_they_are_written():
    parser = OutputParser(tools=True)
    assert parser.feed('<tool_call>{"name": "f", ') == [CallOpened(0, "f")]
    assert parser.feed('"arguments": {"a": "b') == [CallArguments(0, '{"a": "b')]
    assert parser.feed('c"') == [CallArguments(0, 'c"')]
    assert parser.feed("}}") == [CallArguments(0, "}")]
    assert parser.feed("</tool_call>") == []
    assert parser.flush() == []


def test_calls_and_text_around_them_lose_only_the_space_between():
    text = f"Two: \n{CALL}\n{CALL}\n\nDone. "
    kinds = parse(text)
    assert kinds[0] == Text("Two:")
    assert kinds[1] == CallOpened(0, "look")
    assert kinds[3] == CallOpened(1, "look")
    assert kinds[5] == Text("Done. ")
    assert len(kinds) == 6


def test_arguments_before_the_name_wait_for_it():
    assert parse('<tool_call>{"arguments": {"a": 1}, "id": 3, "name": "f"}</tool_call>') == [
        CallOpened(0, "f"),
        CallArguments(0, '{"a": 1}'),
    ]


def test_a_call_without_arguments_has_an_empty_object():
    assert parse('<tool_call>{"name": "f"}</tool_call>') == [CallOpened(0, "f"), CallArguments(0, "{}")]


def test_tags_within_json_strings_are_arguments():
    arguments = json.dumps({"code": '</tool_call> <think> \\ " }'})
    text = f'<tool_call>{{"name": "f", "arguments": {arguments}}}</tool_call>'
    assert parse(text) == [CallOpened(0, "f"), CallArguments(0, arguments)]


def test_a_cut_off_call_keeps_what_it_had():
    assert parse('<tool_call>{"name": "f", "arguments": {"a": "b') == [
        CallOpened(0, "f"),
        CallArguments(0, '{"a": "b'),
    ]


def test_a_call_left_open_before_its_closing_tag_ends_there():
    assert parse('<tool_call>{"name": "f", "arguments": {"a": 1\n</tool_call> more') == [
        CallOpened(0, "f"),
        CallArguments(0, '{"a": 1\n'),
        Text("more"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>no json</tool_call>",
        'a\n <tool_call> {"name": 5}</tool_call>',
        '<tool_call>{"name": ""}</tool_call>',
        '<tool_call>{"arguments": {"a": 1}}</tool_call>',
        '<tool_call>{"name',
        "<tool_call>",
        '<tool_call>{"name": "\\ud800"}',
        "a <tool_ca",
        "a </think> b </tool_call>",
        "trailing  \n",
    ],
)
def test_what_is_no_call_comes_back_verbatim(text: str):
    assert parse(text) == [Text(text)]


def test_a_call_after_a_malformed_one_is_found():
    assert parse('<tool_call>{<tool_call>{"name": "f"}</tool_call>') == [
        Text("<tool_call>{"),
        CallOpened(0, "f"),
        CallArguments(0, "{}"),
    ]


def test_without_tools_a_call_is_text():
    assert parse(CALL, tools=False) == [Text(CALL)]
    assert parse(f"<think>a</think>{CALL}", tools=False) == [Reasoning("a"), Text(CALL)]


ALPHABET = st.sampled_from(
    ["<think>", "</think>", "<tool_call>", "</tool_call>", '{"name": "f", "arguments": ', '{"a": "', '"}', "}", "{",
     '"', "\\", ",", ":", " ", "\n", "<", "</", "<t", "a", "é𝄞", '"name"', '"arguments"', "1", "null", "[", "]"]
)  # fmt: skip
MODEL_TEXT = st.lists(ALPHABET, max_size=25).map("".join)


@given(MODEL_TEXT, st.booleans(), st.booleans(), st.lists(st.integers(0, 120), max_size=8))
@settings(max_examples=400)
def test_the_pieces_do_not_depend_on_how_the_text_was_split(
    text: str, tools: bool, reasoning_open: bool, cuts: list[int]
):
    options = {"tools": tools, "reasoning_open": reasoning_open}
    whole = parse(text, **options)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert merged(pieces_of(*(text[a:b] for a, b in itertools.pairwise(edges)), **options)) == whole
    assert merged(pieces_of(*text, **options)) == whole


@given(MODEL_TEXT, st.booleans())
@settings(max_examples=200)
def test_no_piece_is_empty_and_only_tags_and_space_are_lost(text: str, reasoning_open: bool):
    pieces = pieces_of(*text, tools=False, reasoning_open=reasoning_open)
    assert all(piece.text for piece in pieces if isinstance(piece, Text | Reasoning))
    kept = "".join(piece.text for piece in pieces if isinstance(piece, Text | Reasoning))
    lost = bare(text)
    for tag in ("<think>", "</think>"):
        lost = lost.replace(tag, "")
    assert bare(kept).replace("<think>", "").replace("</think>", "") == lost


def bare(text: str) -> str:
    return "".join(text.split())


SAID = st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1).map(str.strip).filter(bool)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    SAID,
    SAID,
    st.lists(
        st.tuples(st.text(min_size=1), st.dictionaries(st.text(), JSON, max_size=3), st.booleans()),
        max_size=3,
    ),
    st.integers(1, 9),
)
@settings(max_examples=150)
def test_a_well_formed_turn_comes_apart_exactly(
    thought: str, said: str, calls: list[tuple[str, dict[str, object], bool]], width: int
):
    written = [(name, json.dumps(arguments, ensure_ascii=escaped)) for name, arguments, escaped in calls]
    bodies = [f'\n{{"name": {json.dumps(name)}, "arguments": {text}}}\n' for name, text in written]
    turn = f"<think>{thought}</think>\n\n{said}" + "".join(
        f"\n<tool_call>{body}</tool_call>" for body in bodies
    )
    expected: list[Piece] = [Reasoning(thought), Text(said)]
    for call, (name, text) in enumerate(written):
        expected += [CallOpened(call, name), CallArguments(call, text)]
    assert merged(pieces_of(*(turn[i : i + width] for i in range(0, len(turn), width)))) == expected
