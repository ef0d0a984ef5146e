"""What a function tells a model, and what is made of what the model writes."""

from typing import Annotated, Literal

import msgspec
import pytest

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


def test_strict_is_asked_for_where_the_schema_is_in_openai_s_subset():
    def every(city: str, days: Annotated[int, msgspec.Meta(ge=1)]) -> None: ...

    def some(city: str, days: int = 1) -> None: ...

    def nested(place: Place) -> None: ...

    assert tool_of(every).wire.strict is True
    assert tool_of(some).wire.strict is None
    assert tool_of(nested).wire.strict is None, "a struct of the user's allows further properties"


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
    with pytest.raises(UsageError, match="schema"):
        described_tool(Tool(name="x", parameters={"type": "no such"}), lambda: None)


def test_no_schema_is_fetched_from_elsewhere():
    schema = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}
    with pytest.raises(UsageError, match="fetched from elsewhere"):
        described_tool(Tool(name="x", parameters=schema), lambda: None)
