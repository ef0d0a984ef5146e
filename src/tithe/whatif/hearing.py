"""One call of a replay, heard to its end, as what a span says of it."""

from typing import Any

import msgspec

from tithe.core import Backend, Clock, Request, Usage
from tithe.core.errors import TitheError
from tithe.wire.hearing import Hearing


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
    hearing, error = Hearing(request, clock.now()), None
    try:
        async for event in backend.generate(request):
            hearing.take(event)
        error = hearing.broken()
    except TitheError as raised:
        error = raised
    first = hearing.choices.get(0)
    return Heard(
        begun=hearing.begun,
        ended=clock.now(),
        attributes=hearing.attributes(error),
        text=first.text if first is not None else "",
        usage=hearing.usage,
        error=error,
    )
