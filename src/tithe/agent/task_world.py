"""The task world's agents: a task's tools, and what can be told of an answer from inside.

A repair is checked by running the tests, as its agent may do at any time; for an answer of the other families nothing vouches, and two
ways agree where their answers are equal and the world stands the same after both. The world's own judgement, which knows the
right answer, is asked when the run is over, and never before.
"""

from collections.abc import Hashable
from typing import Any

from tithe.agent.agent import Agent
from tithe.agent.crafts import Crafts
from tithe.agent.environment import Environment
from tithe.agent.outcome import Outcome
from tithe.agent.progress import Event, Tell, WayBegun, telling_loop, telling_tool
from tithe.agent.tool import AgentTool, Traits, described_tool
from tithe.core import Backend, Tool
from tithe.world import Task, World, open_world

CRAFTS = Crafts(review=False)
"""A review is left out: the bundled model, for which this world is, can call tools and has no opinions."""

_READING = frozenset(("list_files", "search", "read_file", "calc", "schema", "query"))
_FINAL = "finish"


class Playground:
    """The worlds of one task's run: `environment` is for `Agent(tools=...)`, which opens one for each way. `tell` hears what is done as
    it is done."""

    def __init__(self, task: Task, tell: Tell | None = None) -> None:
        self.task = task
        self._tell = tell
        self._opened: list[tuple[Environment, World]] = []

    def agent(self, backend: Backend, model: str, *, plain: bool = False) -> Agent:
        """The agent for this task; `plain`: the minimal loop."""
        loop = telling_loop(self._told, plain=plain, crafts=CRAFTS)
        return Agent(
            backend,
            model,
            tools=self.environment,
            instructions=self.task.system,
            crafts=loop.crafts,
            policy=loop.policy,
            max_steps=self.task.step_limit,
            name=f"world {self.task.family}",
        )

    def environment(self) -> Environment:
        """A fresh world."""
        world = open_world(self.task)
        environment = Environment(
            tools=[self._telling(_tool(world, tool)) for tool in self.task.tools],
            check=(lambda answer: _tested(world, answer)) if self.task.family == "repair" else None,
            same=lambda answer: _same(world, answer),
            close=world.close,
        )
        self._opened.append((environment, world))
        self._told(WayBegun(number=len(self._opened)))
        return environment

    def judge(self, outcome: Outcome) -> bool:
        """Whether the run solved the task: its answer is given to the world that it was found in. All worlds are closed."""
        try:
            if outcome.answer is None:
                return False
            world = next(world for environment, world in self._opened if environment is outcome.environment)
            world.call(_FINAL, {"answer": str(outcome.answer)})
            return world.succeeded
        finally:
            for _, world in self._opened:
                world.close()

    def _telling(self, made: AgentTool) -> AgentTool:
        return made if self._tell is None else telling_tool(made, self._tell)

    def _told(self, event: Event) -> None:
        if self._tell is not None:
            self._tell(event)


def _tool(world: World, wire: Tool) -> AgentTool:
    if wire.name == _FINAL:
        return described_tool(wire, _finish, Traits(final=True, idempotent=True))
    reads = wire.name in _READING

    def run(**arguments: Any) -> str:
        return world.call(wire.name, arguments)

    return described_tool(wire, run, Traits(idempotent=reads, parallel=reads))


async def _finish(answer: str) -> str:
    return answer.strip()


def _tested(world: World, answer: str) -> str | None:
    """What the tests say, where they do not pass."""
    del answer
    said = world.call("run_tests", {})
    return None if said.endswith(" passed.") else said


def _same(world: World, answer: str) -> Hashable:
    return answer.removesuffix("."), world.stands()
