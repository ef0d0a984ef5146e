"""What is wrong with a request body, in OpenAI's words: a message that names the field, its path, a code.

msgspec says "Expected `int`, got `str` - at `$.messages[0].role`"; a client of OpenAI's API expects
"Invalid type for 'messages[0].role': ..." with the path in `param`. `translated` makes the one of the
other; the other functions build the same kind of error for what msgspec cannot check.
"""

import re
from typing import Any

import msgspec

from tithe.core.errors import InvalidRequest

MAX_DEPTH = 100
_LONGEST_NAME = 200

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_WRONG_TYPE = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_WRONG_VALUE = re.compile(r"Expected `([^`]*)` (.+)")
_PATH = re.compile(r" - at .*?`\$([^`]*)`$", re.DOTALL)

_IN_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}


def invalid_value(param: str, why: str) -> InvalidRequest:
    """The field has a value that it may not have. `why` ends the sentence "Invalid value for 'x': ..."."""
    return InvalidRequest(f"Invalid value for '{param}': {why}", param=param, code="invalid_value")


def missing(param: str, why: str = "") -> InvalidRequest:
    """The field has to be there and is not."""
    message = f"Missing required parameter: '{param}'." + (f" {why}" if why else "")
    return InvalidRequest(message, param=param, code="missing_required_parameter")


def unsupported(param: str, instead: str) -> InvalidRequest:
    """The field, or what it asks for, exists in OpenAI's API and is not served here."""
    return InvalidRequest(
        f"Unsupported parameter: '{param}'. {instead}", param=param, code="unsupported_parameter"
    )


def check_depth(value: Any, param: str) -> None:
    """Refuse free-form JSON nested so deep that whoever walks it later could run out of stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
            elif isinstance(item, list):
                deeper.extend(item)  # pyright: ignore[reportUnknownArgumentType]
        if not deeper:
            return
        level = deeper
    raise invalid_value(param, f"nested deeper than {MAX_DEPTH} levels. Flatten it.")


def translated(error: Exception) -> InvalidRequest:
    """The error of a body that could not be decoded, as the one the client is told.

    Args:
        error: what `msgspec.json.Decoder.decode` raised.
    """
    if isinstance(error, RecursionError):
        return InvalidRequest("The request body is nested too deep. Flatten it.", code="invalid_json")
    if not isinstance(error, msgspec.ValidationError):
        return InvalidRequest(
            f"We could not parse the JSON body of your request: {error}. Send one JSON object in UTF-8.",
            code="invalid_json",
        )
    text = str(error)
    at = _PATH.search(text)
    param = "" if at is None else at.group(1).replace("[...]", "").removeprefix(".")
    return _of_field(text if at is None else text[: at.start()], param)


def _of_field(what: str, param: str) -> InvalidRequest:
    if found := _UNKNOWN.fullmatch(what):
        name = _joined(param, found.group(1)[:_LONGEST_NAME])
        return InvalidRequest(
            f"Unknown parameter: '{name}'. Leave it out.", param=name, code="unknown_parameter"
        )
    if found := _MISSING.fullmatch(what):
        return missing(_joined(param, found.group(1)))
    if found := _WRONG_TYPE.fullmatch(what):
        expected, got = (_words(group) for group in found.groups())
        if not param:
            return InvalidRequest(
                f"The request body has to be {expected}, but it is {got}.", code="invalid_type"
            )
        return InvalidRequest(
            f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
            param=param,
            code="invalid_type",
        )
    if not param:
        return InvalidRequest(f"The request body has to be an object: {what}.", code="invalid_type")
    if found := _WRONG_VALUE.fullmatch(what):
        return invalid_value(param, f"expected {_words(found.group(1))} {found.group(2)}.")
    return invalid_value(param, f"{what}."[:_LONGEST_NAME])


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _words(types: str) -> str:
    return " or ".join(_IN_WORDS.get(name, name) for name in types.split(" | "))
