"""Grammars, walked token by token with the nano's vocabulary: what conforms goes through, nothing else does."""

import json
from random import Random
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core.errors import InvalidRequest
from tithe.core.message import Message
from tithe.core.request import Request, ResponseFormat, Tool, ToolChoice
from tithe.engine.grammar import Grammar, Grammars
from tithe.engine.vocabulary import Vocabulary

from . import nano

VOCABULARY = Vocabulary(nano.FILES.tokenizer, nano.FILES.eos, nano.SIZE)
GRAMMARS = Grammars(VOCABULARY)
END = VOCABULARY.added["<|im_end|>"]
OPEN = VOCABULARY.added["<tool_call>"]

PLACE = {
    "type": "object",
    "properties": {"at": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["at"],
    "additionalProperties": False,
}
LOOK = Tool(name="look", parameters=PLACE)
WAIT = Tool(name="wait")
NONE, REQUIRED, NAMED = (
    ToolChoice(mode="none"),
    ToolChoice(mode="required"),
    ToolChoice(mode="named", name="wait"),
)


def compiled(reasoning: str = "none", **given: Any) -> Grammar:
    request = Request(model="nano", messages=(Message(role="user", content="x"),), **given)
    source = GRAMMARS.source(request, reasoning=reasoning)
    assert source is not None
    grammar = GRAMMARS.find(source) or GRAMMARS.compile(source, request)
    assert grammar is not None
    return grammar


def allows(grammar: Grammar, token: int) -> bool:
    mask = grammar.mask()
    return bool(mask[token >> 3] >> (token & 7) & 1)


def may_end(grammar: Grammar) -> bool:
    return grammar.is_complete or allows(grammar, END)


def conforms(grammar: Grammar, text: str, *, letters: bool = False) -> bool:
    """Whether a text may be the whole answer; mask and `accept` say the same of every token.

    In letters, only `accept` is asked: of a forced run the mask allows the tokenizer's own tokens alone.
    """
    for segment in VOCABULARY.segments(text):
        is_tag = segment in VOCABULARY.added or not letters
        for piece in [segment] if is_tag else segment:
            for token in VOCABULARY.encode_segment(piece):
                if grammar.is_complete:
                    return False
                allowed = allows(grammar, token)
                accepted = grammar.accept(token)
                assert accepted == allowed or (letters and accepted)
                if not accepted:
                    return False
    return may_end(grammar)


def call(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


LOOKED, WAITED = call("look", '{"at": "thé \\"re\\"", "n": 12}'), call("wait", "{}")

TOOLS: dict[str, Any] = {"tools": (LOOK, WAIT)}
AUTO = TOOLS
NO_CALLS = TOOLS | {"tool_choice": NONE}
MUST = TOOLS | {"tool_choice": REQUIRED}
WAIT_ONLY = TOOLS | {"tool_choice": NAMED}
ONE_CALL = TOOLS | {"parallel_tool_calls": False}
ONE_MUST = MUST | {"parallel_tool_calls": False}
JSON = {"response_format": ResponseFormat(kind="json_object")}
SCHEMA = {"response_format": ResponseFormat(kind="json_schema", name="place", schema=PLACE)}
LOOSE = {"tools": (Tool(name="look", parameters=PLACE, strict=False),)}

CASES: list[tuple[dict[str, Any], str, bool]] = [
    (AUTO, "", True),
    (AUTO, "Free text, with < and { and é.", True),
    (AUTO, "Well.\n" + LOOKED, True),
    (AUTO, LOOKED + "\n" + WAITED, True),
    (AUTO, "<think>\nHm.\n</think>\n\n" + WAITED, True),
    (AUTO, "<tool_call>", False),
    (AUTO, LOOKED + " and more", False),
    (AUTO, call("nobody", "{}"), False),
    (AUTO, call("look", '{"n": 1}'), False),
    (AUTO, call("look", '{"at": 1}'), False),
    (AUTO, call("look", '{"at": "x", "more": 1}'), False),
    (AUTO, call("look", '{"at":"x"}'), False),
    (AUTO, call("wait", '{"a": 1}'), False),
    (AUTO, "<tool_response>", False),
    (ONE_CALL, "Well. " + WAITED, True),
    (ONE_CALL, WAITED + "\n" + WAITED, False),
    (LOOSE | {"parallel_tool_calls": False}, call("look", '{"what": [1]}'), True),
    (LOOSE | {"parallel_tool_calls": False}, call("look", "{}") + "\n" + call("look", "{}"), False),
    (NO_CALLS, "Free text. <think>\nHm.\n</think>\n\nMore.", True),
    (NO_CALLS, "Well. " + WAITED, False),
    (MUST, LOOKED, True),
    (MUST, WAITED + "\n" + LOOKED, True),
    (MUST, "", False),
    (MUST, "Well.", False),
    (ONE_MUST, LOOKED, True),
    (ONE_MUST, LOOKED + "\n" + WAITED, False),
    (LOOSE | {"tool_choice": REQUIRED}, call("look", '{"what": [1]}'), True),
    (LOOSE | {"tool_choice": REQUIRED}, call("look", "[]"), False),
    (WAIT_ONLY, WAITED, True),
    (WAIT_ONLY, LOOKED, False),
    (JSON, '{"a": [1, 2.5, null, {"b": "c"}]}', True),
    (JSON, "{}", True),
    (JSON, "[]", False),
    (JSON, "{", False),
    (JSON, "Well: {}", False),
    (SCHEMA, '{"at": "x", "n": -3}', True),
    (SCHEMA, '{"n": 3}', False),
    (SCHEMA, '{"at": "x"} ', False),
    (SCHEMA | TOOLS, '{"at": "x"}', True),
    (SCHEMA | TOOLS, WAITED, True),
    (SCHEMA | TOOLS, "Well.", False),
    (SCHEMA | NO_CALLS, '{"at": "x"}', True),
    (SCHEMA | NO_CALLS, WAITED, False),
    (SCHEMA | MUST, '{"at": "x"}', False),
]


@pytest.mark.parametrize("letters", [False, True], ids=["merged", "letters"])
@pytest.mark.parametrize(("given", "text", "good"), CASES)
def test_what_may_be_said(given: dict[str, Any], text: str, good: bool, letters: bool) -> None:
    assert conforms(compiled(**given), text, letters=letters) == good


@pytest.mark.parametrize(
    ("given", "text", "good"),
    [
        (MUST, LOOKED, True),
        (MUST, "Well.", False),
        (SCHEMA, '{"at": "x"}', True),
    ],
)
def test_thoughts_come_before_what_is_demanded(given: dict[str, Any], text: str, good: bool) -> None:
    thoughts = "\nSo {many} <things>.\n</think>\n\n"
    assert conforms(compiled("open", **given), thoughts + text) == good
    assert not conforms(compiled("open", **given), text)
    assert conforms(compiled("may", **given), "<think>" + thoughts + text) == good
    assert conforms(compiled("may", **given), text) == good
    assert not conforms(compiled("none", **given), "<think>" + thoughts + text)


@pytest.mark.parametrize("given", [{}, {"tool_choice": NONE}, LOOSE])
def test_where_nothing_is_demanded_there_is_no_grammar(given: dict[str, Any]) -> None:
    request = Request(model="nano", messages=(Message(role="user", content="x"),), **given)
    assert GRAMMARS.source(request) is None


def test_text_cannot_spell_the_tag_of_a_call() -> None:
    for asked in (AUTO, NO_CALLS):
        grammar = compiled(**asked)
        for letter in "Well: <tool_call":
            for token in VOCABULARY.encode(letter):
                assert grammar.accept(token)
        (closing,) = VOCABULARY.encode(">")
        assert not allows(grammar, closing)
        assert may_end(grammar)


def test_what_leaves_no_choice_is_forced() -> None:
    grammar = compiled(**WAIT_ONLY | {"parallel_tool_calls": False})
    run = grammar.forced()
    assert VOCABULARY.text_of(run).startswith('<tool_call>\n{"name": "wait", "arguments": {')
    assert run[0] == OPEN
    said: list[int] = []
    while not grammar.is_complete:
        run = [token for token in grammar.forced() if token not in VOCABULARY.eos]
        token = run[0] if run else next(t for t in range(nano.SIZE) if allows(grammar, t))
        assert allows(grammar, token)
        assert grammar.accept(token)
        if token in VOCABULARY.eos:
            break
        said.append(token)
    # Forced runs are what the tokenizer gives: the call renders back to the same ids.
    assert said == VOCABULARY.encode(WAITED)
    assert compiled(**AUTO).forced() == []


def test_a_copy_goes_its_own_way() -> None:
    grammar = compiled(**MUST)
    copy = grammar.copy()
    assert conforms(grammar, LOOKED)
    assert conforms(copy, WAITED)
    assert conforms(compiled(**MUST), LOOKED)


CLOSED = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a", "bé", 3, None]},
        "flag": {"type": "boolean"},
        "n": {"type": "integer", "minimum": -20, "maximum": 300},
        "list": {"type": "array", "items": {"const": "x"}, "maxItems": 3},
        "word": {"type": "string", "pattern": "^[a-f]{2,4}$"},
    },
    "required": ["kind", "n", "word"],
    "additionalProperties": False,
}
is_valid = fastjsonschema.compile(CLOSED)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.booleans())
def test_whatever_is_drawn_under_the_mask_is_valid(seed: int, forced: bool) -> None:
    random = Random(seed)
    given = {"response_format": ResponseFormat(kind="json_schema", name="x", schema=CLOSED, strict=True)}
    grammar = compiled(**given)
    said: list[int] = []
    while len(said) < 300 and not grammar.is_complete:
        run = grammar.forced() if forced else []
        mask = grammar.mask()
        token = run[0] if run else random.choice([t for t in range(nano.SIZE) if mask[t >> 3] >> (t & 7) & 1])
        assert grammar.accept(token)
        if token in VOCABULARY.eos:
            break
        said.append(token)
    is_valid(json.loads(VOCABULARY.text_of(said)))


def with_schema(schema: dict[str, Any], *, strict: bool | None) -> dict[str, Any]:
    place = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    return {"tools": (WAIT, Tool(name="f", parameters=place, strict=strict)), "tool_choice": REQUIRED}


UNSUPPORTED: list[dict[str, Any]] = [
    {"not": {"type": "string"}},
    {"type": "array", "uniqueItems": True},
    {"if": {"type": "string"}},
    {"type": "object", "propertyNames": {"pattern": "a"}},
]


@pytest.mark.parametrize("schema", UNSUPPORTED)
def test_a_keyword_that_is_not_supported_is_refused_where_strict_and_else_let_be(
    schema: dict[str, Any],
) -> None:
    with pytest.raises(InvalidRequest, match="strict: false") as caught:
        compiled(**with_schema(schema, strict=True))
    assert (caught.value.param, caught.value.code) == ("tools[1].function.parameters", "invalid_schema")
    assert next(key for key in schema if key != "type") in caught.value.message
    strict = ResponseFormat(kind="json_schema", name="x", schema={"type": "object"} | schema, strict=True)
    with pytest.raises(InvalidRequest) as caught:
        compiled(response_format=strict)
    assert caught.value.param == "response_format.json_schema.schema"
    value = {"array": "[]", "object": "{}"}.get(schema.get("type", ""), "1")
    for lenient in (None, False):
        assert conforms(compiled(**with_schema(schema, strict=lenient)), call("f", f'{{"x": {value}}}'))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nope"},
        {"$ref": "#/nowhere"},
        {"enum": []},
        {"type": "string", "minLength": 5, "maxLength": 2},
        {"type": "string", "pattern": "(unclosed"},
        {"type": 7},
    ],
)
@pytest.mark.parametrize("strict", [True, None])
def test_a_schema_that_nothing_can_meet_is_refused(schema: dict[str, Any], strict: bool | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compiled(**with_schema(schema, strict=strict))
    assert (caught.value.param, caught.value.code) == ("tools[1].function.parameters", "invalid_schema")
    # Where it is only shown to the model, or its tool cannot be called, it does no harm.
    assert conforms(compiled(**with_schema(schema, strict=False)), WAITED)
    other = with_schema(schema, strict=strict) | {"tool_choice": NAMED}
    assert conforms(compiled(**other), WAITED)


@pytest.mark.parametrize("name", ["a-b_c", "x" * 64, 'quo"te', "é\\n"])
def test_a_tools_name_is_written_as_it_is(name: str) -> None:
    grammar = compiled(tools=(Tool(name=name),), tool_choice=REQUIRED)
    assert conforms(grammar, f'<tool_call>\n{{"name": {json.dumps(name)}, "arguments": {{}}}}\n</tool_call>')


def test_a_pattern_that_outgrows_its_limits_fails_and_is_not_kept() -> None:
    schema = {"type": "string", "pattern": "^(.*a.{40}b.*c.{40}d)|(.*e.{60}f)$"}
    form = ResponseFormat(kind="json_schema", name="x", schema=schema, strict=True)
    request = Request(model="nano", messages=(Message(role="user", content="x"),), response_format=form)
    source = GRAMMARS.source(request)
    assert source is not None
    grammar = GRAMMARS.compile(source, request)
    assert GRAMMARS.find(source) is not None
    rng = Random(1)
    # Letters that the pattern waits for: each may begin another of its counts, so the states multiply.
    begins = [token for letter in "abce" for token in VOCABULARY.encode(letter)]

    def follow() -> None:
        for step in range(3000):
            mask = grammar.mask()
            allowed = [t for t in range(END) if mask[t >> 3] >> (t & 7) & 1]
            grammar.accept(rng.choice(([t for t in begins if t in allowed] if step else []) or allowed))

    with pytest.raises(InvalidRequest, match="Simplify its patterns"):
        follow()
    assert GRAMMARS.find(source) is None
