"""One attempt at a call, or two where the first is late; who speaks first is heard.

An attempt that is silent is given up, before its first token and between tokens. How long that is waited is `Patience`'s to say.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import cast

import msgspec

from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.speeds import Speeds
from tithe.core import Backend, Event, Request
from tithe.core import attributes as at
from tithe.core.errors import EndpointError, StreamBroken, TitheError
from tithe.trace.tracing import Scope, attempt
from tithe.wire.hearing import Hearing

Watch = Callable[[Hearing], bool]
"""Sees an answer as it comes, after each event; True: enough of it was heard, and the rest is not waited for."""

# Times the slowest tenth of the first tokens seen here; a prompt that is not cached may be that much slower than those that were.
PATIENCE = 10.0
LEAST_PATIENCE_S = 1.0
# Between two tokens at least: some servers send a tool call whole, when it is written.
LEAST_STALL_S = 5.0
# Times the same: so long at least, however little is left.
_WHOLE = 3.0
# What is answered sooner than this is never asked twice: the difference would be the machine's.
LEAST_LATE_S = 0.02
# Calls, before what is late can be told.
_KNOWN = 5


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `silence`: after which an attempt is given up before its first token; `stall`: after that one. `late`: after which a
    second is made; None: none is."""

    silence: float
    stall: float
    late: float | None = None


def patience(
    speeds: Speeds, left: float, *, hedge: bool, silent: float = 0.0, last: bool = False
) -> Patience:
    """What is waited with so much time left. Half of it is kept to ask again, where an answer could then still come.

    silent: what was waited for an attempt before this one in vain; what took so long may only be slow, and is given twice that. last: there is
    none after this one, which has all that is left.
    """
    slow = speeds.ttft.quantile(0.9)
    half = max(left / 2, LEAST_PATIENCE_S, _WHOLE * slow)
    if last:
        silence = stall = left
    else:
        silence = max(LEAST_PATIENCE_S, PATIENCE * slow) if speeds.ttft else left
        silence = max(min(silence, half), 2 * silent)
        stall = max(silence, min(half, max(LEAST_STALL_S, PATIENCE * speeds.calls.quantile(0.9))))
    late = max(slow, LEAST_LATE_S) if hedge and len(speeds.ttft.seconds) >= _KNOWN else None
    return Patience(silence=silence, stall=stall, late=late)


class _Attempt:
    """An attempt under way. `heard_at`: when it last said something."""

    def __init__(self, hearing: Hearing) -> None:
        self.hearing = hearing
        self.heard_at = hearing.begun
        self.scope: Scope | None = None
        self.task: asyncio.Future[None] | None = None

    def limit(self, patience: Patience) -> float:
        """When it is given up if it says nothing."""
        first = self.hearing.first_token is None
        return self.heard_at + (patience.silence if first else patience.stall)

    def speculative(self) -> None:
        if self.scope is not None:
            self.scope.note(self.hearing.attributes() | {at.SPECULATIVE: True})


class Race:
    """One call's attempt, and perhaps a second beside it. `hedged`: there was one. `silent`: seconds that were waited in vain."""

    def __init__(self, backend: Backend, request: Request, deadline: Deadline, watch: Watch | None) -> None:
        self.hedged = False
        self.silent = 0.0
        self._backend = backend
        self._request = request
        self._deadline = deadline
        self._clock = deadline.clock
        self._watch = watch
        self._live: list[_Attempt] = []
        self._leader: _Attempt | None = None
        self._speaks: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, patience: Patience) -> Hearing:
        """The whole answer.

        Raises:
            OutOfTime: the deadline came first.
            TitheError: the last attempt to fail failed of it, or nothing was said for too long.
        """
        self._start()
        try:
            while True:
                waited = {each.task for each in self._live if each.task is not None}
                if self._leader is None and len(self._live) > 1:
                    waited.add(self._speaks)
                await self._deadline.until_one(waited, self._due(patience) - self._clock.now())
                hearing = self._settle(patience)
                if hearing is not None:
                    return hearing
        finally:
            for each in self._live:
                self._give_up(each)

    def _start(self) -> None:
        each = _Attempt(Hearing(self._request, self._clock.now()))
        each.task = asyncio.ensure_future(self._read(each))
        self._live.append(each)

    def _due(self, patience: Patience) -> float:
        """When something is to be done if nothing comes."""
        due = min(each.limit(patience) for each in self._live)
        if patience.late is not None and not self.hedged and self._leader is None:
            due = min(due, self._live[0].hearing.begun + patience.late)
        return min(due, self._clock.now() + self._deadline.left)

    def _settle(self, patience: Patience) -> Hearing | None:
        """See what has come. Returns the answer when it is whole."""
        if self._deadline.over and not any(each.task is not None and each.task.done() for each in self._live):
            raise OutOfTime
        failure: TitheError | None = None
        for each in list(self._live):
            if each.task is not None and each.task.done():
                self._live.remove(each)
                if each.task.cancelled():
                    failure = StreamBroken("The backend cancelled the call.", code="cancelled")
                    continue
                try:
                    each.task.result()
                    return each.hearing
                except TitheError as error:
                    failure = error
            elif self._leader is not None and each is not self._leader:
                self._live.remove(each)
                self._give_up(each)
            elif self._clock.now() >= (limit := each.limit(patience)):
                self._live.remove(each)
                self._give_up(each)
                self.silent = limit - each.heard_at
                failure = StreamBroken(f"The endpoint said nothing for {self.silent:.3g} s.", code="silent")
        if not self._live:
            raise failure if failure is not None else EndpointError("The endpoint gave no answer.")
        if patience.late is not None and not self.hedged and self._leader is None:
            if self._clock.now() >= self._live[0].hearing.begun + patience.late:
                self.hedged = True
                self._start()
        return None

    def _give_up(self, each: _Attempt) -> None:
        each.speculative()
        if each.task is not None:
            self._deadline.abandon(each.task)

    async def _read(self, each: _Attempt) -> None:
        hearing = each.hearing
        with attempt(self._request.model) as scope:
            each.scope = scope
            try:
                # Every backend's `generate` is a generator: what is left open of it holds blocks, or a connection.
                events = cast("AsyncGenerator[Event]", self._backend.generate(self._request))
                async with contextlib.aclosing(events):
                    async for event in events:
                        if self._take(each, event):
                            break
                if (broken := hearing.broken()) is not None:
                    raise broken
            except TitheError as error:
                scope.note(hearing.attributes(error))
                raise
            scope.note(hearing.attributes())

    def _take(self, each: _Attempt, event: Event) -> bool:
        each.hearing.take(event)
        each.heard_at = self._clock.now()
        if self._leader is None and each.hearing.first_token is not None:
            self._leader = each
            self._speaks.set_result(None)
        return self._watch is not None and self._leader is each and self._watch(each.hearing)
