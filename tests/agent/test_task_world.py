"""The task world's agents: real worlds, the expert's calls as the model's, and the world's own judgement of what came of it."""

import tempfile
from pathlib import Path

import pytest
from tests.agent.scripted import calls, says

from tithe.agent import Agent, Crafts, Environment, Outcome
from tithe.agent.task_world import CRAFTS, Playground
from tithe.core import Message, Request, Script, ScriptedBackend
from tithe.world import FAMILIES, Family, Task, make_task, solve
from tithe.world.task import OVER

WAYS = Crafts(candidates=1, review=False, hedge=0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where worlds that have a directory make it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


class Watched(Playground):
    """Remembers the environments that it opened."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.opened: list[Environment] = []

    def environment(self) -> Environment:
        self.opened.append(super().environment())
        return self.opened[-1]

    @property
    def over(self) -> list[bool]:
        """Of each world, whether it answers no call any more."""
        return [called(each, self.task.tools[0].name) == OVER for each in self.opened]


def called(environment: Environment, name: str, **arguments: str) -> str:
    return next(tool for tool in environment.tools if tool.name == name).run(**arguments)


def expert(task: Task) -> ScriptedBackend:
    """A model that does, in each conversation, what the expert did in his."""
    turns = [message for message in solve(task).messages if message.role == "assistant"]

    def script(request: Request) -> Script:
        return as_script(turns[sum(each.role == "assistant" for each in request.messages)])

    return ScriptedBackend(script)


def as_script(message: Message) -> Script:
    if not message.tool_calls:
        return says(message.content or "")
    return calls(*((call.name, call.arguments) for call in message.tool_calls))


async def played(playground: Playground, backend: ScriptedBackend, crafts: Crafts = WAYS) -> Outcome:
    task = playground.task
    agent = Agent(
        backend,
        "m",
        tools=playground.environment,
        instructions=task.system,
        max_steps=task.step_limit,
        crafts=crafts,
    )
    return await agent.run(task.goal, 60.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", FAMILIES)
async def test_what_the_expert_does_solves_the_task(family: Family, seed: int, folder: Path):
    playground = Watched(make_task(family, seed, "held_out"))
    outcome = await played(playground, expert(playground.task))
    assert (outcome.stopped, outcome.vouched) == ("answered", True)
    assert outcome.ways == (1 if family == "repair" else 2), (
        "tests vouch for a repair, two ways for an answer"
    )
    assert playground.judge(outcome)
    assert playground.over == [True] * outcome.ways
    assert not left_in(folder)


@pytest.mark.parametrize("family", FAMILIES)
async def test_an_answer_that_is_wrong_is_not_judged_right(family: Family, folder: Path):
    playground = Watched(make_task(family, 1, "held_out"))
    outcome = await played(playground, ScriptedBackend(calls(("finish", '{"answer": "no idea"}'))))
    if family == "repair":
        assert (outcome.answer, outcome.stopped) == (None, "stuck"), "the tests did not pass it"
        assert {fault.kind for fault in outcome.faults} == {"failed check"}
    else:
        assert (outcome.answer, outcome.vouched) == ("no idea", True), "two ways agreed on it"
    assert not playground.judge(outcome)
    assert playground.over == [True] * outcome.ways
    assert not left_in(folder)


async def test_a_run_without_an_answer_is_not_judged_right(folder: Path):
    playground = Watched(make_task("repair", 2, "held_out"))
    outcome = await played(playground, ScriptedBackend(calls(("list_files", "{}"))), CRAFTS)
    assert outcome.answer is None
    assert not playground.judge(outcome)
    assert playground.over == [True] * len(playground.opened)
    assert not left_in(folder)


def test_a_repair_is_checked_by_its_tests_and_nothing_else_is(folder: Path):
    for family in FAMILIES:
        playground = Watched(make_task(family, 3, "held_out"))
        environment = playground.environment()
        assert (environment.check is not None) == (family == "repair")
        if environment.check is not None:
            assert left_in(folder), "it has a directory"
            assert "passed." not in str(environment.check("fixed")), "nothing was mended yet"
            do(environment, playground.task)
            assert environment.check("fixed") is None
        environment.close()
        assert playground.over == [True]
    assert not left_in(folder)


def do(environment: Environment, task: Task) -> None:
    """The expert's calls but for the last, which ends the task."""
    for message in solve(task).messages:
        for call in message.tool_calls:
            tool = next(tool for tool in environment.tools if tool.name == call.name)
            if not tool.traits.final:
                tool.run(**tool.read(call.arguments))


def test_answers_are_the_same_where_the_worlds_stand_the_same():
    playground = Playground(make_task("repair", 4, "held_out"))
    one, two = playground.environment(), playground.environment()
    assert one.same("done.") == two.same("done")
    assert one.same("done") != two.same("undone")
    do(one, playground.task)
    assert one.same("done") != two.same("done"), "only one of them was mended"
    do(two, playground.task)
    assert one.same("done") == two.same("done")
    for each in (one, two):
        each.close()
