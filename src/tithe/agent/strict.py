"""OpenAI's strict subset of JSON schema: what an endpoint can hold a model to while it writes.

In it each object requires all of its properties and allows no others, so that what may be left out is written as null instead.
Endpoints turn down a schema with a keyword that is not in it, `default` among them at some. The subset is that of the guide to structured
outputs; what is not surely in it is taken to be outside.
"""

from typing import Any, cast

import msgspec

Schema = dict[str, Any]

_KEYWORDS = frozenset(
    "$schema $defs $ref title description type enum const anyOf properties required additionalProperties items minItems maxItems "
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf pattern format".split()
)
_FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid".split())
_KINDS: dict[type, str] = {str: "string", int: "integer", bool: "boolean"}


class _Outside(Exception):
    """A part that cannot be said in the subset."""


def strict_schema(schema: Schema) -> Schema | None:
    """The schema of a tool's arguments in the strict subset; None: it cannot be said there.

    A property that may be left out becomes required and nullable, and null means its default, which its description tells. Where null is
    a value of its own beside another default it would mean two things: that is outside, as is what a nested object may leave out.
    """
    required: list[str] = schema.get("required", [])
    properties: dict[str, Schema] = schema.get("properties", {})
    try:
        told = {name: part if name in required else _nullable(part) for name, part in properties.items()}
        return _part(
            schema
            | {"properties": told, "required": required if told.keys() == set(required) else list(told)}
        )
    except _Outside:
        return None


def is_strict(schema: Schema) -> bool:
    """Whether a schema is in the strict subset as it stands."""
    try:
        return schema.get("type") == "object" and _part(schema) == schema
    except _Outside:
        return False


def _nullable(part: Schema) -> Schema:
    """What may be left out, as what may be null."""
    core = {key: value for key, value in part.items() if key not in ("default", "description")}
    words = part.get("description", "")
    defaults_to_null = "default" in part and part["default"] is None
    if _admits_null(core):
        if not defaults_to_null:
            raise _Outside
    else:
        core = {
            "anyOf": [*core["anyOf"], {"type": "null"}]
            if core.keys() == {"anyOf"}
            else [core, {"type": "null"}]
        }
    if not defaults_to_null:
        value = f": {msgspec.json.encode(part['default']).decode()}" if "default" in part else ""
        words = f"{words} (null for the default{value})".strip()
    return core | ({"description": words} if words else {})


def _admits_null(part: Schema) -> bool:
    return (
        not part
        or "null" in _kinds(part)
        or None in part.get("enum", ())
        or any(_admits_null(each) for each in part.get("anyOf", ()))
    )


def _kinds(part: Schema) -> list[str]:
    kinds: str | list[str] = part.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def _part(given: Any) -> Schema:
    """A part of a schema, as it is in the subset. Raises `_Outside`."""
    part = dict(_object(given))
    if "$ref" in part and len(part) > 1:  # nothing stands beside a reference there
        part = {"anyOf": [{"$ref": part.pop("$ref")}]} | part
    if "enum" in part and "type" not in part:
        kinds = {_KINDS.get(type(value)) for value in cast("list[object]", part["enum"])}
        if len(kinds) != 1 or None in kinds:
            raise _Outside
        part["type"] = kinds.pop()
    if "properties" in part and "additionalProperties" not in part:
        part["additionalProperties"] = False  # to leave a field out that nobody reads is no loss
    if not _sayable(part):
        raise _Outside
    for key in ("properties", "$defs"):
        if key in part:
            part[key] = {name: _part(inner) for name, inner in _object(part[key]).items()}
    if "anyOf" in part:
        part["anyOf"] = [_part(inner) for inner in part["anyOf"]]
    if "items" in part:
        part["items"] = _part(part["items"])
    return part


def _object(given: Any) -> Schema:
    if not isinstance(given, dict):
        raise _Outside
    return cast("Schema", given)


def _sayable(part: Schema) -> bool:
    """Whether a part is in the subset, apart from those that stand in it."""
    if not part.keys() <= _KEYWORDS or not part.keys() & {"type", "anyOf", "$ref"}:
        return False
    if "format" in part and part["format"] not in _FORMATS:
        return False
    kinds = _kinds(part)
    if "array" in kinds and "items" not in part:
        return False
    return "object" not in kinds or (
        part.get("additionalProperties") is False
        and set(part.get("required", ())) == set(part.get("properties", ()))
    )
