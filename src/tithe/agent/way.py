"""One way from the goal to an answer: a conversation that only grows, and a step of it.

History is append-only and an answer stands in it as the model wrote it, so that the endpoint's prefix cache holds. Only an answer
whose calls are no JSON is put there as text: some endpoints turn a conversation with such arguments down.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from tithe.agent.answer import Answer, Answers, answer_of
from tithe.agent.beside import Beside, Found, first_choice
from tithe.agent.caller import Caller, CallFailed
from tithe.agent.candidates import Candidates, Choose, Forks
from tithe.agent.crafts import Crafts
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.early import EarlyRuns
from tithe.agent.environment import Environment
from tithe.agent.fault import Fault, FaultSeen
from tithe.agent.policy import Decision
from tithe.agent.proposal import Proposal
from tithe.agent.request import REVIEW, TIME_IS_UP, VERIFY, Asking, Opinion, shown
from tithe.agent.speeds import Speeds
from tithe.agent.tool import AgentTool, schema_of
from tithe.agent.tool_run import Ran, Ready, Toolbox, told
from tithe.core import Message
from tithe.trace import tracing

_CIRCLES = 4
"""So many steps in a row that brought nothing but what was there before, call and result: the model goes in circles."""


class Way:
    """`steps` that were taken, `faults` that were seen, `began` when it was, on the deadline's clock.

    `pressed`: the model was told to answer at once. `doing`: what is under way, in words.
    """

    def __init__(
        self,
        *,
        asking: Asking,
        goal: str,
        instructions: str | None,
        environment: Environment,
        tools: list[AgentTool],
        answers: Answers,
        caller: Caller,
        speeds: Speeds,
        deadline: Deadline,
        crafts: Crafts,
        forks: Forks,
        choose: Choose,
    ) -> None:
        self.environment = environment
        self.steps = 0
        self.pressed = False
        self.faults: list[FaultSeen] = []
        self.began = deadline.clock.now()
        self.doing = "ask the model for the first step"
        self.history: list[Message] = [Message(role="system", content=instructions)] if instructions else []
        self.history.append(Message(role="user", content=goal))
        self._asking = msgspec.structs.replace(asking, tools=tuple(tool.wire for tool in tools))
        self._answers = answers
        self._caller = caller
        self._speeds = speeds
        self._deadline = deadline
        self._crafts = crafts
        self.toolbox = Toolbox(tools, speeds, deadline)
        self._calls = Beside(caller, self.toolbox, deadline)
        self._candidates = Candidates(caller, self.toolbox, answers, speeds, deadline, forks, choose)
        self._done: set[tuple[str, tuple[str, ...]]] = set()
        self._repeated = 0

    @property
    def stuck(self) -> bool:
        """Whether the model asks for what it asked before, with the same result as before, over and over."""
        return self._repeated >= _CIRCLES

    async def step(self, decision: Decision) -> Answer | None:
        """One pass through the loop. Returns the answer if it came to a valid one.

        Raises `OutOfTime` and `CallFailed`.
        """
        self.doing = f"ask the model for step {self.steps + 1}"
        with tracing.step():
            early = EarlyRuns(self.toolbox, self._deadline)
            try:
                proposal = await self._propose(decision, early)
                wrong = await self._verify(proposal) if decision.verify else None
                self.steps += 1
                return await self._act(proposal, early, wrong)
            finally:
                early.end()

    async def review(self, answer: Answer) -> bool:
        """Whether a call finds nothing wrong with the answer. What it finds is told to the model, for a further step."""
        self.doing = "review the answer"
        with tracing.validation("review"):
            opinion = await self._opinion(REVIEW.format(answer=told(answer.value)))
        if opinion is None or opinion.right:
            return True
        said = f"A review of the answer says: {opinion.why}"
        self._fault(Fault("failed check", said), None)
        self.history.append(Message(role="user", content=f"{said} Mend it."))
        return False

    async def _propose(self, decision: Decision, early: EarlyRuns) -> Proposal:
        if decision.kind == "answer now":
            return await self._last()
        if decision.candidates > 1:
            return await self._candidates.take(self._asking, self.history, decision.candidates)
        watch = early.watch if self._crafts.early and not decision.verify else None
        hearing = await self._caller.ask(self._asking.step(self.history), watch=watch)
        return first_choice(hearing, self.toolbox)

    async def _last(self) -> Proposal:
        """What the model answers when it is told that time is up; unless it would have come to an answer by itself.

        Both are asked at once: whether a model was about to answer nobody can know, and what it says untold is worth more.
        """
        final = self.toolbox.final
        told = [*self.history, Message(role="user", content=TIME_IS_UP)]
        requests = (
            self._asking.step(self.history),
            self._asking.step(told, final="" if final is None else final.name),
        )
        place, proposal = await self._calls.one_of(requests, _answers_untold, _untold_or_told)
        self.pressed = True
        if place == 1:
            self.history = told
        return proposal

    async def _verify(self, proposal: Proposal) -> str | None:
        """What a call finds wrong with what is proposed, before it is run; None: nothing."""
        if proposal.fault is not None or not proposal.ready:
            return None
        with tracing.validation("verify"):
            opinion = await self._opinion(VERIFY.format(call=shown(proposal.message)))
        return opinion.why or "it is not right" if opinion is not None and not opinion.right else None

    async def _opinion(self, question: str) -> Opinion | None:
        """None where the model gave none that can be read, or the call failed: then nothing is held against what was asked about."""
        try:
            hearing = await self._caller.ask(self._asking.aside(self.history, question, schema_of(Opinion)))
            return msgspec.json.decode(hearing.choices[0].text, type=Opinion)
        except (CallFailed, msgspec.DecodeError, KeyError):
            return None

    async def _act(self, proposal: Proposal, early: EarlyRuns, wrong: str | None) -> Answer | None:
        fault = proposal.fault
        if not proposal.calls or (fault is not None and (fault.kind == "cut" or not proposal.is_json)):
            return await self._without_calls(proposal)
        self.history.append(proposal.message)
        began = self._deadline.clock.now()
        ran_by: dict[int, Ran] = {}
        try:
            await self._run(proposal, early, wrong, ran_by)
        except OutOfTime:
            # What a final tool said beside one that did not end in time is an answer.
            answer = await self._final_of(proposal, ran_by)
            if answer is None:
                raise
            return answer
        results = [ran_by[number] for number in range(len(proposal.calls))]
        if any(not isinstance(call, Fault) for call in proposal.calls) and wrong is None:
            self._speeds.saw_tools_of_a_step(self._deadline.clock.now() - began)
        answer: Answer | None = None
        for call, examined, ran in zip(proposal.message.tool_calls, proposal.calls, results, strict=True):
            text = ran.text
            if ran.fault is not None:
                self._fault(ran.fault, call.name)
            elif isinstance(examined, Ready) and examined.tool.traits.final:
                try:
                    answer = await self._examined(proposal, answer_of(examined, ran.value))
                except Fault as fault:
                    self._fault(fault, call.name)
                    text = fault.words
            self.history.append(Message(role="tool", content=text, tool_call_id=call.id))
        self._note(proposal, *(ran.text for ran in results))
        return answer

    async def _final_of(self, proposal: Proposal, ran_by: Mapping[int, Ran]) -> Answer | None:
        for number, examined in enumerate(proposal.calls):
            ran = ran_by.get(number)
            if isinstance(examined, Fault) or not examined.tool.traits.final or ran is None or ran.fault:
                continue
            try:
                return await self._examined(proposal, answer_of(examined, ran.value))
            except Fault as fault:
                self._fault(fault, examined.call.name)
        return None

    async def _without_calls(self, proposal: Proposal) -> Answer | None:
        """An answer in text, or one whose calls cannot stand in history as they are."""
        message, fault = proposal.message, proposal.fault
        if proposal.calls:
            message = Message(role="assistant", content=f"{message.content or ''}\n{shown(message)}".strip())
        self.history.append(message)
        if fault is None:
            try:
                return await self._examined(proposal, message.content or "")
            except Fault as failed:
                fault = failed
        self._fault(fault, None)
        self._note(proposal, fault.words)
        self.history.append(Message(role="user", content=fault.words))
        return None

    def _note(self, proposal: Proposal, *came: str) -> None:
        """Remember what was asked for and what came of it."""
        done = (proposal.key, came)
        self._repeated = self._repeated + 1 if done in self._done else 0
        self._done.add(done)

    async def _run(
        self, proposal: Proposal, early: EarlyRuns, wrong: str | None, results: dict[int, Ran]
    ) -> None:
        """Run the calls; those whose tools may run side by side do, where nothing stands between them. Each has its result by its number."""
        group: list[int] = []
        for number, examined in enumerate(proposal.calls):
            if isinstance(examined, Fault):
                results[number] = Ran(text=examined.words, fault=examined)
            elif wrong is not None:
                results[number] = _refused(examined, wrong)
            elif self._crafts.parallel and examined.tool.traits.parallel:
                group.append(number)
            else:
                await self._together(proposal, group, early, results)
                group = []
                await self._together(proposal, [number], early, results)
        await self._together(proposal, group, early, results)

    async def _together(
        self, proposal: Proposal, group: list[int], early: EarlyRuns, results: dict[int, Ran]
    ) -> None:
        async def one(number: int) -> None:
            ready = proposal.calls[number]
            assert isinstance(ready, Ready)
            started = await early.outcome(number, ready.call)
            results[number] = started if started is not None else await self.toolbox.run(ready)

        if not group:
            return
        names = [call.name for number, call in enumerate(proposal.message.tool_calls) if number in group]
        self.doing = f"run {', '.join(names)}, then ask the model for step {self.steps + 1}"
        runs = [asyncio.ensure_future(one(number)) for number in group]
        try:
            # Each ends by the deadline, or by the timeout for which it must not be cut: no other's end is a reason to cut it.
            await asyncio.wait(runs)
        finally:
            for run in runs:
                self._deadline.abandon(run)
        for run in runs:
            run.result()

    async def _examined(self, proposal: Proposal, value: Any) -> Answer:
        """The answer that a proposal gives. Raises `Fault` where a check turns it down."""
        verdict = proposal.verdict
        if verdict is None:
            return await self._answers.examine(value)
        if isinstance(verdict, Fault):
            raise verdict
        return verdict

    def _fault(self, fault: Fault, tool: str | None) -> None:
        self.faults.append(FaultSeen(kind=fault.kind, step=self.steps, tool=tool, words=fault.words))


def _answers_untold(found: Found) -> bool:
    return 0 in found and found[0].answers


async def _untold_or_told(found: Found) -> int:
    return 0 if _answers_untold(found) or 1 not in found else 1


def _refused(ready: Ready, wrong: str) -> Ran:
    fault = Fault("failed check", f"{ready.tool.name} was not run: {wrong}")
    return Ran(text=fault.words, fault=fault)
