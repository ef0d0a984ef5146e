"""What a function tells a model, and what is made of what the model writes."""

import copy
import inspect
from typing import Annotated, Any, Literal

import msgspec
import openai
import pydantic
import pytest
from agents.strict_schema import ensure_strict_json_schema
from hypothesis import given
from hypothesis import strategies as st
from openai.lib._pydantic import _ensure_strict_json_schema

from tithe.agent import AgentTool, Traits, described_tool, tool, tool_of
from tithe.agent.fault import Fault
from tithe.core import Tool
from tithe.core.errors import UsageError


class Place(msgspec.Struct):
    name: str
    country: Literal["PT", "ES"] = "PT"


def weather(place: Place, days: int = 3, tags: list[str] = []) -> str:  # noqa: B006
    """The weather at a place.

    As the national service has it.

    Args:
        place: where.
        days: how many, from today.
    """
    tags.append("asked")
    return f"{place.name}, {days} days, {tags}"


def test_the_schema_is_of_the_annotations_and_the_docstring():
    wire = tool_of(weather).wire
    assert wire.name == "weather"
    assert wire.description == "The weather at a place.\n\nAs the national service has it."
    schema = wire.parameters
    assert schema["type"] == "object"
    assert schema["required"] == ["place"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["days"] == {
        "type": "integer",
        "description": "how many, from today.",
        "default": 3,
    }
    assert schema["properties"]["place"]["description"] == "where."
    assert set(schema["$defs"]) == {"Place"}


def test_arguments_are_read_as_annotated():
    made = tool_of(weather)
    assert made.read('{"place": {"name": "Faro"}, "days": 1}') == {
        "place": Place("Faro"),
        "days": 1,
        "tags": [],
    }
    made.run(**made.read('{"place": {"name": "Faro"}}'))
    assert made.read('{"place": {"name": "Faro"}}')["tags"] == [], "a default is nobody's to change"


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ('{"place": {"name": "Faro"', "malformed", "not valid JSON"),
        ("weather in Faro", "malformed", "not valid JSON"),
        ('{"place": "Faro"}', "bad arguments", "$.place"),
        ('{"days": 2}', "bad arguments", "place"),
        ('{"place": {"name": "F"}, "day": 2}', "bad arguments", "day"),
        ("[1]", "bad arguments", "object"),
    ],
)
def test_what_is_wrong_is_told_in_words(text, kind, told):
    with pytest.raises(Fault) as caught:
        tool_of(weather).read(text)
    assert caught.value.kind == kind
    assert told in caught.value.words


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    x: int
    y: str | None


class Sea(msgspec.Struct, frozen=True):
    name: str


def test_strict_is_asked_for_where_the_schema_is_in_openai_s_subset():
    def every(city: str, days: Annotated[int, msgspec.Meta(ge=1)]) -> None: ...

    def nothing() -> None: ...

    def unit(kind: Literal["C", "F"] = "C") -> None: ...

    def closed(at: Closed, rest: list[Closed] = []) -> None: ...  # noqa: B006

    def opened(at: Sea) -> None: ...

    def nested(place: Place) -> None: ...

    def anything(what: Any) -> None: ...

    def short(name: Annotated[str, msgspec.Meta(max_length=3)]) -> None: ...

    def pair(at: tuple[int, str]) -> None: ...

    def named(by: dict[str, int]) -> None: ...

    def mixed(level: Literal["low", 1]) -> None: ...

    for inside in (every, nothing, unit, closed, opened):
        assert tool_of(inside).wire.strict is True, inside.__name__
    for outside in (nested, anything, short, pair, named, mixed):
        assert tool_of(outside).wire.strict is None, outside.__name__
    told = tool_of(opened).wire.parameters
    assert told["$defs"]["Sea"]["additionalProperties"] is False, "the subset has no others"
    assert tool_of(unit).wire.parameters["properties"]["kind"]["anyOf"] == [
        {"type": "string", "enum": ["C", "F"]},
        {"type": "null"},
    ]


def forecast(city: str, days: int = 3, at: Closed | None = None, words: str = None) -> Any:  # noqa: RUF013
    """The forecast.

    Args:
        days: how many.
        at: where in it.
    """
    return city, days, at, words


def test_what_may_be_left_out_is_told_as_what_may_be_null():
    wire = tool_of(forecast).wire
    assert wire.strict is True
    assert wire.parameters["required"] == ["city", "days", "at", "words"]
    assert wire.parameters["properties"] == {
        "city": {"type": "string"},
        "days": {
            "anyOf": [{"type": "integer"}, {"type": "null"}],
            "description": "how many. (null for the default: 3)",
        },
        "at": {"anyOf": [{"$ref": "#/$defs/Closed"}, {"type": "null"}], "description": "where in it."},
        "words": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ('{"city": "Faro"}', ("Faro", 3, None, None)),
        ('{"city": "Faro", "days": null, "at": null, "words": null}', ("Faro", 3, None, None)),
        (
            '{"city": "Faro", "days": 1, "at": {"x": 1, "y": null}, "words": ""}',
            ("Faro", 1, Closed(1, None), ""),
        ),
    ],
)
def test_a_null_for_what_may_be_left_out_means_the_default(text, came):
    made = tool_of(forecast)
    assert made.run(**made.read(text)) == came


def test_a_null_is_no_value_of_what_must_be_given():
    for text in ('{"city": null}', '{"days": null}'):
        with pytest.raises(Fault) as caught:
            tool_of(forecast).read(text)
        assert caught.value.kind == "bad arguments"


def test_a_null_that_is_a_value_keeps_its_meaning_beside_another_default():
    def page(limit: int | None = 10) -> int | None:
        return limit

    made = tool_of(page)
    assert made.read('{"limit": null}') == {"limit": None}
    assert made.read("{}") == {"limit": 10}
    assert made.wire.strict is None, "null cannot be both no limit and the limit of 10"
    assert "required" not in made.wire.parameters or made.wire.parameters["required"] == []


def test_a_null_makes_the_default_anew():
    made = tool_of(weather)
    made.run(**made.read('{"place": {"name": "Faro"}, "tags": null}'))
    assert made.read('{"place": {"name": "Faro"}, "tags": null}')["tags"] == []


def test_the_openai_library_finds_nothing_to_mend_in_a_strict_schema():
    def much(
        at: Closed,
        unit: Literal["C", "F"],
        days: int = 3,
        names: list[str] | None = None,
        share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5,
    ) -> None:
        """Much.

        Args:
            at: where.
            names: of whom.
        """

    for source in (much, forecast):
        schema = tool_of(source).wire.parameters
        assert ensure_strict_json_schema(copy.deepcopy(schema)) == schema
        assert _ensure_strict_json_schema(copy.deepcopy(schema), path=(), root=schema) == schema
        described_tool(tool_of(source).wire, source), "and it is a JSON schema"


def test_an_optional_parameter_is_what_the_openai_library_makes_of_an_optional_field():
    """`Optional[T]` is the guide's own way to leave something out: a nullable, required property."""

    class Asked(pydantic.BaseModel):
        city: str
        days: int | None = None

    def asked(city: str, days: int | None = None) -> None: ...

    theirs = openai.pydantic_function_tool(Asked)["function"]
    ours = tool_of(asked).wire
    assert ours.strict is theirs["strict"] is True
    assert _without_titles(ours.parameters) == _without_titles(theirs["parameters"])


def _without_titles(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_titles(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {key: _without_titles(value) for key, value in part.items() if key != "title"}


@given(
    st.lists(
        st.sampled_from(
            (
                (int, 3),
                (str, "x"),
                (bool, False),
                (float, 0.5),
                (list[int], []),
                (Literal["a", "b"], "a"),
                (int | None, None),
                (int | None, 4),
                (int, None),
                (Sea, Sea("Atlantic")),
                (Closed, Closed(1, "y")),
                (int | str, 7),
                (Any, 1),
                (Any, None),
                (dict[str, int], {}),
            )
        ),
        max_size=5,
    ),
    st.data(),
)
def test_left_out_is_the_default_and_null_too_where_it_is_no_value(drawn, data):
    """Whatever the types: what the schema allows is read, and what is read is the default or was written."""

    def source(**given: Any) -> None: ...

    source.__signature__ = inspect.Signature(
        [
            inspect.Parameter(f"p{n}", inspect.Parameter.KEYWORD_ONLY, default=default)
            for n, (_, default) in enumerate(drawn)
        ]
    )
    source.__annotations__ = {f"p{n}": kind for n, (kind, _) in enumerate(drawn)}
    made = tool_of(source)
    defaults = {f"p{n}": default for n, (_, default) in enumerate(drawn)}
    nulled = data.draw(st.sets(st.sampled_from(sorted(defaults)))) if defaults else set()
    told = described_tool(made.wire, source)
    everything = dict.fromkeys(defaults)
    if made.wire.strict:
        assert told.read(msgspec.json.encode(everything).decode()) == everything, (
            "the schema allows null for all"
        )
    assert made.read("{}") == defaults
    read = made.read(msgspec.json.encode(dict.fromkeys(nulled)).decode())
    for name, default in defaults.items():
        null_is_a_value = name in nulled and drawn[int(name[1:])][0] in (int | None, Any)
        assert read[name] == (None if null_is_a_value else default)


def test_traits_are_given_by_the_decorator_and_leave_the_function_as_it_is():
    @tool(timeout=2, idempotent=True)
    def read(path: str) -> str:
        return path

    assert read("a") == "a"
    assert tool_of(read).traits == Traits(timeout=2, idempotent=True)
    assert tool_of(weather).traits == Traits()
    assert tool_of(tool(weather)).traits == Traits()


def test_functions_that_cannot_be_described_are_refused():
    def without(city): ...

    def many(*cities: str): ...

    def strange(city: "Nowhere"): ...  # noqa: F821

    def undescribed(city: complex): ...

    for function, told in (
        (without, "annotation"),
        (many, "name of its own"),
        (strange, "resolved"),
        (undescribed, "described"),
    ):
        with pytest.raises(UsageError, match=told):
            tool_of(function)


def test_a_method_and_a_callable_object_are_tools_too():
    class Shelf:
        def find(self, title: str) -> str:
            """Find a book."""
            return title

    made = tool_of(Shelf().find)
    assert made.wire.parameters["required"] == ["title"]
    assert made.run(**made.read('{"title": "Emma"}')) == "Emma"
    assert tool_of(made) is made


def test_a_tool_by_its_schema():
    wire = Tool(
        name="add",
        parameters={
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}},
            "required": ["a"],
        },
    )
    made: AgentTool = described_tool(wire, lambda a, b: a + b)
    assert made.read('{"a": 1}') == {"a": 1, "b": 2}
    assert made.wire == wire, "it is told as it is"
    for text, kind in (
        ('{"a": "x"}', "bad arguments"),
        ("{}", "bad arguments"),
        ("[]", "bad arguments"),
        ("{", "malformed"),
        ('{"a": ' + "[" * 100_000, "malformed"),
    ):
        with pytest.raises(Fault) as caught:
            made.read(text)
        assert caught.value.kind == kind
    for parameters in ({"type": "no such"}, {"type": "object", "properties": []}):
        with pytest.raises(UsageError, match="schema"):
            described_tool(Tool(name="x", parameters=parameters), lambda: None)


def test_no_schema_is_fetched_from_elsewhere():
    schema = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}
    with pytest.raises(UsageError, match="fetched from elsewhere"):
        described_tool(Tool(name="x", parameters=schema), lambda: None)
