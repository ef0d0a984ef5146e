"""An endpoint's Chat Completions answer to events: a stream of chunks, or one body.

What counts as what (MEASURING.md has the mistakes that these rules avoid):

- A delta that holds only a role, or empty strings, is no token and makes no event. Nor does the chunk
  that brings the usage, nor a tool-call delta that has neither a name nor arguments yet.
- Every event of a chunk has the stamp `at` of the read that completed it, taken before parsing.
- Reasoning is `reasoning_content` or `reasoning`; where a server sends both, it is counted once.
- `usage` may come on every chunk; the last one counts. What it does not say is None.
- An error under HTTP 200, as an event or as the body, is an error.
- The stream is whole when it ended with `[DONE]`, or when every choice had its `finish_reason`; a choice
  that `[DONE]` finds without one is finished by it.

Reading is liberal, since servers are not: tool-call deltas may lack an index or an id (one is made up,
since a tool's answer needs it), calls made in parallel may share one index, arguments may be an object,
a finish reason may be one of another API's.
"""

import msgspec

from tithe.core.errors import StreamBroken
from tithe.core.event import Event, FinishReason, Reported
from tithe.core.usage import Facts, Usage
from tithe.wire.chat_error import read_error
from tithe.wire.choice import Choice
from tithe.wire.chunk_payload import AnswerPayload, UsagePayload
from tithe.wire.sse import ServerEvent, SseParser

_decoder = msgspec.json.Decoder(AnswerPayload)
_HEAD_LIMIT = 64 * 1024

_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_BROKEN_REASONS = ("error", "abort", "cancelled")


class ChunkReader:
    """Reads one call's stream."""

    def __init__(self) -> None:
        self._sse = SseParser()
        self._head = b""
        self._begun = False
        self._done = False
        self._fault: StreamBroken | None = None
        self._answer = _Answer()

    @property
    def done(self) -> bool:
        """Whether the endpoint said `[DONE]`: nothing more will come."""
        return self._done

    def feed(self, data: bytes, at: float) -> list[Event]:
        """Take what one read gave; return the events that it completed.

        Args:
            data: any part of the body.
            at: monotonic seconds, stamped at the read.

        Raises:
            StreamBroken: the endpoint sent an error, or something that is no chunk. Events that came
                before it in the same read are returned first; it is raised by the next call.
        """
        if not self._begun and len(self._head) < _HEAD_LIMIT:
            self._head += data
        return self._read(self._sse.feed(data), at)

    def finish(self, at: float) -> list[Event]:
        """The response has ended: return what was waiting for that (the report, without a `[DONE]`).

        Raises:
            StreamBroken: the answer is not whole.
        """
        events = self._read(self._sse.close(), at)
        if self._fault is not None:
            raise self._fault
        if self._done:
            return events
        if not self._begun:
            raise StreamBroken(self._no_stream())
        if not self._answer.whole:
            raise StreamBroken(
                "The endpoint's stream ended without a finish reason or [DONE]: the answer is cut off. "
                "Look at the endpoint's log, or at a proxy's timeout in between."
            )
        return events + self._answer.report(at)

    def _no_stream(self) -> str:
        if self._head.lstrip()[:1] != b"{":
            return "The endpoint's stream ended before its first chunk. Look at the endpoint's log."
        return f"The endpoint sent an object where a stream was asked for: {read_error(self._head)}"

    def _read(self, server_events: list[ServerEvent], at: float) -> list[Event]:
        if self._fault is not None:
            raise self._fault
        events: list[Event] = []
        for server_event in server_events:
            if self._done:
                break
            try:
                events += self._read_one(server_event, at)
            except StreamBroken as fault:
                self._fault = fault
                if not events:
                    raise
                break
        return events

    def _read_one(self, server_event: ServerEvent, at: float) -> list[Event]:
        data = server_event.data.strip()
        if not data:
            return []
        self._begun = True
        self._head = b""
        if server_event.event == "error":
            raise StreamBroken(f"The endpoint broke off its stream: {read_error(data)}")
        if data == b"[DONE]":
            self._done = True
            return self._answer.end(at)
        return self._answer.take(data, at)


def read_completion(body: bytes, at: float) -> list[Event]:
    """A response in one piece as the events of a stream, all stamped `at`.

    Raises:
        StreamBroken: the body is an error, or no completion.
    """
    answer = _Answer()
    return answer.take(body, at) + answer.end(at)


class _Answer:
    """What one call's answer has come to so far."""

    def __init__(self) -> None:
        self._choices: dict[int, Choice] = {}
        self._usage: Usage | None = None
        self._facts: Facts | None = None

    @property
    def whole(self) -> bool:
        return bool(self._choices) and all(choice.finished for choice in self._choices.values())

    def take(self, data: bytes, at: float) -> list[Event]:
        """The events of one chunk, or of a whole completion. Raises StreamBroken."""
        try:
            payload = _decoder.decode(data)
        except (ValueError, RecursionError) as error:
            raise StreamBroken(
                f"The endpoint sent something that is no Chat Completions answer ({error}): {read_error(data)}"
            ) from error
        if payload.error or payload.object == "error":
            raise StreamBroken(f"The endpoint answered with an error: {read_error(data)}")
        if payload.usage is not None:
            self._usage = usage_of(payload.usage)
        if payload.tithe is not None:
            self._facts = facts_of(payload.tithe)
        events: list[Event] = []
        for given in payload.choices or ():
            index = given.index or 0
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = Choice(index, payload.id or "")
            delta = given.delta if given.delta is not None else given.message
            if delta is not None:
                events += choice.take(delta, given.logprobs, at)
            if given.finish_reason:
                events += choice.finish(_reason(given.finish_reason), at)
        return events

    def end(self, at: float) -> list[Event]:
        """The endpoint said that this was all. Raises StreamBroken when it was nothing."""
        if not self._choices:
            raise StreamBroken("The endpoint ended its answer without a single choice. Look at its log.")
        events: list[Event] = []
        for choice in self._choices.values():
            events += choice.finish("tool_calls" if choice.called else "stop", at)
        return events + self.report(at)

    def report(self, at: float) -> list[Event]:
        """What the endpoint said of the whole call, if it said anything."""
        if self._usage is None and self._facts is None:
            return []
        return [Reported(at=at, usage=self._usage, facts=self._facts)]


def _reason(given: str) -> FinishReason:
    """A finish reason of ours; what is not known is an ordinary stop. Raises StreamBroken for a failure."""
    if given in _BROKEN_REASONS:
        raise StreamBroken(
            f"The endpoint broke off its answer with the finish reason '{given}'. Look at its log."
        )
    return _REASONS.get(given, "stop")


def usage_of(payload: UsagePayload) -> Usage | None:
    """The usage that an answer reports; None when it lacks the prompt's or the completion's tokens."""
    if payload.prompt_tokens is None or payload.completion_tokens is None:
        return None
    prompt, completion = payload.prompt_tokens_details, payload.completion_tokens_details
    cached = (
        prompt.cached_tokens if prompt is not None else None,
        payload.prompt_cache_hit_tokens,
        payload.cached_tokens,
    )
    reasoning = (completion.reasoning_tokens if completion is not None else None, payload.reasoning_tokens)
    return Usage(
        prompt_tokens=payload.prompt_tokens,
        completion_tokens=payload.completion_tokens,
        cached_tokens=next((count for count in cached if count is not None), None),
        reasoning_tokens=next((count for count in reasoning if count is not None), None),
    )


def facts_of(payload: object) -> Facts | None:
    """The endpoint's `tithe` object; None when somebody else means something else by that name."""
    try:
        return msgspec.convert(payload, Facts)
    except msgspec.ValidationError:
        return None
