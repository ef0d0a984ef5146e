"""Anthropic Messages, seen from outside: the parts of a request's prompt, and an answer's stamps and end.

A user message that brings tool results has the role `tool`, whatever text stands beside them: an agent adds reminders
there, and no person spoke. An answer's deltas are put together to the blocks that they are of, so that its part is
rendered by what renders the messages of the next request. A call's `input` is an object here, so its text is that
object's JSON without white space, with the keys in the order in which the model wrote them.

The blocks of tools that the server runs itself are the model's tokens too, but no calls that the agent answers.
"""

from typing import Any

import msgspec

from tithe.core.exchange import PhaseKind
from tithe.core.part import Part, digest
from tithe.core.usage import Usage
from tithe.wire.answer_draft import FINISH_REASONS, AnswerDraft
from tithe.wire.error_name import error_name, error_name_of
from tithe.wire.field import as_list, as_object, as_text
from tithe.wire.rendering import Rendering, definitions


class OutputDetailsPayload(msgspec.Struct):
    """Of the output tokens, those that were thinking."""

    thinking_tokens: int | None = None


class UsagePayload(msgspec.Struct):
    """Token counts; `input_tokens` are those neither read from the cache nor written to it."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: OutputDetailsPayload | None = None


class MessagePayload(msgspec.Struct):
    """A whole message, or the beginning of one, or (`type` "error") what there is instead."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[Any] | None = None
    stop_reason: str | None = None
    usage: UsagePayload | None = None
    error: Any = None


class DeltaPayload(msgspec.Struct):
    """What a block grew by, or (`stop_reason`) what is now known of the message."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class EventPayload(msgspec.Struct):
    """An event of a stream."""

    type: str | None = None
    index: int | None = None
    message: MessagePayload | None = None
    content_block: dict[str, Any] | None = None
    delta: DeltaPayload | None = None
    usage: UsagePayload | None = None
    error: Any = None


# The kind of token that a block grows by; what is not here is no token.
_KINDS: dict[str, PhaseKind] = {"text": "answer", "thinking": "reasoning", "input": "arguments"}
_events = msgspec.json.Decoder(EventPayload)
_messages = msgspec.json.Decoder(MessagePayload)


def prompt_parts(body: dict[str, Any]) -> tuple[Part, ...]:
    """The parts of a request: tools, the system prompt (a part a block), messages."""
    system = body.get("system")
    if isinstance(system, str):
        blocks = [("system", system)] if system else []
    else:
        blocks = [(f"system[{i}]", [block]) for i, block in enumerate(as_list(system))]
    parts = list(definitions(body.get("tools"), "tools"))
    for place, content in blocks:
        said = Rendering()
        said.content(content)
        parts.append(said.part(place, "system"))
    parts += (message_part(said, f"messages[{i}]") for i, said in enumerate(as_list(body.get("messages"))))
    return tuple(parts)


def message_part(message: Any, place: str) -> Part:
    """The part that a message is: its blocks in their order."""
    fields = as_object(message)
    said = Rendering()
    content = fields.get("content")
    if isinstance(content, str):
        said.content(content)
    brings_results = False
    for block in as_list(content):
        shown = as_object(block)
        brings_results |= shown.get("type") == "tool_result"
        _add_block(said, shown)
    role = as_text(fields.get("role"))
    if role in ("assistant", "system"):
        return said.part(place, "assistant" if role == "assistant" else "system")
    return said.part(place, "tool" if brings_results else "user")


def _add_block(said: Rendering, block: dict[str, Any]) -> None:
    match block.get("type"):
        case "text":
            said.content([block])
        case "thinking":
            # What is thought may be withheld; the signature is then all that tells one thought from another.
            hidden = digest(as_text(block.get("signature")), 16)
            said.reasoning(as_text(block.get("thinking")) or hidden)
        case "redacted_thinking":
            said.reasoning(digest(as_text(block.get("data")), 16))
        case "tool_use":
            arguments = msgspec.json.encode(block.get("input")).decode()
            said.call(as_text(block.get("name")), arguments, as_text(block.get("id")))
        case "tool_result":
            call_id, failed = as_text(block.get("tool_use_id")), block.get("is_error") is True
            said.result(block.get("content"), call_id, failed=failed)
        case _:
            said.other(block)


class MessagesAnswer:
    """An `ApiAnswer`."""

    def __init__(self, draft: AnswerDraft) -> None:
        self._draft = draft
        self._blocks: dict[int, _Block] = {}
        self._content: list[Any] | None = None
        self._usage = UsagePayload()
        self._counted = False

    def event(self, name: str, data: bytes, at: float) -> None:
        data = data.strip()
        if not data:
            return
        try:
            payload = _events.decode(data)
        except (ValueError, RecursionError):
            if name == "error":
                self._draft.fail(error_name_of(data))
            else:
                self._draft.unread = "chunk"
            return
        match payload.type or name:
            case "message_start" if payload.message is not None:
                self._begin(payload.message)
            case "content_block_start" if payload.content_block is not None:
                block = self._blocks[payload.index or 0] = _Block(payload.content_block)
                self._stamp(block.opens_with(), at)
            case "content_block_delta" if payload.delta is not None:
                block = self._blocks.setdefault(payload.index or 0, _Block({}))
                self._stamp(block.add(payload.delta), at)
            case "message_delta":
                self._count(payload.usage)
                self._counted |= payload.usage is not None
                if payload.delta is not None:
                    self._stop(payload.delta.stop_reason)
            case "message_stop":
                self._draft.whole = True
            case "error":
                self._draft.fail(error_name(payload.error) or error_name_of(data))
            case _:
                pass

    def body(self, data: bytes) -> None:
        try:
            payload = _messages.decode(data)
        except (ValueError, RecursionError):
            self._draft.unread = "answer"
            return
        if payload.error or payload.type == "error":
            self._draft.fail(error_name_of(data))
            return
        self._begin(payload)
        self._counted = payload.usage is not None
        self._content = payload.content
        self._stop(payload.stop_reason)
        self._draft.whole = payload.content is not None
        if payload.content is None:
            self._draft.unread = "answer"

    def fill(self) -> None:
        draft = self._draft
        draft.usage, draft.cache_write_tokens = self._usage_of()
        content = self._content
        if content is None:
            content = [self._blocks[index].whole() for index in sorted(self._blocks)]
        asked = [as_object(block) for block in content if as_object(block).get("type") == "tool_use"]
        draft.tool_calls = tuple((as_text(block.get("id")), as_text(block.get("name"))) for block in asked)
        if content:
            draft.parts = (message_part({"role": "assistant", "content": content}, "content"),)

    def _begin(self, message: MessagePayload) -> None:
        self._draft.id = message.id
        self._draft.model = message.model
        self._count(message.usage)

    def _stop(self, reason: str | None) -> None:
        if reason:
            self._draft.finish_reasons = (FINISH_REASONS.get(reason, reason),)
            self._draft.whole = True

    def _stamp(self, kind: PhaseKind | None, at: float) -> None:
        if kind is not None:
            self._draft.token(kind, at)

    def _count(self, usage: UsagePayload | None) -> None:
        """What a later event tells of the usage replaces what an earlier one told."""
        if usage is None:
            return
        for field in UsagePayload.__struct_fields__:
            told = getattr(usage, field)
            if told is not None:
                setattr(self._usage, field, told)

    def _usage_of(self) -> tuple[Usage | None, int | None]:
        """The usage, and the tokens written to the cache. At its start a message has no true count of its output."""
        told = self._usage
        written = told.cache_creation_input_tokens
        if not self._counted or told.input_tokens is None or told.output_tokens is None:
            return None, written
        read, details = told.cache_read_input_tokens, told.output_tokens_details
        usage = Usage(
            prompt_tokens=told.input_tokens + (read or 0) + (written or 0),
            completion_tokens=told.output_tokens,
            cached_tokens=read,
            reasoning_tokens=None if details is None else details.thinking_tokens,
        )
        return usage, written


class _Block:
    """One block of a streamed answer: as it began, and what it grew by."""

    def __init__(self, opening: dict[str, Any]) -> None:
        self._opening = opening
        self._kind = as_text(opening.get("type"))
        self._pieces: dict[str, list[str]] = {}

    def opens_with(self) -> PhaseKind | None:
        """The kind of token that its opening is: a call's name, or what some servers put there already."""
        if self._kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
            return "arguments" if self._opening.get("name") else None
        if self._kind == "text":
            return "answer" if self._opening.get("text") else None
        if self._kind in ("thinking", "redacted_thinking"):
            return "reasoning" if self._opening.get("thinking") or self._opening.get("data") else None
        return None

    def add(self, delta: DeltaPayload) -> PhaseKind | None:
        """Take a delta; return the kind of token it is. A signature is none."""
        kind: PhaseKind | None = None
        for field, piece in (
            ("text", delta.text),
            ("thinking", delta.thinking),
            ("input", delta.partial_json),
            ("signature", delta.signature),
        ):
            if piece:
                self._pieces.setdefault(field, []).append(piece)
                kind = _KINDS.get(field) or kind
        return kind

    def whole(self) -> dict[str, Any]:
        """The block as an agent sends it back."""
        block = dict(self._opening)
        for field, pieces in self._pieces.items():
            grown = "".join(pieces)
            block[field] = _decoded(grown) if field == "input" else as_text(block.get(field)) + grown
        if not self._kind:
            block["type"] = "thinking" if "thinking" in block else "text"
        return block


def _decoded(text: str) -> Any:
    """The object that a call's arguments are; their text where the model wrote no JSON, or was cut off."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return text
