"""Chat Completions, seen from outside: the parts of a request's prompt, and an answer's stamps and end.

An answer's deltas are put together to the message that they are of, so that the part they make is rendered by what
renders the messages of the next request. `n` choices are all stamped; the message is the first's.
"""

from typing import Any

import msgspec

from tithe.core.event import Event, ReasoningDelta, TextDelta, ToolCallDelta
from tithe.core.exchange import PhaseKind
from tithe.core.part import Part, PartRole
from tithe.wire.answer_draft import FINISH_REASONS, AnswerDraft
from tithe.wire.chat_chunks import facts_of, usage_of
from tithe.wire.choice import Choice
from tithe.wire.chunk_payload import AnswerPayload
from tithe.wire.error_name import error_name_of
from tithe.wire.field import as_list, as_object, as_text
from tithe.wire.rendering import Rendering, definitions

_decoder = msgspec.json.Decoder(AnswerPayload)
_ROLES: dict[str, PartRole] = {
    "system": "system",
    "developer": "developer",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
# Finish reasons that say that it did not finish.
_BROKEN = ("error", "abort", "cancelled")


def prompt_parts(body: dict[str, Any]) -> tuple[Part, ...]:
    """The parts of a request: tools (or, in the first form of the API, functions), then messages."""
    return (
        *definitions(body.get("tools"), "tools"),
        *definitions(body.get("functions"), "functions"),
        *(message_part(said, f"messages[{i}]") for i, said in enumerate(as_list(body.get("messages")))),
    )


def message_part(message: Any, place: str) -> Part:
    """The part that a message is: what is said of it in `Rendering`, in the order reasoning, content, calls."""
    fields = as_object(message)
    said = Rendering()
    said.named(as_text(fields.get("name")))
    said.reasoning(_reasoning(fields))
    content = fields.get("content")
    role = _ROLES.get(as_text(fields.get("role")), "user")
    if role == "tool":
        said.result(content, as_text(fields.get("tool_call_id")))
    else:
        said.content(content or fields.get("refusal"))
    for call in as_list(fields.get("tool_calls")):
        _add_call(said, as_object(call))
    if fields.get("function_call"):
        _add_call(said, {"function": fields["function_call"]})
    if fields.get("audio"):
        said.other({"type": "audio", "audio": fields["audio"]})
    return said.part(place, role)


def _reasoning(fields: dict[str, Any]) -> str:
    given = as_text(fields.get("reasoning_content")) or as_text(fields.get("reasoning"))
    if given:
        return given
    details = as_list(fields.get("reasoning_details"))  # OpenRouter's form, which some agents send back alone
    return "".join(as_text(as_object(detail).get("text")) for detail in details)


def _add_call(said: Rendering, call: dict[str, Any]) -> None:
    called = as_object(call.get("function")) or as_object(call.get("custom"))
    arguments = called.get("arguments", called.get("input"))
    if arguments is not None and not isinstance(arguments, str):
        arguments = msgspec.json.encode(arguments).decode()
    said.call(as_text(called.get("name")), arguments or "", as_text(call.get("id")))


class ChatAnswer:
    """An `ApiAnswer`."""

    def __init__(self, draft: AnswerDraft) -> None:
        self._draft = draft
        self._choices: dict[int, _Told] = {}
        self._done = False

    def event(self, name: str, data: bytes, at: float) -> None:
        data = data.strip()
        if not data or self._done:
            return
        if name == "error":
            self._draft.fail(error_name_of(data))
        elif data == b"[DONE]":
            self._done = self._draft.whole = True
        else:
            self._take(data, at)

    def body(self, data: bytes) -> None:
        self._take(data, None)

    def fill(self) -> None:
        draft = self._draft
        told = [self._choices[index] for index in sorted(self._choices)]
        draft.whole = draft.whole or (bool(told) and all(choice.reason for choice in told))
        draft.finish_reasons = tuple(choice.reason for choice in told if choice.reason)
        draft.tool_calls = tuple(call for choice in told for call in choice.calls())
        draft.parts = tuple(message_part(choice.message(), "choices[0].message") for choice in told[:1])

    def _take(self, data: bytes, at: float | None) -> None:
        draft = self._draft
        try:
            payload = _decoder.decode(data)
        except (ValueError, RecursionError):
            draft.unread = "answer" if at is None else "chunk"
            return
        if payload.error or payload.object == "error":
            draft.fail(error_name_of(data))
            return
        draft.id = draft.id or payload.id
        draft.model = draft.model or payload.model
        if payload.usage is not None:
            draft.usage = usage_of(payload.usage) or draft.usage
        if payload.tithe is not None:
            draft.facts = facts_of(payload.tithe) or draft.facts
        if at is None and not payload.choices:
            draft.unread = "answer"
        for given in payload.choices or ():
            index = given.index or 0
            told = self._choices.get(index)
            if told is None:
                told = self._choices[index] = _Told(index, payload.id or "")
            delta = given.delta if given.delta is not None else given.message
            for event in told.choice.take(delta, None, at or 0.0) if delta is not None else ():
                kind = told.add(event)
                if kind is not None and at is not None:
                    draft.token(kind, at)
            if given.finish_reason:
                told.reason = FINISH_REASONS.get(given.finish_reason, given.finish_reason)
                if given.finish_reason in _BROKEN:
                    draft.fail(given.finish_reason)


class _Told:
    """What one choice has told so far."""

    def __init__(self, index: int, answer: str) -> None:
        self.choice = Choice(index, answer)
        self.reason: str | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[_Called] = []

    def add(self, event: Event) -> PhaseKind | None:
        """Take what a delta brought; return which kind of token it is."""
        if isinstance(event, TextDelta):
            self._text.append(event.text)
            return "answer"
        if isinstance(event, ReasoningDelta):
            self._reasoning.append(event.text)
            return "reasoning"
        if isinstance(event, ToolCallDelta):
            while len(self._calls) <= event.call:
                self._calls.append(_Called())
            called = self._calls[event.call]
            called.id = called.id or event.id or ""
            called.name = called.name or event.name or ""
            called.arguments.append(event.arguments)
            return "arguments"
        return None

    def calls(self) -> list[tuple[str, str]]:
        """The id and the name of each call."""
        return [(called.id, called.name) for called in self._calls if called.name]

    def message(self) -> dict[str, Any]:
        """The message as an agent sends it back."""
        return {
            "role": "assistant",
            "content": "".join(self._text),
            "reasoning_content": "".join(self._reasoning),
            "tool_calls": [
                {"id": called.id, "function": {"name": called.name, "arguments": "".join(called.arguments)}}
                for called in self._calls
            ],
        }


class _Called:
    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
