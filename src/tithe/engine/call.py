"""A call as the engine serves it: its choices, its reader, and what it took."""

from __future__ import annotations

import asyncio

from tithe.core.errors import TitheError
from tithe.core.event import Event, Finished, Reported
from tithe.core.request import Request
from tithe.core.usage import Facts, Usage
from tithe.engine.generation import Generation
from tithe.engine.session import Encoded

Word = list[Event] | TitheError | None
"""What a reader is told: events, an error, or (None) the end."""


class Call:
    """One request between the reader's event loop and the engine's thread.

    Only the engine's thread changes it; the reader sees it through `inbox`. Times are monotonic seconds.
    """

    def __init__(
        self,
        request: Request,
        prompt: Encoded,
        generations: list[Generation],
        prefix_break: int | None,
        arrived: float,
    ) -> None:
        self.request = request
        self.prompt = prompt
        self.generations = generations
        self.open = set(generations)
        self.loop = asyncio.get_running_loop()
        self.inbox: asyncio.Queue[Word] = asyncio.Queue()
        self.arrived = arrived
        self.queued = arrived
        self.started: float | None = None
        self.first: float | None = None
        self.last: float | None = None
        self.steps = 0
        self.preemptions = 0
        self._prefix_break = prefix_break

    def sampled(self, at: float) -> None:
        """Note that a token of it was sampled."""
        self.first = at if self.first is None else self.first
        self.last = at

    def finished(self, generation: Generation, at: float) -> list[Event]:
        """Close a choice; with the last one, report the call."""
        self.open.discard(generation)
        events: list[Event] = [Finished(at=at, index=generation.index, reason=generation.finish_reason)]
        if not self.open:
            events.append(Reported(at=at, usage=self._usage(), facts=self._facts(at)))
        return events

    def _usage(self) -> Usage:
        return Usage(
            prompt_tokens=len(self.prompt.ids),
            completion_tokens=sum(len(generation.output) for generation in self.generations),
            cached_tokens=self.generations[0].sequence.cached,
            reasoning_tokens=sum(generation.answer.reasoning_tokens for generation in self.generations),
        )

    def _facts(self, at: float) -> Facts:
        started = self.started if self.started is not None else at
        first = self.first if self.first is not None else at
        cached = self.generations[0].sequence.cached
        return Facts(
            prepare_s=self.queued - self.arrived,
            queue_s=started - self.queued,
            prefill_s=first - started,
            decode_s=(self.last if self.last is not None else first) - first,
            cached_tokens=cached,
            uncached_tokens=len(self.prompt.ids) - cached,
            forced_tokens=sum(generation.forced for generation in self.generations),
            drafted_tokens=sum(generation.drafted for generation in self.generations),
            accepted_tokens=sum(generation.accepted for generation in self.generations),
            steps=self.steps,
            preemptions=sum(generation.sequence.preemptions for generation in self.generations),
            prefix_break=self._prefix_break,
        )
