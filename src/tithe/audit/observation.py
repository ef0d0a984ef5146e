"""One call as the client saw it. What was seen is kept; every figure is derived from it, late.

Definitions (DESIGN.md, vocabulary; MEASURING.md, pitfalls 1 to 6):

    TTFT          = first generated token - sent        reasoning, text and tool-call deltas all count;
                                                        a role-only or empty delta is no token
    visible TTFT  = first token that is not reasoning - sent
    total         = last generated token - sent         the end is the last content, not `[DONE]`
    decode rate   = (output tokens - 1) / (last - first)   output tokens from `usage`, never from chunks
    ITC           = time between chunks (a chunk may hold several tokens)
"""

from typing import Literal

import msgspec

from tithe.core import (
    Backend,
    Clock,
    Event,
    Facts,
    FinishReason,
    ReasoningDelta,
    Request,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from tithe.core.errors import TitheError
from tithe.wire.hearing import Choice, Hearing

# What servers answer with to a field or a feature that they do not have.
_REFUSALS = frozenset({400, 404, 405, 415, 422, 501})
# What a backend in this process raises for the same.
_REFUSED_HERE = frozenset({"InvalidRequest", "ContextOverflow"})

TokenKind = Literal["text", "reasoning", "tool_call"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call gave no whole answer: the error's class, its message, the HTTP status where there was one.

    `retry_after` is in how many seconds the endpoint wants to be asked again; None: it did not say.
    """

    kind: str
    message: str
    http_status: int | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, error: TitheError) -> "Failure":
        return cls(
            kind=type(error).__name__,
            message=error.message,
            http_status=getattr(error, "http_status", None),
            retry_after=getattr(error, "retry_after", None),
        )

    @property
    def is_refusal(self) -> bool:
        """Whether the endpoint does not take such a request at all: asking again is of no use."""
        return self.http_status in _REFUSALS or self.kind in _REFUSED_HERE


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """When a chunk with generated tokens arrived (monotonic seconds), and what it held."""

    at: float
    kind: TokenKind


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at one call. Instants are monotonic seconds on the run's clock; None is "did not happen".

    `begun` and `ended` bracket everything, as the caller of the backend saw it; `sent` is when the
    request had left, `connected` the seconds before that spent on opening a connection.
    """

    label: str
    begun: float
    ended: float
    sent: float | None = None
    connected: float = 0.0
    stamps: tuple[Stamp, ...] = ()
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: FinishReason | None = None
    usage: Usage | None = None
    facts: Facts | None = None
    failure: Failure | None = None

    @property
    def refusal(self) -> str | None:
        """What the endpoint said where it does not take such a call at all; None where it does, as far as is known."""
        return self.failure.message if self.failure is not None and self.failure.is_refusal else None

    @property
    def answered(self) -> bool:
        """A whole answer with at least one generated token: only these enter the statistics."""
        return self.failure is None and self.sent is not None and bool(self.stamps)

    @property
    def first(self) -> float | None:
        return self.stamps[0].at if self.stamps else None

    @property
    def last(self) -> float | None:
        return self.stamps[-1].at if self.stamps else None

    @property
    def first_visible(self) -> float | None:
        return next((stamp.at for stamp in self.stamps if stamp.kind != "reasoning"), None)

    @property
    def ttft(self) -> float | None:
        """Seconds; None when no token came."""
        return _between(self.sent, self.first)

    @property
    def visible_ttft(self) -> float | None:
        """Seconds; None when no visible token came."""
        return _between(self.sent, self.first_visible)

    @property
    def total(self) -> float | None:
        """Seconds from sent to the last generated token; None when no token came."""
        return _between(self.sent, self.last)

    @property
    def output_tokens(self) -> int | None:
        """Generated tokens as the endpoint reported them; None is not reported."""
        return self.usage.completion_tokens if self.usage is not None else None

    @property
    def prompt_tokens(self) -> int | None:
        """Prompt tokens as the endpoint reported them; None is not reported."""
        return self.usage.prompt_tokens if self.usage is not None else None

    @property
    def cached_tokens(self) -> int | None:
        """Prompt tokens read from the cache, as reported; None is not reported, never zero."""
        return self.usage.cached_tokens if self.usage is not None else None

    @property
    def decode_rate(self) -> float | None:
        """Tokens a second after the first; None without usage, or when all came in one instant."""
        tokens, spent = self.output_tokens, _between(self.first, self.last)
        return (tokens - 1) / spent if tokens is not None and tokens > 1 and spent else None

    @property
    def gaps(self) -> tuple[float, ...]:
        """Seconds between chunks."""
        return tuple(
            later.at - earlier.at for earlier, later in zip(self.stamps, self.stamps[1:], strict=False)
        )


def _between(start: float | None, end: float | None) -> float | None:
    return end - start if start is not None and end is not None else None


async def observe(backend: Backend, request: Request, clock: Clock, label: str) -> Observation:
    """Make one call and keep what was seen of it. A `TitheError` becomes the observation's `failure`.

    The backend's events must be stamped on `clock`, or on a clock with the same origin.
    """
    hearing, stamps, failure = Hearing(request, clock.now()), list[Stamp](), None
    try:
        async for event in backend.generate(request):
            hearing.take(event)
            if (kind := _kind(event)) is not None:
                stamps.append(Stamp(event.at, kind))
        if (broken := hearing.broken()) is not None:
            failure = Failure.of(broken)
    except TitheError as error:
        failure = Failure.of(error)
    # The audit asks for one choice.
    choice = hearing.choices.get(0, Choice())
    return Observation(
        label=label,
        begun=hearing.begun,
        ended=clock.now(),
        sent=hearing.sent,
        connected=hearing.connected,
        stamps=tuple(stamps),
        text=choice.text,
        reasoning=choice.reasoning,
        tool_calls=choice.tool_calls,
        finish=choice.finish,
        usage=hearing.usage,
        facts=hearing.facts,
        failure=failure,
    )


def _kind(event: Event) -> TokenKind | None:
    match event:
        case TextDelta():
            return "text" if event.text else None
        case ReasoningDelta():
            return "reasoning" if event.text else None
        case ToolCallDelta():
            return "tool_call" if event.name or event.arguments else None
        case _:
            return None
