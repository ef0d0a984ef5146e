"""An agent: a model behind a backend, its tools, and what it may do to be right within a budget of time.

    agent = Agent(backend, "my-model", tools=[search, read])
    outcome = await agent.run("Which of our pages mentions refunds?", budget=30.0)
    outcome.answer, outcome.wall_s, outcome.decisions

Everything is recorded as spans where `tithe.trace` records: under `tithe record`, or after `record_to`.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from tithe.agent.answer import Answers
from tithe.agent.caller import Caller, CallFailed
from tithe.agent.candidates import Choose, Forks
from tithe.agent.crafts import ALL, Crafts
from tithe.agent.deadline import Deadline
from tithe.agent.environment import AnswerCheck, Environment, MakeEnvironment, Opening
from tithe.agent.outcome import Outcome
from tithe.agent.policy import Policy, budgeted
from tithe.agent.request import Asking
from tithe.agent.run import Begin, Run
from tithe.agent.speeds import CallTime, Speeds, ToolTime
from tithe.agent.tool import AgentTool, tool, tool_of
from tithe.agent.way import Way
from tithe.core import Backend, Clock, Sampling, SystemClock, new_id
from tithe.core.errors import UsageError
from tithe.trace import tracing

Tools = Sequence[Callable[..., Any] | AgentTool] | MakeEnvironment

ANSWER_TOOL = "final_answer"


class Agent:
    """Runs tasks. It learns how fast its endpoint and its tools are, from run to run; runs may go on at once.

    Args:
        backend: what answers; the agent does not close it.
        model: its name there.
        tools: functions (see `tithe.agent.tool`), or a function that makes an `Environment`: only then can a task be begun anew.
        instructions: the system prompt.
        answer: a type that the answer must have (anything that msgspec describes): it becomes a tool that ends the task.
            None: the answer is the model's text, or what a tool marked `final` returns.
        check: is given an answer and returns what is wrong with it in words, or None; it then needs no further doubt.
        crafts: what may be done; policy: what of it is done when.
        choose: how the best of several candidates is found: by vote, by a judging call, or by a function of their messages that
            returns the place of the best.
        seed: calls of this endpoint, and runs of these tools, whose times are known, until this agent has made its own.
        max_steps: the most steps of one way from goal to answer. max_tokens: the most tokens of an answer; None: as the endpoint has it.
        name: what its tasks are called in a ledger.

    Raises `UsageError` for tools that cannot be described, of equal names, or two that end the task.
    """

    def __init__(
        self,
        backend: Backend,
        model: str,
        *,
        tools: Tools = (),
        instructions: str | None = None,
        answer: Any = None,
        check: AnswerCheck | None = None,
        crafts: Crafts = ALL,
        policy: Policy = budgeted,
        choose: Choose = "vote",
        seed: Iterable[CallTime | ToolTime] = (),
        max_steps: int = 50,
        max_tokens: int | None = None,
        sampling: Sampling | None = None,
        extra: dict[str, Any] | None = None,
        name: str = "agent",
        clock: Clock | None = None,
    ) -> None:
        for limit, value in (("max_steps", max_steps), ("max_tokens", max_tokens)):
            if value is not None and value < 1:
                raise UsageError(f"{limit} is {value}: it must be at least 1.")
        if not callable(choose) and choose not in ("vote", "judge"):
            raise UsageError(
                f"choose is {choose!r}: give 'vote', 'judge', or a function of the candidates' messages."
            )
        if callable(tools) and _takes_arguments(tools):
            raise UsageError(
                f"tools is {getattr(tools, '__name__', tools)!r}, which takes arguments: give tools as a list, as in tools=[search], or a "
                "function of nothing that makes an Environment."
            )
        self.speeds = Speeds(seed)
        self._backend = backend
        self._tools = tools
        self._instructions = instructions
        self._answer = answer
        self._checks = (check,) if check is not None else ()
        self._crafts = crafts
        self._policy = policy
        self._choose: Choose = choose
        self._forks = Forks()
        self._max_steps = max_steps
        self._asking = Asking(
            model=model,
            sampling=sampling if sampling is not None else Sampling(),
            max_tokens=max_tokens,
            parallel=crafts.parallel,
            extra=extra or {},
        )
        self._name = name
        self._clock: Clock = clock if clock is not None else SystemClock()
        if not callable(tools):
            checked(self._with_answer(tools))

    @property
    def model(self) -> str:
        """The model's name at its endpoint."""
        return self._asking.model

    @model.setter
    def model(self, name: str) -> None:
        self._asking = msgspec.structs.replace(self._asking, model=name)

    async def run(self, goal: str, budget: float) -> Outcome:
        """Do the task within `budget` seconds of wall clock.

        It ends by then, or later by at most the timeout of one tool that declares one and is not idempotent. What went wrong is in
        the outcome. Raises `UsageError` for a budget that is no time, or an environment that cannot be made or used.
        """
        if not _is_time(budget):
            raise UsageError(f"budget is {budget!r}: give the seconds that the task may take.")
        if not goal.strip():
            raise UsageError("The goal is empty: say what is to be done.")
        deadline = Deadline(self._clock, budget)
        caller = Caller(self._backend, self.speeds, self._crafts, deadline)
        with tracing.task(self._name):
            run = Run(
                Begin(way=lambda: self._way(goal, caller, deadline), fresh=callable(self._tools)),
                caller=caller,
                speeds=self.speeds,
                deadline=deadline,
                crafts=self._crafts,
                policy=self._policy,
                max_steps=self._max_steps,
            )
            try:
                return await run.to_end()
            finally:
                await deadline.settle()

    async def named_model(self) -> str:
        """The model's name, for whoever has to ask for it first. Raises `TitheError`s."""
        return self.model

    async def _way(self, goal: str, caller: Caller, deadline: Deadline) -> Way:
        try:
            model = await deadline.within(caller.insist(lambda _: self.named_model()), deadline.left)
        except CallFailed as failed:
            if isinstance(failed.error, UsageError):
                raise failed.error from failed
            raise
        environment = (
            await Opening(self._tools).environment(deadline)
            if callable(self._tools)
            else Environment(tools=self._tools)
        )
        try:
            tools = checked(self._with_answer(environment.tools))
        except UsageError:
            await environment.end(deadline)
            raise
        return Way(
            asking=msgspec.structs.replace(self._asking, model=model).of_session(new_id()),
            goal=goal,
            instructions=self._instructions,
            environment=environment,
            tools=tools,
            answers=Answers(self._checks, environment, deadline),
            caller=caller,
            speeds=self.speeds,
            deadline=deadline,
            crafts=self._crafts,
            forks=self._forks,
            choose=self._choose,
        )

    def _with_answer(self, tools: Sequence[Callable[..., Any] | AgentTool]) -> list[AgentTool]:
        made = [tool_of(source) for source in tools]
        return made if self._answer is None else [*made, answer_tool(self._answer)]


def _is_time(budget: object) -> bool:
    return isinstance(budget, int | float) and budget > 0 and not math.isinf(budget)


def _takes_arguments(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        for each in parameters
    )


def checked(tools: list[AgentTool]) -> list[AgentTool]:
    """The tools, if they can be used together. Raises `UsageError` otherwise."""
    names = [each.name for each in tools]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise UsageError(f"Two tools are called {double!r}: give each a name of its own.")
    final = [each.name for each in tools if each.traits.final]
    if len(final) > 1:
        raise UsageError(f"{' and '.join(final)} both end the task: one tool can.")
    return tools


def answer_tool(kind: Any) -> AgentTool:
    """The tool that ends a task with an answer of a type."""

    async def final_answer(answer: Any) -> Any:
        return answer

    final_answer.__doc__ = "End the task with this answer."
    final_answer.__annotations__ = {"answer": kind}
    final_answer.__name__ = ANSWER_TOOL
    return tool_of(tool(final=True, idempotent=True)(final_answer))
