"""OpenAI Responses, seen from outside: the parts of a request's prompt, and an answer's stamps and end.

Each item of the input is a part, and so is each item of an answer's output, since that is what comes back: a message,
reasoning, a call. Ids and statuses of items are the server's and the SDK's own. Reasoning may come sealed
(`encrypted_content`): a part tells that it is, and not by which bytes, since the same may be sealed anew.

What a request leaves to the server (`previous_response_id`, `conversation`) is not in its parts.
"""

from typing import Any

import msgspec

from tithe.core.exchange import PhaseKind
from tithe.core.part import Part, PartRole
from tithe.core.usage import Usage
from tithe.wire.answer_draft import FINISH_REASONS, AnswerDraft
from tithe.wire.error_name import error_name, error_name_of
from tithe.wire.field import as_list, as_object, as_text
from tithe.wire.rendering import Rendering, definitions

_ROLES: dict[str, PartRole] = {"system": "system", "developer": "developer", "assistant": "assistant"}
_DELTAS: dict[str, PhaseKind] = {
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.output_text.delta": "answer",
    "response.refusal.delta": "answer",
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "arguments",
    "response.mcp_call_arguments.delta": "arguments",
    "response.code_interpreter_call_code.delta": "arguments",
    "response.shell_call_command.delta": "arguments",
}
_ENDS = ("response.completed", "response.incomplete", "response.failed")


class InputDetailsPayload(msgspec.Struct):
    """Of the input tokens, those read from the cache and those written to it."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetailsPayload(msgspec.Struct):
    """Of the output tokens, those that were reasoning."""

    reasoning_tokens: int | None = None


class UsagePayload(msgspec.Struct):
    """Token counts."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetailsPayload | None = None
    output_tokens_details: OutputDetailsPayload | None = None


class ResponsePayload(msgspec.Struct):
    """A response, whole or as far as it has come."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[Any] | None = None
    usage: UsagePayload | None = None
    error: Any = None
    incomplete_details: Any = None


class EventPayload(msgspec.Struct):
    """An event of a stream."""

    type: str | None = None
    output_index: int | None = None
    item: dict[str, Any] | None = None
    delta: Any = None
    response: ResponsePayload | None = None


_events = msgspec.json.Decoder(EventPayload)
_responses = msgspec.json.Decoder(ResponsePayload)


def prompt_parts(body: dict[str, Any]) -> tuple[Part, ...]:
    """The parts of a request: tools, instructions, and the items of the input."""
    parts = list(definitions(body.get("tools"), "tools"))
    if instructions := as_text(body.get("instructions")):
        said = Rendering()
        said.text(instructions)
        parts.append(said.part("instructions", "system"))
    given = body.get("input")
    if isinstance(given, str):
        parts.append(item_part({"role": "user", "content": given}, "input"))
    parts += (item_part(item, f"input[{i}]") for i, item in enumerate(as_list(given)))
    return tuple(parts)


def item_part(item: Any, place: str) -> Part:
    """The part that an item of an input or output is."""
    fields = as_object(item)
    kind = as_text(fields.get("type"))
    said = Rendering()
    if kind == "message" or (not kind and "role" in fields):
        said.content(fields.get("content"))
        return said.part(place, _ROLES.get(as_text(fields.get("role")), "user"))
    call_id = as_text(fields.get("call_id"))
    if kind == "reasoning":
        shown = [*as_list(fields.get("content")), *as_list(fields.get("summary"))]
        text = "\n".join(as_text(as_object(piece).get("text")) for piece in shown)
        said.reasoning(text, sealed=bool(fields.get("encrypted_content")))
    elif kind in ("function_call", "custom_tool_call"):
        arguments = as_text(fields.get("arguments")) or as_text(fields.get("input"))
        said.call(as_text(fields.get("name")), arguments, call_id)
    elif kind in ("function_call_output", "custom_tool_call_output"):
        said.result(fields.get("output"), call_id)
    elif kind == "item_reference":
        said.other({"type": kind, "item": fields.get("id")})
    else:
        said.other(item)
        if call_id:
            said.mentions(call_id)
    return said.part(place, "tool" if kind.endswith("_output") else "assistant")


class ResponsesAnswer:
    """An `ApiAnswer`."""

    def __init__(self, draft: AnswerDraft) -> None:
        self._draft = draft
        self._items: dict[int, dict[str, Any]] = {}
        self._stamped: set[int] = set()
        self._output: list[Any] | None = None

    def event(self, name: str, data: bytes, at: float) -> None:
        data = data.strip()
        if not data or data == b"[DONE]":
            return
        try:
            payload = _events.decode(data)
        except (ValueError, RecursionError):
            if name == "error":
                self._draft.fail(error_name_of(data))
            else:
                self._draft.unread = "chunk"
            return
        kind, index = payload.type or name, payload.output_index or 0
        if kind in _DELTAS:
            if payload.delta:
                self._stamp(_DELTAS[kind], index, at)
        elif kind == "response.output_item.added" and payload.item is not None:
            self._items[index] = payload.item
            if _call_of(payload.item):
                self._stamp("arguments", index, at)
        elif kind == "response.output_item.done" and payload.item is not None:
            self._items[index] = payload.item
            written = _written(payload.item)
            if written is not None and index not in self._stamped:
                self._stamp(written, index, at)
        elif kind == "error":
            self._draft.fail(error_name_of(data))
        elif payload.response is not None:
            self._know(payload.response, ended=kind in _ENDS)

    def body(self, data: bytes) -> None:
        try:
            response = _responses.decode(data)
        except (ValueError, RecursionError):
            self._draft.unread = "answer"
            return
        if response.output is None and response.status is None:
            if response.error:
                self._draft.fail(error_name(response.error))
            else:
                self._draft.unread = "answer"
            return
        self._know(response, ended=True)

    def fill(self) -> None:
        # Some servers leave the output out of the last event.
        output = self._output or [self._items[index] for index in sorted(self._items)]
        calls = [call for item in output if (call := _call_of(as_object(item))) is not None]
        draft = self._draft
        draft.tool_calls = tuple(calls)
        draft.parts = tuple(item_part(item, f"output[{i}]") for i, item in enumerate(output))
        if draft.finish_reasons == ("stop",) and calls:
            draft.finish_reasons = ("tool_calls",)

    def _stamp(self, kind: PhaseKind, index: int, at: float) -> None:
        self._stamped.add(index)
        self._draft.token(kind, at)

    def _know(self, response: ResponsePayload, *, ended: bool) -> None:
        draft = self._draft
        draft.id = response.id or draft.id
        draft.model = response.model or draft.model
        if not ended:
            return
        draft.whole = True
        self._output = response.output
        self._count(response.usage)
        if response.error or response.status in ("failed", "cancelled"):
            draft.fail(error_name(response.error) or response.status)
        elif response.status == "incomplete":
            reason = as_text(as_object(response.incomplete_details).get("reason")) or "incomplete"
            draft.finish_reasons = (FINISH_REASONS.get(reason, reason),)
        elif response.status == "completed":
            draft.finish_reasons = ("stop",)

    def _count(self, told: UsagePayload | None) -> None:
        if told is None or told.input_tokens is None or told.output_tokens is None:
            return
        read, written = told.input_tokens_details, told.output_tokens_details
        self._draft.usage = Usage(
            prompt_tokens=told.input_tokens,
            completion_tokens=told.output_tokens,
            cached_tokens=None if read is None else read.cached_tokens,
            reasoning_tokens=None if written is None else written.reasoning_tokens,
        )
        self._draft.cache_write_tokens = None if read is None else read.cache_write_tokens


def _call_of(item: dict[str, Any]) -> tuple[str, str] | None:
    """The id and name of the call that an item is, if the agent is to answer it; other tools are named by their type."""
    kind, call_id = as_text(item.get("type")), as_text(item.get("call_id"))
    if not call_id or not kind.endswith("_call"):
        return None
    return call_id, as_text(item.get("name")) or kind.removesuffix("_call")


def _written(item: dict[str, Any]) -> PhaseKind | None:
    """What kind of tokens a whole item is, for servers that send items without their deltas."""
    if _call_of(item) is not None:
        return "arguments"
    if item.get("type") == "reasoning":
        return "reasoning" if item.get("content") or item.get("summary") else None
    return "answer" if item.get("type") == "message" and item.get("content") else None
