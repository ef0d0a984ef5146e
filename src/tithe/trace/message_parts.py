"""A prompt's fingerprints, from messages that somebody else's span or log holds.

Nothing of the text is kept (core/part.py). The parts are those of the messages as they were recorded, which may not be the
bytes that were sent: they tell prompts of one source apart, and not from another's.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from tithe.core.part import Part, PartRole, fingerprint

_ROLES: dict[str, PartRole] = {
    "system": "system",
    "developer": "developer",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
_FLAT = re.compile(r"llm\.(input_messages|tools)\.(\d+)\.(.+)")


def message_parts(messages: Any, *, system: Any = None, tools: Any = None) -> tuple[Part, ...]:
    """The prompt that messages are, with the system's instructions and the tools where they stand apart.

    Each may be plain data or JSON of it. A message is an object with `role`, and `content` or `parts`; what has another
    form makes no part.
    """
    parts = [
        fingerprint(_text(tool), place=f"tools[{place}]", role="tool_definition", name=_name(tool))
        for place, tool in enumerate(_list(tools))
    ]
    if _list(system):
        parts.append(fingerprint(_text(_list(system)), place="system", role="system"))
    for place, message in enumerate(_list(messages)):
        if isinstance(message, dict):
            parts.append(_message(cast("dict[str, Any]", message), f"messages[{place}]"))
    return tuple(parts)


def prompt_of(told: Mapping[str, Any]) -> tuple[Part, ...]:
    """The prompt that a span's attributes hold, by the GenAI conventions or OpenInference's; empty where they hold none."""
    plain = message_parts(
        told.get("gen_ai.input.messages"),
        system=told.get("gen_ai.system_instructions"),
        tools=told.get("gen_ai.tool.definitions"),
    )
    if plain:
        return plain
    flat: dict[str, dict[int, dict[str, Any]]] = {"input_messages": {}, "tools": {}}
    for key, value in told.items():
        found = _FLAT.fullmatch(key)
        if found is not None:
            flat[found[1]].setdefault(int(found[2]), {})[found[3]] = value
    messages = [_unflattened(fields) for _, fields in sorted(flat["input_messages"].items())]
    return message_parts(
        messages, tools=[dict(sorted(fields.items())) for _, fields in sorted(flat["tools"].items())]
    )


def _unflattened(fields: dict[str, Any]) -> dict[str, Any]:
    """A message of flattened fields: its role and content, and the rest as it is."""
    told = {name.removeprefix("message."): value for name, value in sorted(fields.items())}
    calls = [{"id": value} for name, value in told.items() if name.endswith(".tool_call.id")]
    return told | ({"tool_calls": calls} if calls else {})


def _message(message: dict[str, Any], place: str) -> Part:
    content = message.get("content", message.get("parts"))
    rest = {name: value for name, value in message.items() if name not in ("role", "content", "parts")}
    text = content if isinstance(content, str) else "" if content is None else _text(content)
    role = message.get("role")
    inner = [*_list(message.get("tool_calls")), *_list(message.get("parts"))]
    calls = [cast("dict[str, Any]", one).get("id") for one in inner if isinstance(one, dict)]
    calls.append(message.get("tool_call_id"))
    return fingerprint(
        text + (_text(rest) if rest else ""),
        place=place,
        role=_ROLES.get(role, "user") if isinstance(role, str) else "user",
        name=_name(message),
        calls=tuple(call for call in calls if isinstance(call, str)),
    )


def _name(told: Any) -> str | None:
    name = cast("dict[str, Any]", told).get("name") if isinstance(told, dict) else None
    return name if isinstance(name, str) else None


def _list(value: Any) -> list[Any]:
    """What an array holds, or JSON of one; nothing where it is neither."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return []
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else []


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return repr(value)
