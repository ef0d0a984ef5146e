"""What a Chat Completions request lets the model call, and the form it asks of the answer; both ways."""

import re
from collections.abc import Sequence
from typing import Any

from tithe.core.errors import InvalidRequest
from tithe.core.request import ResponseFormat, Tool, ToolChoice
from tithe.wire.chat_fault import check_depth, invalid_value, missing, unsupported
from tithe.wire.chat_payload import ResponseFormatPayload, ToolChoicePayload, ToolPayload

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NAME_RULE = "expected 1 to 64 letters, digits, underscores or dashes."


def decode_tools(payloads: Sequence[ToolPayload]) -> tuple[Tool, ...]:
    """Raises InvalidRequest, with the path of the field, for a tool that cannot be served."""
    tools: dict[str, Tool] = {}
    for i, payload in enumerate(payloads):
        path = f"tools[{i}]"
        if payload.type != "function" or payload.custom is not None:
            raise unsupported(f"{path}.type", "Only tools of type 'function' are served.")
        function = payload.function
        if function is None:
            raise missing(f"{path}.function")
        if not _NAME.fullmatch(function.name):
            raise invalid_value(f"{path}.function.name", _NAME_RULE)
        if function.name in tools:
            raise invalid_value(f"{path}.function.name", f"a tool named '{function.name}' is listed already.")
        if function.parameters is not None:
            _check_parameters(function.parameters, function.name, f"{path}.function.parameters")
        tools[function.name] = Tool(
            name=function.name,
            description=function.description,
            parameters=function.parameters,
            strict=function.strict,
        )
    return tuple(tools.values())


def _check_parameters(schema: dict[str, Any], name: str, path: str) -> None:
    check_depth(schema, path)
    if schema.get("type") != "object":
        got = repr(schema.get("type"))[:200]
        raise InvalidRequest(
            f"Invalid schema for function '{name}': '{path}' has to be a JSON schema of type \"object\", got {got}.",
            param=path,
            code="invalid_function_parameters",
        )


def decode_choice(payload: str | ToolChoicePayload | None, tools: Sequence[Tool]) -> ToolChoice:
    """Raises InvalidRequest for a choice that is not served, or that the tools cannot satisfy."""
    if payload is None or payload == "auto":
        return ToolChoice()
    if payload == "none":
        return ToolChoice(mode="none")
    if isinstance(payload, str) and payload != "required":
        raise invalid_value(
            "tool_choice", "expected 'auto', 'none', 'required' or a function's name in an object."
        )
    if not tools:
        raise invalid_value("tool_choice", "it asks for a tool call, and 'tools' lists none.")
    if isinstance(payload, str):
        return ToolChoice(mode="required")
    if payload.type == "allowed_tools" or payload.allowed_tools is not None:
        raise unsupported("tool_choice.allowed_tools", "List only the allowed tools in 'tools' instead.")
    if payload.type != "function" or payload.custom is not None:
        raise unsupported("tool_choice.type", "Only tools of type 'function' are served.")
    if payload.function is None:
        raise missing("tool_choice.function")
    name = payload.function.name
    if all(tool.name != name for tool in tools):
        raise invalid_value("tool_choice.function.name", f"'tools' lists no function named '{name[:200]}'.")
    return ToolChoice(mode="named", name=name)


def decode_format(payload: ResponseFormatPayload | None) -> ResponseFormat:
    """Raises InvalidRequest for a json_schema without its schema."""
    if payload is None:
        return ResponseFormat()
    asked = payload.json_schema
    if payload.type != "json_schema":
        if asked is not None:
            raise invalid_value("response_format.json_schema", f"the format's type is '{payload.type}'.")
        return ResponseFormat(kind=payload.type)
    if asked is None:
        raise missing("response_format.json_schema")
    if not _NAME.fullmatch(asked.name):
        raise invalid_value("response_format.json_schema.name", _NAME_RULE)
    if asked.schema is None:
        raise missing("response_format.json_schema.schema")
    check_depth(asked.schema, "response_format.json_schema.schema")
    return ResponseFormat(kind="json_schema", name=asked.name, schema=asked.schema, strict=asked.strict)


def encode_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The tools as JSON objects; what a tool leaves open is left out."""
    return [{"type": "function", "function": _encode_function(tool)} for tool in tools]


def _encode_function(tool: Tool) -> dict[str, Any]:
    fields = {"description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
    return {"name": tool.name} | {field: value for field, value in fields.items() if value is not None}


def encode_choice(choice: ToolChoice) -> Any:
    """The choice as a word, or as the object that names a function."""
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def encode_format(form: ResponseFormat) -> dict[str, Any]:
    """The response format as a JSON object."""
    if form.kind != "json_schema":
        return {"type": form.kind}
    schema: dict[str, Any] = {"name": form.name, "schema": form.schema}
    if form.strict is not None:
        schema["strict"] = form.strict
    return {"type": "json_schema", "json_schema": schema}
