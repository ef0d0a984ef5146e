"""A backend that goes wrong as often as it is told: to see what an agent makes of it.

What can go wrong is what does: the endpoint says nothing, or late, or breaks off, refuses, is full; the model writes arguments that
are no JSON, or do not fit, calls a tool that there is not, or answers in prose. What befalls the endpoint is drawn for each call, what the
model does for each choice, from a seed.
"""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Literal, cast

import msgspec

from tithe.core.backend import Backend
from tithe.core.clock import Clock, SystemClock
from tithe.core.errors import Overloaded, StreamBroken, Unreachable, UsageError
from tithe.core.event import Event, Finished, Reported, Sent, TextDelta, ToolCallDelta
from tithe.core.request import Request

# silent         nothing is ever said
# late           the first token comes `LATE_S` later
# broken         the stream breaks off after its first token
# unreachable    no connection
# full           429, to be asked again after `RETRY_AFTER_S`
# malformed      a tool call's arguments lack their end
# bad arguments  they have one that the tool does not take
# unknown tool   the call names a tool that there is not
# prose          text in place of a tool call
Mishap = Literal[
    "silent",
    "late",
    "broken",
    "unreachable",
    "full",
    "malformed",
    "bad arguments",
    "unknown tool",
    "prose",
]
MISHAPS: tuple[Mishap, ...] = Mishap.__args__
_OF_MODEL: frozenset[Mishap] = frozenset(("malformed", "bad arguments", "unknown tool", "prose"))
LATE_S = 2.0
RETRY_AFTER_S = 0.2
_NEVER_S = 1e9


class FaultyBackend:
    """A `Backend` that answers as `inner` does but for mishaps. `rates`: the share of calls, or of choices, that each befalls; together
    at most 1.

    `happened` counts them. Closing it closes the inner one. Raises `UsageError` for rates that are no shares.
    """

    def __init__(
        self, inner: Backend, rates: Mapping[Mishap, float], *, seed: int = 0, clock: Clock | None = None
    ) -> None:
        if any(rate < 0 for rate in rates.values()) or sum(rates.values()) > 1 + 1e-9:
            raise UsageError(
                f"The rates of mishaps are {dict(rates)}: shares of the calls, together at most 1."
            )
        self.happened: dict[Mishap, int] = dict.fromkeys(rates, 0)
        self._inner = inner
        self._rates = rates
        self._drawn = random.Random(seed)
        self._clock: Clock = clock if clock is not None else SystemClock()

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """Answer one request, or not. Raises what the inner backend does, and what the mishap is."""
        mishap = self._draw()
        endpoint = mishap if mishap not in _OF_MODEL else None
        # The first choice has what was drawn; each further one draws for itself, as a model does.
        of_choices: dict[int, Mishap | None] = {0: mishap if mishap in _OF_MODEL else None}
        if mishap is not None:
            self.happened[mishap] += 1
        if endpoint == "unreachable":
            raise Unreachable("No connection could be made: a mishap that was asked for.")
        if endpoint == "full":
            raise Overloaded("The house is full: a mishap that was asked for.", retry_after=RETRY_AFTER_S)
        if endpoint == "silent":
            yield Sent(at=self._clock.now())
            await self._clock.sleep(_NEVER_S)
        events = cast("AsyncGenerator[Event]", self._inner.generate(request))
        async with aclosing(events):
            first = True
            async for event in events:
                token = not isinstance(event, Sent)
                if token and first and endpoint == "late":
                    await self._clock.sleep(LATE_S)
                if token and not first and endpoint == "broken":
                    raise StreamBroken("The stream broke off: a mishap that was asked for.")
                first = first and not token
                changed = _changed(event, self._of_choice(event, of_choices))
                yield (
                    msgspec.structs.replace(changed, at=self._clock.now()) if endpoint == "late" else changed
                )

    async def aclose(self) -> None:
        """Release what the inner backend holds."""
        await self._inner.aclose()

    def _of_choice(self, event: Event, drawn: dict[int, Mishap | None]) -> Mishap | None:
        if isinstance(event, Sent | Reported):
            return None
        if event.index not in drawn:
            mishap = self._draw()
            drawn[event.index] = mishap if mishap in _OF_MODEL else None
            if drawn[event.index] is not None and mishap is not None:
                self.happened[mishap] += 1
        return drawn[event.index]

    def _draw(self) -> Mishap | None:
        chance = self._drawn.random()
        for mishap, rate in self._rates.items():
            chance -= rate
            if chance < 0:
                return mishap
        return None


def _changed(event: Event, mishap: Mishap | None) -> Event:
    """The event as the mishap leaves it."""
    if isinstance(event, Finished) and mishap == "prose":
        return msgspec.structs.replace(event, reason="stop")
    if not isinstance(event, ToolCallDelta):
        return event
    if mishap == "prose":
        return TextDelta(at=event.at, index=event.index, text=event.arguments or event.name or "I")
    if mishap == "unknown tool" and event.name is not None:
        return msgspec.structs.replace(event, name=f"{event.name}_now")
    if mishap == "malformed" and event.arguments.endswith("}"):
        return msgspec.structs.replace(event, arguments=event.arguments[:-1])
    if mishap == "bad arguments" and event.arguments.startswith("{"):
        rest = event.arguments[1:]
        note = '{"note": 1' if rest.startswith("}") else '{"note": 1, '
        return msgspec.structs.replace(event, arguments=note + rest)
    return event
