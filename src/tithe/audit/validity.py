"""Is a structured answer what was asked for? Told in classes, in this order:

    failed      no whole answer came (an error; never a verdict on the model)
    cut         the answer ran into max_tokens
    no call     a tool call was asked for and text came
    parse       what came is not JSON
    schema      it is JSON and not of the form asked for (for a call: its arguments are not an object)
    tool name   the call names a tool that does not exist
    arguments   the call's arguments break the tool's schema
    valid

The whole text must parse: an agent that looks for JSON inside prose has a parser of its own to
measure. Several calls in one answer are valid when all of them are.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import fastjsonschema
import msgspec

from tithe.audit.observation import Observation
from tithe.core import ToolCall

ValidityClass = Literal["valid", "failed", "cut", "no call", "parse", "schema", "tool name", "arguments"]

Check = Callable[[Any], bool]


def checker(schema: dict[str, Any]) -> Check:
    """A function that says whether a decoded JSON value is valid against `schema` (draft 7 and older)."""
    compiled = cast(Callable[[Any], Any], fastjsonschema.compile(schema))

    def check(value: Any) -> bool:
        try:
            compiled(value)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return check


def text_validity(seen: Observation, check: Check) -> ValidityClass:
    """The class of an answer that was to be JSON text."""
    if not seen.answered:
        return "failed"
    if seen.finish == "length":
        return "cut"
    try:
        value = msgspec.json.decode(seen.text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "parse"
    return "valid" if check(value) else "schema"


def call_validity(seen: Observation, checks: Mapping[str, Check]) -> ValidityClass:
    """The class of an answer that was to be a tool call; `checks` are the tools' schemas by name."""
    if not seen.answered:
        return "failed"
    if seen.finish == "length":
        return "cut"
    if not seen.tool_calls:
        return "no call"
    for call in seen.tool_calls:
        found = _one_call(call, checks)
        if found != "valid":
            return found
    return "valid"


def _one_call(call: ToolCall, checks: Mapping[str, Check]) -> ValidityClass:
    try:
        value = msgspec.json.decode(call.arguments)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "parse"
    if not isinstance(value, dict):
        return "schema"
    check = checks.get(call.name)
    if check is None:
        return "tool name"
    return "valid" if check(value) else "arguments"
