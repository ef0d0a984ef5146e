"""A backend at another's pace: its answers held back, so that it feels like an endpoint of a given TTFT and decode rate.

What the inner backend gives is read ahead at once and given on when it is due (seconds after the request's arrival):

    first delta of a choice:   ttft                          or when it comes, if that is later: the choice's `first`
    any further one:           first + (tokens so far - 1) / rate,   the last token of the delta included

so that decoding takes (output tokens - 1) / rate in all, however many tokens lie in a delta. Each choice decodes at the
rate on its own, as on a real endpoint.

How many tokens a delta holds nobody says; how many all have together, the inner's usage says at its end. Once that is
known, the tokens that are not given on yet are shared out by the deltas' characters, and the last delta is due exactly.
That is so for an inner that is ahead of the pace, since it ends first. Before that a delta counts the tokens that so many
characters had in the calls that have ended, and in the first call one token. A call whose usage is not reported stays at that.

An inner that is slower than the pace is late and is never sped up: what comes late is given on at once. `Pacing`
tells the inner's own times beside what was added. What it refuses is raised at once: a full house says so however slow
its model is. An error after the first delta is raised when all that came before it was given on.
"""

import asyncio
import contextlib
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

import msgspec

from tithe.core.backend import Backend
from tithe.core.clock import Clock, SystemClock
from tithe.core.event import Delta, Event, Finished, Reported, Sent, ToolCallDelta
from tithe.core.request import Request
from tithe.core.usage import Pacing, Usage


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint behaves: `ttft_s` seconds to the first token, `tokens_per_s` from there to the last, a choice.

    `jitter` is the standard deviation of the TTFT over its mean, which `ttft_s` is; it is drawn from a lognormal
    distribution, a call at a time in order of arrival, from `seed`.
    """

    ttft_s: float
    tokens_per_s: float
    jitter: float = 0.0
    seed: int = 0


class PacedBackend:
    """A `Backend` that answers as `inner` does, no sooner than `pace` has it. Closing it closes the inner one.

    `Sent.at` is the request's arrival here, every other `at` the instant at which the event was given on. The call ends
    with a `Reported` in any case, whose `pacing` tells the two apart.
    """

    def __init__(self, inner: Backend, pace: Pace, clock: Clock | None = None) -> None:
        self._inner = inner
        self._pace = pace
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._drawn = random.Random(pace.seed)
        # Of the calls that have ended: their tokens and their characters.
        self._tokens = self._characters = 0

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """Answer one request. Raises what the inner backend does, before the first delta as soon as it does."""
        arrived = self._clock.now()
        a_character = self._tokens / self._characters if self._characters else None
        call = _Call(arrived, self._ttft(), self._pace.tokens_per_s, a_character)
        reading = asyncio.ensure_future(self._read(request, call))
        try:
            while True:
                choice = call.next_choice()
                if choice is None and call.ended:
                    break
                if choice is None or self._clock.now() < call.due(choice):
                    await self._wait(None if choice is None else call.due(choice), call)
                    continue
                yield call.give(choice, self._clock.now())
            if call.failure is not None:
                raise call.failure
            self._learn(call)
            yield call.report(self._clock.now())
        finally:
            reading.cancel()
            await asyncio.wait((reading,))

    async def aclose(self) -> None:
        """Release what the inner backend holds."""
        await self._inner.aclose()

    def _ttft(self) -> float:
        """A call's TTFT in seconds: lognormal with mean `ttft_s` and the relative spread `jitter`."""
        if not self._pace.jitter:
            return self._pace.ttft_s
        variance = math.log1p(self._pace.jitter**2)
        return self._pace.ttft_s * math.exp(self._drawn.gauss(-variance / 2, math.sqrt(variance)))

    async def _read(self, request: Request, call: "_Call") -> None:
        """Take all that the inner backend gives, as it comes."""
        try:
            # Every backend's `generate` is a generator: what is left open of it holds blocks, or a connection.
            events = cast(AsyncGenerator[Event], self._inner.generate(request))
            async with contextlib.aclosing(events):
                async for event in events:
                    call.take(event, self._clock.now())
        except Exception as error:  # noqa: BLE001 - raised again by whoever reads the call
            call.failure = error
        finally:
            call.end()

    async def _wait(self, due: float | None, call: "_Call") -> None:
        """Until `due`, or until something more is known of the call, whichever is sooner."""
        if due is not None and call.ended:
            await self._clock.sleep(due - self._clock.now())
            return
        if due is None:
            await call.news()
            return
        sleep = asyncio.ensure_future(self._clock.sleep(due - self._clock.now()))
        try:
            await asyncio.wait((sleep, call.news()), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()

    def _learn(self, call: "_Call") -> None:
        if call.usage is not None:
            self._tokens += call.usage.completion_tokens
            self._characters += call.characters


class _Choice:
    """One choice: what waits to be given on, and how far it is. `came`: its first delta; `first`: when that counts from."""

    def __init__(self) -> None:
        self.waiting: deque[Delta | Finished] = deque()
        self.came: float | None = None
        self.first: float | None = None
        self.tokens = 0.0
        self.characters = 0
        self.left = 0  # of the characters, those that wait


class _Call:
    """One call: what came of it, and when each of it is due. `failure` is what the inner backend raised."""

    def __init__(self, arrived: float, ttft: float, rate: float, a_character: float | None) -> None:
        self._arrived = arrived
        self._ttft = ttft
        self._rate = rate
        self._a_character = a_character
        self._choices: dict[int, _Choice] = {}
        self._sent: Sent | None = None
        self._reported: Reported | None = None
        self._own: list[float] = []  # when the first and the last delta came
        self._last = arrived  # when the last one was given on
        self._news: asyncio.Future[None] | None = None
        self.ended = False
        self.failure: Exception | None = None

    @property
    def usage(self) -> Usage | None:
        """What the inner backend reported, if it has yet."""
        return self._reported.usage if self._reported is not None else None

    @property
    def characters(self) -> int:
        """The characters of all that came."""
        return sum(choice.characters for choice in self._choices.values())

    def news(self) -> "asyncio.Future[None]":
        """Done when something more has come, or nothing more will."""
        if self._news is None or self._news.done():
            self._news = asyncio.get_running_loop().create_future()
        return self._news

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._tell()

    def take(self, event: Event, now: float) -> None:
        """Something came."""
        if isinstance(event, Sent):
            self._sent = event
        elif isinstance(event, Reported):
            self._reported = event
        else:
            choice = self._choices.setdefault(event.index, _Choice())
            choice.waiting.append(event)
            if not isinstance(event, Finished):
                self._own = [self._own[0] if self._own else now, now]
                choice.came = choice.came if choice.came is not None else now
                length = _length(event)
                choice.characters += length
                choice.left += length
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def next_choice(self) -> "_Choice | Sent | None":
        """Whose next event is due first; the `Sent` before all."""
        if self._sent is not None:
            return self._sent
        waiting = [choice for choice in self._choices.values() if choice.waiting]
        return min(waiting, key=self.due) if waiting else None

    def due(self, choice: "_Choice | Sent") -> float:
        """When the next event of a choice is due, as far as is known by now."""
        if isinstance(choice, Sent):
            return self._arrived
        if choice.first is None:
            return self._arrived + self._ttft
        return choice.first + max(0.0, choice.tokens + self._tokens_in_next(choice) - 1) / self._rate

    def give(self, choice: "_Choice | Sent", now: float) -> Event:
        """Take out what is due."""
        if isinstance(choice, Sent):
            self._sent = None
            return msgspec.structs.replace(choice, at=self._arrived, connected=0.0)
        due, tokens = self.due(choice), self._tokens_in_next(choice)
        event = choice.waiting.popleft()
        if not isinstance(event, Finished):
            if choice.first is None and choice.came is not None:
                # By the pace where it was kept, so that what this machine sleeps too long is not added up.
                choice.first = max(due, choice.came)
            choice.tokens += tokens
            choice.left -= _length(event)
            self._last = now
        return msgspec.structs.replace(event, at=now)

    def _tokens_in_next(self, choice: _Choice) -> float:
        """How many tokens a choice's next event holds, as far as is known."""
        event = choice.waiting[0]
        if self.ended and self.usage is not None:
            share = choice.characters / self.characters if self.characters else 0.0
            left = max(0.0, self.usage.completion_tokens * share - choice.tokens)
            return left * _length(event) / choice.left if choice.left else left
        if isinstance(event, Finished):
            return 0.0
        return 1.0 if self._a_character is None else self._a_character * _length(event)

    def report(self, now: float) -> Reported:
        """What the inner backend reported, with what was added to its times."""
        pacing = Pacing(
            ttft_s=self._ttft,
            tokens_per_s=self._rate,
            own_first_token_s=self._own[0] - self._arrived if self._own else None,
            own_last_token_s=self._own[1] - self._arrived if self._own else None,
            added_s=self._last - self._own[1] if self._own else None,
        )
        told = self._reported if self._reported is not None else Reported(at=now)
        return msgspec.structs.replace(told, at=now, pacing=pacing)


def _length(event: Delta | Finished) -> int:
    """What of an event stands for its tokens: its characters."""
    if isinstance(event, Finished):
        return 0
    if isinstance(event, ToolCallDelta):
        return len(event.name or "") + len(event.arguments) or 1
    return len(event.text)
