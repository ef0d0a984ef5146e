"""An answer as it comes from any backend, event by event: its choices, and what a span says of the attempt.

Nothing here waits: whoever reads the backend hands the events in.
"""

from typing import Any

from tithe.core import attributes as at
from tithe.core.errors import StreamBroken, TitheError
from tithe.core.event import (
    Delta,
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    Reported,
    Sent,
    TextDelta,
    ToolCallDelta,
)
from tithe.core.exchange import PhaseKind
from tithe.core.message import Message, ToolCall
from tithe.core.request import Request
from tithe.core.span import new_id
from tithe.core.usage import Facts, Usage
from tithe.wire.answer_draft import AnswerDraft


class _Call:
    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []


class Choice:
    """One choice as far as it has come. `finish` is None until it is complete."""

    def __init__(self) -> None:
        self.finish: FinishReason | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _Call] = {}

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls so far, of which the last may be incomplete. `id` is empty for one that came without."""
        return tuple(
            ToolCall(id=call.id, name=call.name, arguments="".join(call.arguments))
            for _, call in sorted(self._calls.items())
        )

    @property
    def pending(self) -> tuple[int, str] | None:
        """The call that may be incomplete: its place among the calls, and the last piece of its arguments; None: no call came."""
        if not self._calls:
            return None
        last = self._calls[max(self._calls)]
        return len(self._calls) - 1, next((piece for piece in reversed(last.arguments) if piece), "")

    @property
    def message(self) -> Message:
        """The turn as history keeps it. A call that came without an id is given one, for its result to name."""
        for call in self._calls.values():
            call.id = call.id or f"call_{new_id()}"
        calls = self.tool_calls
        return Message(
            role="assistant",
            content=self.text or (None if calls else ""),
            reasoning=self.reasoning or None,
            tool_calls=calls,
        )

    def take(self, delta: Delta) -> None:
        """More of it."""
        if isinstance(delta, TextDelta):
            self._text.append(delta.text)
        elif isinstance(delta, ReasoningDelta):
            self._reasoning.append(delta.text)
        else:
            call = self._calls.setdefault(delta.call, _Call())
            call.id = call.id or delta.id or ""
            call.name = call.name or delta.name or ""
            call.arguments.append(delta.arguments)


class Hearing:
    """One attempt at a call. `begun`: when it was, on the backend's clock. Choices are made as they come."""

    def __init__(self, request: Request, begun: float) -> None:
        self.request = request
        self.begun = begun
        self.choices: dict[int, Choice] = {}
        self.usage: Usage | None = None
        self.facts: Facts | None = None
        self.sent: float | None = None
        self.first_token: float | None = None
        self.last_token: float | None = None
        self.connected = 0.0
        self._draft = AnswerDraft()

    def take(self, event: Event) -> None:
        """The next event."""
        if isinstance(event, Sent):
            self.sent, self.connected = event.at, event.connected
        elif isinstance(event, Reported):
            self.usage, self.facts = event.usage, event.facts
        elif isinstance(event, Finished):
            self.choices.setdefault(event.index, Choice()).finish = event.reason
        else:
            self._draft.token(_kind(event), event.at)
            self.first_token = event.at if self.first_token is None else self.first_token
            self.last_token = event.at
            self.choices.setdefault(event.index, Choice()).take(event)

    def broken(self) -> StreamBroken | None:
        """What is wrong with an answer that has ended: no choice is complete."""
        if any(choice.finish is not None for choice in self.choices.values()):
            return None
        return StreamBroken("The answer ended without a finish reason; the endpoint cut the stream short.")

    def attributes(self, error: TitheError | None = None) -> dict[str, Any]:
        """The span's attributes; instants are offsets from `begun`. What is not reported is not among them."""
        told: dict[str, Any] = {
            at.OPERATION: "chat",
            at.REQUEST_MODEL: self.request.model,
            at.REQUEST_STREAM: True,
            at.MAX_TOKENS: self.request.max_tokens,
        }
        told |= self._instants() | at.usage_attributes(self.usage)
        if self.facts is not None:
            told |= _inside(self.facts)
        if error is not None:
            told[at.ERROR] = error.code or type(error).__name__
        return {name: value for name, value in told.items() if value is not None}

    def _instants(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self.sent is not None:
            told |= {at.SENT: self.sent - self.begun, at.CONNECT: self.connected or None}
        seen = self._draft.seal(None)
        if seen.first_token is not None and seen.last_token is not None:
            told |= {
                at.FIRST_TOKEN: seen.first_token - self.begun,
                at.FIRST_VISIBLE: None if seen.first_visible is None else seen.first_visible - self.begun,
                at.LAST_TOKEN: seen.last_token - self.begun,
                at.PHASES: [
                    [phase.kind, phase.start - self.begun, phase.end - self.begun] for phase in seen.phases
                ],
            }
        first = self.choices[min(self.choices)] if self.choices else None
        asked = [[call.id, call.name] for call in first.tool_calls] if first is not None else []
        reasons = [choice.finish for _, choice in sorted(self.choices.items()) if choice.finish is not None]
        return told | {at.FINISH_REASONS: reasons or None, at.ASKED_TOOLS: asked or None}


def _kind(delta: Delta) -> PhaseKind:
    if isinstance(delta, ReasoningDelta):
        return "reasoning"
    return "arguments" if isinstance(delta, ToolCallDelta) else "answer"


def _inside(facts: Facts) -> dict[str, Any]:
    return {
        at.PREPARE: facts.prepare_s,
        at.QUEUE: facts.queue_s,
        at.PREFILL: facts.prefill_s,
        at.DECODE: facts.decode_s,
    }
