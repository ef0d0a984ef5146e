"""One call of a replay, heard to its end, as what a span says of it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tithe.core import (
    Backend,
    Clock,
    Delta,
    Event,
    Facts,
    Finished,
    ReasoningDelta,
    Reported,
    Request,
    Sent,
    TextDelta,
    Usage,
)
from tithe.core import attributes as at
from tithe.core.errors import StreamBroken, TitheError
from tithe.core.exchange import PhaseKind
from tithe.wire.answer_draft import AnswerDraft


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt at a call. `attributes` are its span's; instants in them are offsets from `begun`.

    `text` is the first choice's; `error` is what ended the call before its end.
    """

    begun: float
    ended: float
    attributes: dict[str, Any]
    text: str
    usage: Usage | None
    error: TitheError | None = None


async def hear(backend: Backend, request: Request, clock: Clock) -> Heard:
    """Make one call. A `TitheError` is kept with what came before it."""
    begun, events, error = clock.now(), list[Event](), None
    try:
        # A copy by extend would lose what came before an error.
        async for event in backend.generate(request):
            events.append(event)
        if not any(isinstance(event, Finished) for event in events):
            error = StreamBroken(
                "The answer ended without a finish reason; the endpoint cut the stream short."
            )
    except TitheError as raised:
        error = raised
    reported = next((event for event in reversed(events) if isinstance(event, Reported)), None)
    usage = reported.usage if reported is not None else None
    told = _asked(request) | _instants(events, begun) | at.usage_attributes(usage)
    if reported is not None and reported.facts is not None:
        told |= _inside(reported.facts)
    if error is not None:
        told[at.ERROR] = error.code or type(error).__name__
    return Heard(
        begun=begun,
        ended=clock.now(),
        attributes={name: value for name, value in told.items() if value is not None},
        text="".join(event.text for event in events if isinstance(event, TextDelta) and event.index == 0),
        usage=usage,
        error=error,
    )


def _asked(request: Request) -> dict[str, Any]:
    return {
        at.OPERATION: "chat",
        at.REQUEST_MODEL: request.model,
        at.REQUEST_STREAM: True,
        at.MAX_TOKENS: request.max_tokens,
    }


def _instants(events: Sequence[Event], begun: float) -> dict[str, Any]:
    told: dict[str, Any] = {}
    sent = next((event for event in events if isinstance(event, Sent)), None)
    if sent is not None:
        told |= {at.SENT: sent.at - begun, at.CONNECT: sent.connected or None}
    deltas = [event for event in events if not isinstance(event, Sent | Finished | Reported)]
    draft = AnswerDraft()
    for delta in deltas:
        draft.token(_kind(delta), delta.at)
    seen = draft.seal(None)
    if seen.first_token is not None and seen.last_token is not None:
        told |= {
            at.FIRST_TOKEN: seen.first_token - begun,
            at.FIRST_VISIBLE: None if seen.first_visible is None else seen.first_visible - begun,
            at.LAST_TOKEN: seen.last_token - begun,
            at.PHASES: [[phase.kind, phase.start - begun, phase.end - begun] for phase in seen.phases],
        }
    reasons = sorted((event.index, event.reason) for event in events if isinstance(event, Finished))
    return told | {at.FINISH_REASONS: [reason for _, reason in reasons] or None}


def _kind(delta: Delta) -> PhaseKind:
    if isinstance(delta, ReasoningDelta):
        return "reasoning"
    return "answer" if isinstance(delta, TextDelta) else "arguments"


def _inside(facts: Facts) -> dict[str, Any]:
    return {
        at.PREPARE: facts.prepare_s,
        at.QUEUE: facts.queue_s,
        at.PREFILL: facts.prefill_s,
        at.DECODE: facts.decode_s,
    }
