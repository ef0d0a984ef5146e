"""The conversation of a Chat Completions request: payloads to `core.Message`, and back.

Content parts are joined without anything between them, as chat templates do. An assistant's refusal is
its content where it has no other. Reasoning is read from `reasoning_content` or `reasoning` and written
as `reasoning_content`. Tool-call arguments pass through untouched.
"""

from collections.abc import Sequence
from typing import Any

from tithe.core.errors import InvalidRequest
from tithe.core.message import Message, ToolCall
from tithe.wire.chat_fault import invalid_value, missing, unsupported
from tithe.wire.chat_payload import MessagePayload, PartPayload, ToolCallPayload


def decode_messages(payloads: Sequence[MessagePayload]) -> tuple[Message, ...]:
    """Raises InvalidRequest, with the path of the field, for what does not make a conversation."""
    if not payloads:
        raise InvalidRequest(
            "Invalid 'messages': expected an array with at least one message, but it is empty.",
            param="messages",
            code="empty_array",
        )
    called: set[str] = set()
    messages: list[Message] = []
    for i, payload in enumerate(payloads):
        path = f"messages[{i}]"
        _check_role(payload, path)
        if payload.role == "tool":
            _check_answers(payload, path, called)
        message = _message(payload, path)
        called.update(call.id for call in message.tool_calls)
        messages.append(message)
    return tuple(messages)


def _check_role(payload: MessagePayload, path: str) -> None:
    """Refuse what is not served, and fields that belong to another role."""
    if payload.function_call is not None:
        raise unsupported(f"{path}.function_call", "Use 'tool_calls' instead.")
    if payload.audio is not None:
        raise unsupported(f"{path}.audio", "This endpoint takes text only.")
    if payload.role != "tool" and payload.tool_call_id is not None:
        raise invalid_value(
            f"{path}.tool_call_id", f"a message of role '{payload.role}' answers no tool call."
        )
    if payload.role == "assistant":
        return
    for field in ("tool_calls", "reasoning_content", "reasoning", "refusal"):
        if getattr(payload, field):
            raise invalid_value(f"{path}.{field}", f"a message of role '{payload.role}' has none.")


def _check_answers(payload: MessagePayload, path: str, called: set[str]) -> None:
    param = f"{path}.tool_call_id"
    if payload.tool_call_id is None:
        raise missing(param, "A message of role 'tool' says which tool call it answers.")
    if payload.tool_call_id not in called:
        raise invalid_value(
            param, f"no earlier assistant message has a tool call with the id '{payload.tool_call_id[:200]}'."
        )


def _message(payload: MessagePayload, path: str) -> Message:
    content = _content(payload.content, f"{path}.content")
    if content is None:
        content = payload.refusal
    reasoning = payload.reasoning_content if payload.reasoning_content is not None else payload.reasoning
    if payload.reasoning is not None and payload.reasoning != reasoning:
        raise invalid_value(f"{path}.reasoning", "it differs from 'reasoning_content'. Send one of them.")
    if content is None and not payload.tool_calls and reasoning is None:
        raise missing(f"{path}.content")
    return Message(
        role=payload.role,
        content=content,
        reasoning=reasoning,
        tool_calls=tuple(
            _tool_call(call, f"{path}.tool_calls[{j}]") for j, call in enumerate(payload.tool_calls or ())
        ),
        tool_call_id=payload.tool_call_id,
        name=payload.name,
    )


def _content(content: str | list[PartPayload] | None, path: str) -> str | None:
    if not isinstance(content, list):
        return content
    if not content:
        raise invalid_value(path, "expected at least one part, but the array is empty.")
    return "".join(_text(part, f"{path}[{j}]") for j, part in enumerate(content))


def _text(part: PartPayload, path: str) -> str:
    if part.type not in ("text", "refusal"):
        raise InvalidRequest(
            f"Unsupported content at '{path}': a part of type '{part.type[:200]}'. This endpoint takes text only.",
            param=f"{path}.type",
            code="unsupported_value",
        )
    for field in ("image_url", "input_audio", "file"):
        if getattr(part, field) is not None:
            raise unsupported(f"{path}.{field}", "This endpoint takes text only.")
    text = part.text if part.type == "text" else part.refusal
    if text is None:
        raise missing(f"{path}.{part.type}")
    return text


def _tool_call(payload: ToolCallPayload, path: str) -> ToolCall:
    if payload.type != "function" or payload.custom is not None:
        raise unsupported(f"{path}.type", "Only tool calls of type 'function' are served.")
    if payload.function is None:
        raise missing(f"{path}.function")
    return ToolCall(id=payload.id, name=payload.function.name, arguments=payload.function.arguments)


def encode_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages as JSON objects, `content` null where a turn has none."""
    return [_encode_message(message) for message in messages]


def _encode_message(message: Message) -> dict[str, Any]:
    payload: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        payload["name"] = message.name
    if message.reasoning is not None:
        payload["reasoning_content"] = message.reasoning
    if message.tool_calls:
        payload["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        payload["tool_call_id"] = message.tool_call_id
    return payload
