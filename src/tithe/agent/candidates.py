"""Several answers to the same history at once, and which of them is taken.

They share the history's prefix. Where the endpoint has `n` they are the choices of one call; else calls beside each other. Those that are still
being written are not waited for when more than half already ask for the same, nor when there is a sound one and they take much longer than
calls do here. What is not taken never enters history; a call of which nothing was taken is `speculation`.

Of those that ask for different things, the checks have the first word: one whose call is turned down by its tool's own check, or whose answer
is by the answer's, is not taken as long as there is another, and an answer that the check vouches for is taken. What is left then is chosen from.
"""

import math
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from tithe.agent.answer import Answer, Answers, answer_of
from tithe.agent.beside import Beside, Found, examined
from tithe.agent.caller import Caller, CallFailed
from tithe.agent.calling import called
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.fault import Fault
from tithe.agent.proposal import Proposal
from tithe.agent.request import JUDGE, Asking, Preferred, shown
from tithe.agent.speeds import CallTime, Speeds
from tithe.agent.tool import schema_of
from tithe.agent.tool_run import Toolbox
from tithe.core import Message
from tithe.core.errors import EndpointRefused, InvalidRequest
from tithe.wire.hearing import Hearing

Choose = Literal["vote", "judge"] | Callable[[Sequence[Message]], int | Awaitable[int]]
_REFUSED = frozenset((400, 404, 415, 422, 501))
# Times the slow tenth of calls: a candidate that takes longer is not waited for where there is another.
_STRAGGLES = 2.0


class Forks:
    """Whether the endpoint takes `n`, as far as is known. `wanted` False: it is not to be asked."""

    def __init__(self, *, wanted: bool = True) -> None:
        self.has_n = wanted


class _Answered(NamedTuple):
    """What a proposal answers; a tuple, since that may be None."""

    value: Any


class _Candidate(NamedTuple):
    """A proposal and its place. `stands_for` is equal for those that ask for, or answer, the same; answer: where it is known before
    anything is run."""

    place: int
    proposal: Proposal
    stands_for: Hashable
    answer: _Answered | None = None

    def judged(self, verdict: Answer | Fault | None) -> "_Candidate":
        """The same, with what the checks said of the answer; of a tool call they are asked again before it is run."""
        if self.answer is None:
            return self
        return self._replace(proposal=msgspec.structs.replace(self.proposal, verdict=verdict))


class Candidates:
    """Asks for candidates and takes one."""

    def __init__(
        self,
        caller: Caller,
        toolbox: Toolbox,
        answers: Answers,
        speeds: Speeds,
        deadline: Deadline,
        forks: Forks,
        choose: Choose,
    ) -> None:
        self._caller = caller
        self._toolbox = toolbox
        self._answers = answers
        self._calls = Beside(caller, toolbox, deadline)
        self._speeds = speeds
        self._deadline = deadline
        self._forks = forks
        self._choose: Choose = choose

    async def take(self, asking: Asking, history: Sequence[Message], count: int) -> Proposal:
        """The best of `count`; one that is at fault only where all are. Raises as `Caller.ask` does."""
        began = self._deadline.clock.now()
        enough = self._enough(count, began)
        proposals = await self._choices(asking, history, count, enough) if self._forks.has_n else None
        if proposals is not None:
            taken = await self._best(asking, history, proposals)
        else:
            taken = await self._beside(asking, history, count, enough)
        self._speeds.saw_candidates(count, self._deadline.clock.now() - began)
        return taken.proposal

    def _enough(self, count: int, began: float) -> Callable[[Sequence[Proposal]], bool]:
        """Whether those that have come are enough of so many."""
        late = began + self._straggles_s

        def enough(found: Sequence[Proposal]) -> bool:
            sound = [proposal for proposal in found if proposal.fault is None]
            if sound and self._deadline.clock.now() >= late:
                return True
            votes = Counter(proposal.key for proposal in sound)
            most = max(votes.values(), default=0) * 2 > count
            return most and self._choose == "vote" and not any(map(self._may_be_turned_down, sound))

        return enough

    def _may_be_turned_down(self, proposal: Proposal) -> bool:
        """Whether a check has the last word on it: another may be what that passes."""
        if proposal.answers and self._answers.checked:
            return True
        return any(ready.tool.traits.check is not None for ready in proposal.ready)

    @property
    def _straggles_s(self) -> float:
        calls = self._speeds.calls
        return _STRAGGLES * calls.quantile(0.9) if calls else math.inf

    async def _choices(
        self,
        asking: Asking,
        history: Sequence[Message],
        count: int,
        enough: Callable[[Sequence[Proposal]], bool],
    ) -> list[Proposal] | None:
        """As choices of one call; None where the endpoint has no `n`."""
        come: list[Proposal] = []
        took: list[float] = []  # of each that was complete

        def watch(hearing: Hearing) -> bool:
            complete = sum(choice.finish is not None for choice in hearing.choices.values())
            if complete < len(come):
                took.clear()  # another attempt
            if complete != len(come):
                come[:] = examined(hearing, self._toolbox)
                took.extend([self._deadline.clock.now() - hearing.begun] * (complete - len(took)))
            return enough(come)

        try:
            hearing = await self._caller.ask(asking.step(history, n=count), watch=watch)
        except CallFailed as failed:
            error = failed.error
            status = error.http_status if isinstance(error, EndpointRefused) else None
            if status in _REFUSED or isinstance(error, InvalidRequest):
                self._forks.has_n = False
                return None
            raise
        if took and hearing.first_token is not None:
            # Of the choices the middle one is as a call by itself would have been.
            ttft = hearing.first_token - hearing.begun
            self._speeds.saw_call(CallTime(ttft, max(0.0, took[len(took) // 2] - ttft)))
        if len(hearing.choices) < count and not enough(come):
            self._forks.has_n = False  # it answers as if it had not been asked for more than one
        return examined(hearing, self._toolbox)

    async def _beside(
        self,
        asking: Asking,
        history: Sequence[Message],
        count: int,
        enough: Callable[[Sequence[Proposal]], bool],
    ) -> _Candidate:
        """As calls beside each other."""
        chosen: list[_Candidate] = []

        async def best(found: Found) -> int:
            places = sorted(found)
            chosen.append(await self._best(asking, history, [found[place] for place in places]))
            return places[chosen[0].place]

        requests = [asking.step(history, at=place) for place in range(count)]
        await self._calls.one_of(
            requests, lambda found: enough(tuple(found.values())), best, self._straggles_s
        )
        return chosen[0]

    async def _best(
        self, asking: Asking, history: Sequence[Message], proposals: Sequence[Proposal]
    ) -> _Candidate:
        """Which one is taken."""
        offered = [_Candidate(place, proposal, proposal.key) for place, proposal in enumerate(proposals)]
        sound = [each for each in offered if each.proposal.fault is None]
        if _agree(sound or offered[:1]):
            return (sound or offered)[0]
        sound = [await self._known(each) for each in sound]
        if _agree(sound):
            return sound[0]
        passed = await self._passed(sound)
        if _agree(passed) or self._choose == "vote":
            return _vote(passed)
        if self._choose == "judge":
            return await self._judged(asking, history, passed)
        return await self._picked(self._choose, passed)

    async def _picked(
        self, choose: Callable[[Sequence[Message]], Any], candidates: Sequence[_Candidate]
    ) -> _Candidate:
        """What a function prefers; the vote decides where that does not, in time or at all."""
        work = called(choose, [each.proposal.message for each in candidates])
        try:
            place: int = await self._deadline.within(work, self._deadline.left)
            return dict(enumerate(candidates))[place]
        except OutOfTime:
            pass
        except Exception as error:  # noqa: BLE001 - no answer is lost for it
            warnings.warn(f"What chooses among candidates raised {error!r}.", RuntimeWarning, stacklevel=2)
        return _vote(candidates)

    async def _known(self, each: _Candidate) -> _Candidate:
        """With its answer, if it is one: a text, or what the final tool is given where that may be called for nothing."""
        proposal = each.proposal
        if not proposal.answers or len(proposal.calls) > 1:
            return each
        value: Any = proposal.message.content
        for ready in proposal.ready:
            if not ready.tool.traits.idempotent:
                return each
            try:
                ran = await self._toolbox.outcome(ready)
            except OutOfTime:
                return each
            if ran.fault is not None:
                return each
            value = answer_of(ready, ran.value)
        stands_for = ("answer", await self._answers.key(value))
        return each._replace(stands_for=stands_for, answer=_Answered(value))

    async def _passed(self, sound: Sequence[_Candidate]) -> list[_Candidate]:
        """Those that the checks leave, or the one that they vouch for; the first of all, with what is wrong with it, where they leave none."""
        votes = _votes(sound)
        verdicts: dict[Hashable, Answer | Fault | None] = {}
        for each in sorted(sound, key=lambda each: -votes[each.stands_for]):
            if each.stands_for not in verdicts:
                verdict = verdicts[each.stands_for] = await self._verdict(each)
                if isinstance(verdict, Answer) and verdict.vouched:
                    return [each.judged(verdict)]
        judged = [each.judged(verdicts[each.stands_for]) for each in sound]
        return [each for each in judged if not isinstance(verdicts[each.stands_for], Fault)] or judged[:1]

    async def _verdict(self, each: _Candidate) -> Answer | Fault | None:
        """What the checks say: of an answer, or of the call that would be run first."""
        try:
            if each.answer is not None:
                return await self._answers.examine(each.answer.value) if self._answers.checked else None
            for ready in each.proposal.ready[:1]:
                await self._toolbox.check(ready)
        except Fault as fault:
            return fault
        except OutOfTime:
            pass
        return None

    async def _judged(
        self, asking: Asking, history: Sequence[Message], candidates: Sequence[_Candidate]
    ) -> _Candidate:
        """What a call prefers; where its answer is none, the vote."""
        listed = "\n".join(f"{n}. {shown(each.proposal.message)}" for n, each in enumerate(candidates, 1))
        request = asking.aside(history, JUDGE.format(candidates=listed), schema_of(Preferred))
        try:
            hearing = await self._caller.ask(request)
            best = msgspec.json.decode(hearing.choices[0].text, type=Preferred).best
        except (CallFailed, OutOfTime, msgspec.DecodeError, KeyError):
            return _vote(candidates)
        return candidates[best - 1] if 1 <= best <= len(candidates) else _vote(candidates)


def _agree(candidates: Sequence[_Candidate]) -> bool:
    return len({each.stands_for for each in candidates}) == 1


def _votes(candidates: Sequence[_Candidate]) -> Counter[Hashable]:
    return Counter(each.stands_for for each in candidates)


def _vote(candidates: Sequence[_Candidate]) -> _Candidate:
    """The first of those for which most are."""
    votes = _votes(candidates)
    return max(candidates, key=lambda each: votes[each.stands_for])
