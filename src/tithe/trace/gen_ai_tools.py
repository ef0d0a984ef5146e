"""Which tools an answer asked for, and which results a request brings, told from the messages that a span may hold.

Messages are content: instrumentations leave them out unless asked, and none is kept here; only the ids and names of
tool calls. They come as

- `gen_ai.output.messages`, `gen_ai.input.messages`: a list, or JSON of one, of `{role, parts: [{type, id, name}]}`;
- events `gen_ai.choice`, whose `message` has `tool_calls` as OpenAI's API has them;
- `llm.output_messages.0.message.tool_calls.0.tool_call.id`, flattened, in OpenInference;
- `gen_ai.completion.0.tool_calls.0.id`, flattened, in OpenLLMetry.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from tithe.trace.otel import OtelEvent

_FLAT = re.compile(
    r"(?:llm\.output_messages\.(\d+)\.message\.tool_calls\.(\d+)\.tool_call\.(?:function\.)?(id|name)"
    r"|gen_ai\.completion\.(\d+)\.tool_calls\.(\d+)\.(id|name))"
)
_INPUT = re.compile(r"llm\.input_messages\.(\d+)\.message\.(role|tool_call_id)")


def asked_tools(told: Mapping[str, Any], events: Iterable[OtelEvent]) -> list[list[str]]:
    """[[id, name], ...] of the tools that an answer asked for; an id that is not told is empty."""
    flat: dict[tuple[int, int], dict[str, str]] = {}
    for key, value in told.items():
        found = _FLAT.fullmatch(key)
        if found is not None and isinstance(value, str):
            message, place, field = found.groups()[:3] if found[1] is not None else found.groups()[3:]
            flat.setdefault((int(message), int(place)), {})[field] = value
    asked = [[each.get("id", ""), each["name"]] for _, each in sorted(flat.items()) if "name" in each]
    for message in _messages(told.get("gen_ai.output.messages")):
        for part in _dicts(message.get("parts")):
            name = part.get("name")
            if part.get("type") == "tool_call" and isinstance(name, str):
                asked.append([_text(part.get("id")), name])
    for choice in events:
        if choice.name != "gen_ai.choice":
            continue
        called = _dict(choice.attributes.get("message")).get(
            "tool_calls", choice.attributes.get("tool_calls")
        )
        for call in _messages(called):
            name = _dict(call.get("function")).get("name")
            if isinstance(name, str):
                asked.append([_text(call.get("id")), name])
    return list({(id_ or place, name): [id_, name] for place, (id_, name) in enumerate(asked)}.values())


def tool_results(told: Mapping[str, Any]) -> list[str]:
    """The ids of the tool results that stand after the last answer in a request."""
    flat: dict[int, dict[str, str]] = {}
    for key, value in told.items():
        found = _INPUT.fullmatch(key)
        if found is not None and isinstance(value, str):
            flat.setdefault(int(found[1]), {})[found[2]] = value
    results: list[str] = []
    for _, message in sorted(flat.items()):
        if message.get("role") == "assistant":
            results.clear()
        elif "tool_call_id" in message:
            results.append(message["tool_call_id"])
    for message in _messages(told.get("gen_ai.input.messages")):
        if message.get("role") == "assistant":
            results.clear()
        results += [
            part["id"]
            for part in _dicts(message.get("parts"))
            if part.get("type") == "tool_call_response" and isinstance(part.get("id"), str)
        ]
    return list(dict.fromkeys(results))


def finish_reasons(told: Mapping[str, Any], events: Iterable[OtelEvent]) -> list[str]:
    """Why each choice ended."""
    for name in ("gen_ai.response.finish_reasons", "llm.finish_reason", "gen_ai.response.finish_reason"):
        value = told.get(name)
        if isinstance(value, str):
            value = _decoded(value) if value.startswith("[") else [value]
        if isinstance(value, list | tuple) and value:
            return [one for one in cast("list[Any]", value) if isinstance(one, str)]
    found = [event.attributes.get("finish_reason") for event in events if event.name == "gen_ai.choice"]
    found += [message.get("finish_reason") for message in _messages(told.get("gen_ai.output.messages"))]
    return [one for one in found if isinstance(one, str)]


def _messages(value: Any) -> Iterator[dict[str, Any]]:
    return _dicts(_decoded(value))


def _decoded(value: Any) -> Any:
    """What a string holds as JSON; anything else as it is, and None for what is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _dict(value: Any) -> dict[str, Any]:
    decoded = _decoded(value)
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list | tuple):
        for one in cast("list[Any]", value):
            decoded = _decoded(one)
            if isinstance(decoded, dict):
                yield cast("dict[str, Any]", decoded)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
