"""Events to a Chat Completions response, as a stream of chunks or in one piece.

A chunk is written for every delta of every call, so its frame is put together from bytes: what is the
same in all chunks of a stream is encoded once, and only the delta itself goes through the JSON encoder
(a text delta costs about a microsecond). The form is OpenAI's, field for field; reasoning is added as
`reasoning_content`, as DeepSeek, vLLM and SGLang have it, and the endpoint's own account of the call as
`tithe`, on request.

What was not reported is left out: a missing `cached_tokens` is not zero.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tithe.core.errors import StreamBroken
from tithe.core.event import (
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    Reported,
    Sent,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
)
from tithe.core.usage import Facts, Usage
from tithe.wire import sse

# JSON has no infinities; OpenAI gives this for a token that is next to impossible.
LEAST_LOGPROB = -9999.0

_encode = msgspec.json.Encoder().encode
_NO_LOGPROBS = b"null"
_ROLE_WITH_TEXT = b'{"role":"assistant","content":""}'
_ROLE_WITHOUT_TEXT = b'{"role":"assistant","content":null}'


class ChunkWriter:
    """Writes one call's stream.

    The first frame of a choice is its role chunk, which comes right before its first delta: `Sent` gives
    no frame. With `include_usage` every chunk has `usage`, null but in the last, whose `choices` is empty.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the field is called that
        created: int,
        model: str,
        include_usage: bool = False,
        want_facts: bool = False,
    ) -> None:
        head = _encode({"id": id, "object": "chat.completion.chunk", "created": created, "model": model})
        self._head = b"data: " + head[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._include_usage = include_usage
        self._want_facts = want_facts
        self._begun: set[int] = set()

    def write(self, event: Event) -> list[bytes]:
        """The frames that the event makes, in order: none, one, or a role chunk and one."""
        if isinstance(event, TextDelta):
            delta = b'{"content":' + _encode(event.text) + b"}"
        elif isinstance(event, ReasoningDelta):
            delta = b'{"reasoning_content":' + _encode(event.text) + b"}"
        elif isinstance(event, ToolCallDelta):
            delta = _encode({"tool_calls": [_call_delta(event)]})
        elif isinstance(event, Finished):
            return self._frames(event.index, b"{}", _NO_LOGPROBS, _encode(event.reason))
        elif isinstance(event, Reported):
            return self._report(event)
        else:
            return []
        logprobs = _encode(_logprobs(event.logprobs)) if event.logprobs else _NO_LOGPROBS
        role = _ROLE_WITHOUT_TEXT if isinstance(event, ToolCallDelta) else _ROLE_WITH_TEXT
        return self._frames(event.index, delta, logprobs, b"null", role)

    def done(self) -> bytes:
        """The frame that ends a whole stream; a broken one ends with an error instead."""
        return sse.encode(b"[DONE]")

    def _frames(
        self, index: int, delta: bytes, logprobs: bytes, reason: bytes, role: bytes = _ROLE_WITH_TEXT
    ) -> list[bytes]:
        frame = self._frame(index, delta, logprobs, reason)
        if index in self._begun:
            return [frame]
        self._begun.add(index)
        return [self._frame(index, role, _NO_LOGPROBS, b"null"), frame]

    def _frame(self, index: int, delta: bytes, logprobs: bytes, reason: bytes) -> bytes:
        return b'%b{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}%b' % (
            self._head,
            index,
            delta,
            logprobs,
            reason,
            self._tail,
        )

    def _report(self, event: Reported) -> list[bytes]:
        fields: dict[str, Any] = {}
        if self._include_usage and event.usage is not None:
            fields["usage"] = _usage(event.usage)
        if self._want_facts and event.facts is not None:
            fields["tithe"] = event.facts
        if not fields:
            return []
        return [self._head + b"]," + _encode(fields)[1:] + b"\n\n"]


class Completion:
    """Gathers one call's events into a response in one piece."""

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the field is called that
        created: int,
        model: str,
        want_facts: bool = False,
    ) -> None:
        self._head: dict[str, Any] = {
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": model,
        }
        self._want_facts = want_facts
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._facts: Facts | None = None

    def add(self, event: Event) -> None:
        """Take the next event, in the order in which the backend gave it."""
        if isinstance(event, Reported):
            self._usage, self._facts = event.usage, event.facts
        elif not isinstance(event, Sent):
            self._choices.setdefault(event.index, _Choice()).add(event)

    def body(self) -> bytes:
        """The response body. Raises `StreamBroken` when a choice, or every one, is unfinished."""
        if not self._choices:
            raise StreamBroken("the backend ended without an answer. Ask again.")
        choices = [self._choices[index].payload(index) for index in sorted(self._choices)]
        body = self._head | {"choices": choices}
        if self._usage is not None:
            body["usage"] = _usage(self._usage)
        if self._want_facts and self._facts is not None:
            body["tithe"] = self._facts
        return _encode(body)


class _Choice:
    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._logprobs: list[TokenLogprob] = []
        self._reason: FinishReason | None = None

    def add(self, event: TextDelta | ReasoningDelta | ToolCallDelta | Finished) -> None:
        if isinstance(event, Finished):
            self._reason = event.reason
            return
        self._logprobs.extend(event.logprobs)
        if isinstance(event, TextDelta):
            self._text.append(event.text)
        elif isinstance(event, ReasoningDelta):
            self._reasoning.append(event.text)
        else:
            call = self._calls.setdefault(event.call, _Call())
            call.id = event.id or call.id
            call.name = event.name or call.name
            call.arguments.append(event.arguments)

    def payload(self, index: int) -> dict[str, Any]:
        if self._reason is None:
            raise StreamBroken(f"the backend ended before choice {index} was finished. Ask again.")
        text = "".join(self._text)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text if text or not self._calls else None,
            "refusal": None,
        }
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call.id or f"call_{index}_{number}",
                    "type": "function",
                    "function": {"name": call.name, "arguments": "".join(call.arguments)},
                }
                for number, call in sorted(self._calls.items())
            ]
        return {
            "index": index,
            "message": message,
            "logprobs": _logprobs(self._logprobs) if self._logprobs else None,
            "finish_reason": self._reason,
        }


class _Call:
    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.arguments: list[str] = []


def _call_delta(event: ToolCallDelta) -> dict[str, Any]:
    """`id`, `type` and the name come once, with a call's first delta; `arguments` always."""
    payload: dict[str, Any] = {"index": event.call}
    if event.id is not None:
        payload["id"] = event.id
    function = {"arguments": event.arguments}
    if event.name is not None:
        payload["type"] = "function"
        function = {"name": event.name, **function}
    payload["function"] = function
    return payload


def _logprobs(logprobs: Sequence[TokenLogprob]) -> dict[str, Any]:
    return {
        "content": [
            _logprob(token.token, token.bytes, token.logprob)
            | {"top_logprobs": [_logprob(top.token, top.bytes, top.logprob) for top in token.top]}
            for token in logprobs
        ],
        "refusal": None,
    }


def _logprob(token: str, spelled: bytes, logprob: float) -> dict[str, Any]:
    finite = max(LEAST_LOGPROB, logprob)
    return {"token": token, "logprob": finite, "bytes": list(spelled)}


def _usage(usage: Usage) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
    if usage.cached_tokens is not None:
        payload["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        payload["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return payload
