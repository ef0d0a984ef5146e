"""One choice of an endpoint's answer: its deltas to events.

The one difficulty is which tool call a delta belongs to. OpenAI numbers them by `index`; servers have
been seen to leave it out, to start at 1, and to give every parallel call index 0. So calls are numbered
here in order of appearance, and a delta opens a new one when it has

- an index not seen before, or
- a name, and an id other than that of the call it would continue, or
- no index, and a name, and the latest call has its name already.
"""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from tithe.core.event import (
    Delta,
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
)
from tithe.wire.chunk_payload import (
    AlternativePayload,
    CalledPayload,
    CallPayload,
    DeltaPayload,
    LogprobsPayload,
)


class Choice:
    """Reads the deltas of choice `index` of the answer named `answer`."""

    def __init__(self, index: int, answer: str) -> None:
        self.finished = False
        self._index = index
        self._answer = answer
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    @property
    def called(self) -> bool:
        """Whether it has a tool call."""
        return bool(self._calls)

    def take(self, delta: DeltaPayload, logprobs: LogprobsPayload | None, at: float) -> list[Event]:
        """The events of one delta: reasoning, text, calls; the log probabilities are with the first."""
        tokens = _logprobs(logprobs)
        events: list[Event] = []
        reasoning = _text_of(delta.reasoning_content) or _text_of(delta.reasoning)
        if reasoning:
            events.append(ReasoningDelta(at=at, index=self._index, text=reasoning, logprobs=tokens))
            tokens = ()
        text = _text_of(delta.content) or delta.refusal
        if text:
            events.append(TextDelta(at=at, index=self._index, text=text, logprobs=tokens))
            tokens = ()
        for payload in delta.tool_calls or ():
            event = self._call_delta(payload, tokens, at)
            if event is not None:
                events.append(event)
                tokens = ()
        return events

    def finish(self, reason: FinishReason, at: float) -> list[Event]:
        """Its end: one event, and none when it has ended before."""
        if self.finished:
            return []
        self.finished = True
        return [Finished(at=at, index=self._index, reason=reason)]

    def _call_delta(
        self, payload: CallPayload, logprobs: tuple[TokenLogprob, ...], at: float
    ) -> Delta | None:
        called = payload.function or payload.custom or CalledPayload()
        name = called.name
        arguments = called.arguments if called.arguments is not None else called.input
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        call = self._call_of(payload, name)
        call.id = call.id or payload.id
        news = name if name and not call.name else None
        call.name = call.name or name
        if not news and not arguments:
            return None
        first, call.told = not call.told, True
        return ToolCallDelta(
            at=at,
            index=self._index,
            call=call.number,
            id=(call.id or f"call_{self._answer}_{self._index}_{call.number}") if first else None,
            name=news,
            arguments=arguments or "",
            logprobs=logprobs,
        )

    def _call_of(self, payload: CallPayload, name: str | None) -> "_Call":
        if payload.index is not None:
            call = self._by_index.get(payload.index)
        else:
            call = self._calls[-1] if self._calls else None
        if payload.id and call is not None and call.id not in (None, payload.id):
            known = next((other for other in self._calls if other.id == payload.id), None)
            call = known if known is not None or name else call
        elif payload.index is None and name and call is not None and call.name and not payload.id:
            call = None
        if call is None:
            call = _Call(len(self._calls))
            self._calls.append(call)
        if payload.index is not None:
            self._by_index[payload.index] = call
        return call


class _Call:
    def __init__(self, number: int) -> None:
        self.number = number
        self.id: str | None = None
        self.name: str | None = None
        self.told = False


def _text_of(content: Any) -> str:
    """Text as a string or as a list of parts that have `text`; empty when it is neither."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = cast("list[Any]", content)
    texts = [cast("dict[str, Any]", part).get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _logprobs(payload: LogprobsPayload | None) -> tuple[TokenLogprob, ...]:
    if payload is None or not payload.content:
        return ()
    return tuple(
        TokenLogprob(
            token=token.token,
            bytes=_spelled(token),
            logprob=token.logprob or 0.0,
            top=_alternatives(token.top_logprobs or ()),
        )
        for token in payload.content
        if token.logprob is not None
    )


def _alternatives(payloads: Sequence[AlternativePayload]) -> tuple[TopLogprob, ...]:
    return tuple(
        TopLogprob(token=top.token, bytes=_spelled(top), logprob=top.logprob)
        for top in payloads
        if top.logprob is not None
    )


def _spelled(token: AlternativePayload) -> bytes:
    return bytes(token.bytes) if token.bytes is not None else token.token.encode()
