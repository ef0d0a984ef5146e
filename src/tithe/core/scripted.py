"""The scripted backend: answers exactly what it was told, exactly when it was told.

It ships with the package because tests of everything above the seam stand on it, ours and users'.
"""

from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from tithe.core.clock import Clock, SystemClock
from tithe.core.errors import TitheError
from tithe.core.event import Delta, Event, Finished, FinishReason, Reported, Sent, TextDelta
from tithe.core.request import Request
from tithe.core.usage import Facts, Usage


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One scripted answer.

    `ttft` seconds pass before the first delta and `gap` seconds before each further one; `deltas`
    are given with any `at` (it is replaced); a choice finishes with its last one. `error` is raised after the deltas in place of a finish.
    `unused` is what `Sent` says of the request's hints.
    """

    deltas: Sequence[Delta] = ()
    ttft: float = 0.0
    gap: float = 0.0
    finish: FinishReason = "stop"
    usage: Usage | None = None
    facts: Facts | None = None
    error: TitheError | None = None
    unused: tuple[str, ...] = ()

    @classmethod
    def of_text(cls, text: str, *, ttft: float = 0.0, gap: float = 0.0) -> "Script":
        """An answer of one delta a word, with a usage that counts the words."""
        words = text.split(" ")
        pieces = [piece for piece in (words[0], *(" " + word for word in words[1:])) if piece]
        return cls(
            deltas=tuple(TextDelta(at=0.0, text=piece) for piece in pieces),
            ttft=ttft,
            gap=gap,
            usage=Usage(prompt_tokens=0, completion_tokens=len(pieces)),
        )


class ScriptedBackend:
    """A `Backend` whose answers come from a script or from a function of the request.

    `requests` keeps every request in order of arrival; `abandoned` counts those that were closed
    before their end.
    """

    def __init__(self, script: Script | Callable[[Request], Script], clock: Clock | None = None) -> None:
        self._script = script
        self._clock: Clock = clock if clock is not None else SystemClock()
        self.requests: list[Request] = []
        self.abandoned = 0

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """Play the script for `request`. Raises the script's error after its deltas."""
        self.requests.append(request)
        script = self._script(request) if callable(self._script) else self._script
        whole = False
        try:
            yield Sent(at=self._clock.now(), unused=script.unused)
            ends = {delta.index: i for i, delta in enumerate(script.deltas)}
            for i, delta in enumerate(script.deltas):
                await self._clock.sleep(script.ttft if i == 0 else script.gap)
                yield msgspec.structs.replace(delta, at=self._clock.now())
                if ends[delta.index] == i and script.error is None:
                    yield Finished(at=self._clock.now(), index=delta.index, reason=script.finish)
            if script.error is not None:
                whole = True
                raise script.error
            if 0 not in ends:
                yield Finished(at=self._clock.now(), index=0, reason=script.finish)
            yield Reported(at=self._clock.now(), usage=script.usage, facts=script.facts)
            whole = True
        finally:
            self.abandoned += not whole

    async def aclose(self) -> None:
        """Nothing is held, so nothing is released."""
