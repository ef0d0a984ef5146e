"""Several answers to the same history at once, and which of them is taken.

They share the history's prefix. Where the endpoint has `n` they are the choices of one call; else calls beside each other, which
are not waited for when more than half already ask for the same. What is not taken never enters history; a call of which nothing
was taken is `speculation`.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from tithe.agent.beside import Beside, Found, examined
from tithe.agent.caller import Caller, CallFailed
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.proposal import Proposal
from tithe.agent.request import JUDGE, Asking, Preferred, shown
from tithe.agent.speeds import Speeds
from tithe.agent.tool import schema_of
from tithe.agent.tool_run import Toolbox, called
from tithe.core import Message
from tithe.core.errors import EndpointRefused, InvalidRequest, UsageError

Choose = Literal["vote", "judge"] | Callable[[Sequence[Message]], int | Awaitable[int]]
_REFUSED = frozenset((400, 404, 415, 422, 501))


class Forks:
    """Whether the endpoint takes `n`, as far as is known. `wanted` False: it is not to be asked."""

    def __init__(self, *, wanted: bool = True) -> None:
        self.has_n = wanted


class Candidates:
    """Asks for candidates and takes one."""

    def __init__(
        self,
        caller: Caller,
        toolbox: Toolbox,
        speeds: Speeds,
        deadline: Deadline,
        forks: Forks,
        choose: Choose,
    ) -> None:
        self._caller = caller
        self._toolbox = toolbox
        self._calls = Beside(caller, toolbox, deadline)
        self._speeds = speeds
        self._deadline = deadline
        self._forks = forks
        self._choose: Choose = choose

    async def take(self, asking: Asking, history: Sequence[Message], count: int) -> Proposal:
        """The best of `count`; one that is at fault only where all are. Raises as `Caller.ask` does."""
        began = self._deadline.clock.now()
        if self._forks.has_n:
            proposals = await self._choices(asking, history, count)
            if proposals is not None:
                self._speeds.saw_candidates(count, self._deadline.clock.now() - began)
                return proposals[await self._best(asking, history, proposals)]
        taken = await self._beside(asking, history, count)
        self._speeds.saw_candidates(count, self._deadline.clock.now() - began)
        return taken

    async def _choices(self, asking: Asking, history: Sequence[Message], count: int) -> list[Proposal] | None:
        """As choices of one call; None where the endpoint has no `n`."""
        try:
            hearing = await self._caller.ask(asking.step(history, n=count))
        except CallFailed as failed:
            error = failed.error
            status = error.http_status if isinstance(error, EndpointRefused) else None
            if status in _REFUSED or isinstance(error, InvalidRequest):
                self._forks.has_n = False
                return None
            raise
        if len(hearing.choices) < count:
            self._forks.has_n = False  # it answers as if it had not been asked for more than one
        return examined(hearing, self._toolbox)

    async def _beside(self, asking: Asking, history: Sequence[Message], count: int) -> Proposal:
        """As calls beside each other."""

        def enough(found: Found) -> bool:
            votes = Counter(proposal.key for proposal in found.values() if proposal.fault is None)
            return bool(votes) and votes.most_common(1)[0][1] * 2 > count

        async def best(found: Found) -> int:
            places = sorted(found)
            return places[await self._best(asking, history, [found[place] for place in places])]

        requests = [asking.step(history, at=place) for place in range(count)]
        _, taken = await self._calls.one_of(requests, enough, best)
        return taken

    async def _best(self, asking: Asking, history: Sequence[Message], proposals: list[Proposal]) -> int:
        """Which one is taken."""
        sound = [place for place, proposal in enumerate(proposals) if proposal.fault is None]
        if len(sound) < 2 or len({proposals[place].key for place in sound}) == 1:
            return sound[0] if sound else 0
        if self._choose == "vote":
            return vote(proposals)
        if self._choose == "judge":
            return await self._judged(asking, history, proposals, sound)
        choose, offered = self._choose, [proposals[place].message for place in sound]
        try:
            picked: int = await called(choose, offered)
            return sound[picked]
        except Exception as error:
            raise CallFailed(UsageError(f"What chooses among candidates raised {error!r}.")) from error

    async def _judged(
        self, asking: Asking, history: Sequence[Message], proposals: list[Proposal], sound: list[int]
    ) -> int:
        """What a call prefers; where its answer is none, the vote."""
        listed = "\n".join(f"{n}. {shown(proposals[place].message)}" for n, place in enumerate(sound, 1))
        request = asking.aside(history, JUDGE.format(candidates=listed), schema_of(Preferred))
        try:
            hearing = await self._caller.ask(request)
            best = msgspec.json.decode(hearing.choices[0].text, type=Preferred).best
        except (CallFailed, OutOfTime, msgspec.DecodeError, KeyError):
            return vote(proposals)
        return sound[best - 1] if 1 <= best <= len(sound) else vote(proposals)


def vote(proposals: Sequence[Proposal]) -> int:
    """The first of those for which most are; one at fault has no vote."""
    votes = Counter(proposal.key for proposal in proposals if proposal.fault is None)
    if not votes:
        return 0
    most = max(votes.values())
    return next(
        place
        for place, proposal in enumerate(proposals)
        if proposal.fault is None and votes[proposal.key] == most
    )
