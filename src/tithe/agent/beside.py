"""Calls beside each other, of which one is taken: asked at once, waited for no longer than it takes to know which.

What is not taken never enters history, and is `speculation`.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tithe.agent.caller import Caller
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.proposal import Proposal, examine
from tithe.agent.tool_run import Toolbox
from tithe.core import Request
from tithe.wire.hearing import Hearing

Found = Mapping[int, Proposal]


class Beside:
    """Asks several requests at once. Answers are told by their requests' places."""

    def __init__(self, caller: Caller, toolbox: Toolbox, deadline: Deadline) -> None:
        self._caller = caller
        self._toolbox = toolbox
        self._deadline = deadline

    async def one_of(
        self,
        requests: Sequence[Request],
        enough: Callable[[Found], bool],
        best: Callable[[Found], Awaitable[int]],
        again_s: float = math.inf,
    ) -> tuple[int, Proposal]:
        """The answer that is `best` when there are `enough`, all have come, or the deadline has; and its place. Whether there are enough
        is asked as they come, and once more after `again_s` seconds.

        Raises `OutOfTime` when the deadline came before the first, or what the first to fail failed of when none answered.
        """
        loop = asyncio.get_running_loop()
        found: dict[int, Proposal] = {}
        come = asyncio.Event()
        used: list[asyncio.Future[bool]] = [loop.create_future() for _ in requests]

        def answered(place: int) -> Callable[[Hearing], "asyncio.Future[bool]"]:
            def take(hearing: Hearing) -> "asyncio.Future[bool]":
                found[place] = first_choice(hearing, self._toolbox)
                come.set()
                return used[place]

            return take

        calls = [
            asyncio.ensure_future(self._caller.ask(request, answered=answered(place)))
            for place, request in enumerate(requests)
        ]
        try:
            await self._until(calls, found, come, enough, self._deadline.clock.now() + again_s)
            place = await best(found)
            for number, future in enumerate(used):
                future.set_result(number == place)
            await asyncio.sleep(0)  # those that have their verdict close their spans
            return place, found[place]
        finally:
            for call in calls:
                self._deadline.abandon(call)

    async def _until(
        self,
        calls: "Sequence[asyncio.Future[Hearing]]",
        found: Found,
        come: asyncio.Event,
        enough: Callable[[Found], bool],
        again_at: float,
    ) -> None:
        while not enough(found):
            pending = {call for place, call in enumerate(calls) if place not in found and not call.done()}
            if not pending or self._deadline.over:
                break
            come.clear()
            news = asyncio.ensure_future(come.wait())
            again = again_at - self._deadline.clock.now()
            wait = self._deadline.clamp(again if again > 0 else None)
            try:
                await self._deadline.until_one({*pending, news}, wait)
            finally:
                self._deadline.abandon(news)
        if not found:
            for call in calls:
                if call.done():
                    call.result()
            raise OutOfTime


def first_choice(hearing: Hearing, toolbox: Toolbox) -> Proposal:
    """The first choice of an answer."""
    choice = hearing.choices[min(hearing.choices)]
    return examine(choice.message, choice.finish, toolbox)


def examined(hearing: Hearing, toolbox: Toolbox) -> list[Proposal]:
    """The choices of an answer that are complete, in their order."""
    return [
        examine(choice.message, choice.finish, toolbox)
        for _, choice in sorted(hearing.choices.items())
        if choice.finish is not None
    ]
