"""What is slow, and what is dead: silence, and what ends a run that had time left."""

import asyncio

import pytest
from tests.agent.scripted import calls, run, says, seconds, turn_by_turn

from tithe.agent import PLAIN, Agent, Crafts, Environment, minimal, tool
from tithe.core import FakeClock, Request, Script, ScriptedBackend, TextDelta, ToolCallDelta
from tithe.core.errors import Unreachable, UsageError

ONE = Crafts(candidates=1, review=False, ways=1, hedge=0)


def known(agent: Agent, ttft: float = 0.05) -> Agent:
    for _ in range(9):
        agent.speeds.saw_call(seconds(ttft))
    return agent


@pytest.mark.parametrize(("crafts", "policy"), [(ONE, None), (PLAIN, minimal)])
def test_an_endpoint_that_is_slow_for_once_is_given_longer_each_time(crafts, policy):
    clock = FakeClock()
    more = {} if policy is None else {"policy": policy}
    agent = known(
        Agent(turn_by_turn(says("8", ttft=6.0), clock=clock), "m", crafts=crafts, clock=clock, **more)
    )
    outcome = run(agent, clock, budget=60)
    assert (outcome.answer, outcome.stopped) == ("8", "answered")
    assert 0 < outcome.retries <= crafts.retries


def test_a_call_that_the_server_sends_whole_is_waited_for():
    clock = FakeClock()

    async def look(x: int) -> int:
        return x

    def script(request: Request) -> Script:
        if request.messages[-1].role == "tool":
            return says("8", ttft=0.05)
        deltas = (
            TextDelta(at=0, text="Let me look."),
            ToolCallDelta(at=0, call=0, id="c", name="look", arguments='{"x": 8}'),
        )
        return Script(deltas=deltas, ttft=0.05, gap=3.0, finish="tool_calls")

    outcome = run(
        known(Agent(ScriptedBackend(script, clock), "m", tools=[look], crafts=ONE, clock=clock)), clock
    )
    assert (outcome.answer, outcome.retries) == ("8", 0)


def test_a_dead_endpoint_is_told_as_one_however_little_time_is_left():
    clock = FakeClock()
    backend = turn_by_turn(Script(error=Unreachable("nobody is there")), clock=clock)
    for budget in (0.2, 1.0, 60.0):
        outcome = run(Agent(backend, "m", crafts=ONE, clock=clock), clock, budget=budget)
        assert (outcome.stopped, outcome.next) == ("failed", None)
        assert outcome.error is not None
        assert outcome.error.message == "nobody is there"


@pytest.mark.parametrize("budget", [11, 13, 15, 19, 25, 31, 60])
def test_a_model_that_is_never_done_is_told_when_time_is_up(budget):
    clock = FakeClock()

    async def look(x: int) -> int:
        return x

    def script(request: Request) -> Script:
        if request.tool_choice.mode == "none":
            return says("my best", ttft=2.0)
        return calls(("look", f'{{"x": {len(request.messages)}}}'), ttft=2.0)

    agent = Agent(
        ScriptedBackend(script, clock),
        "m",
        tools=[look],
        crafts=Crafts(ways=1, review=False, hedge=0),
        clock=clock,
    )
    outcome = run(agent, clock, budget=budget)
    assert outcome.answer == "my best"
    assert outcome.wall_s <= budget


def test_a_tool_that_is_asked_again_until_it_is_ready_is_no_circle():
    clock = FakeClock()
    said = iter(["pending"] * 4 + ["ready"])

    async def status() -> str:
        return next(said)

    def script(request: Request) -> Script:
        ready = request.messages[-1].content == "ready"
        return says("42", ttft=0.1) if ready else calls(("status", "{}"), ttft=0.1)

    outcome = run(Agent(ScriptedBackend(script, clock), "m", tools=[status], crafts=ONE, clock=clock), clock)
    assert outcome.answer == "42"


def test_equal_results_with_something_new_between_them_are_no_circle():
    clock = FakeClock()
    edits = iter(range(100))

    async def edit(x: int) -> str:
        return f"edit {next(edits)}"

    async def run_tests() -> str:
        return "1 of 2 failed."

    def script(request: Request) -> Script:
        done = sum(message.role == "tool" for message in request.messages)
        if done == 12:
            return says("mended", ttft=0.1)
        return calls(("run_tests", "{}") if done % 2 else ("edit", '{"x": 1}'), ttft=0.1)

    agent = Agent(ScriptedBackend(script, clock), "m", tools=[edit, run_tests], crafts=ONE, clock=clock)
    assert run(agent, clock).answer == "mended"


async def cancels_itself(*_: object) -> str:
    inner = asyncio.ensure_future(asyncio.sleep(10))
    inner.cancel()
    await inner
    return "never"


def test_a_tool_that_cancels_itself_has_failed_and_the_run_goes_on():
    clock = FakeClock()

    @tool(idempotent=True)
    async def look(x: int) -> str:
        return await cancels_itself(x)

    backend = turn_by_turn(calls(("look", '{"x": 1}')), says("8"), clock=clock)
    outcome = run(Agent(backend, "m", tools=[look], crafts=ONE, clock=clock), clock)
    assert outcome.answer == "8"
    assert [fault.kind for fault in outcome.faults] == ["failed tool"]


def test_a_check_that_cancels_itself_ends_the_run_with_an_error_of_ours():
    clock = FakeClock()
    agent = Agent(turn_by_turn(says("8"), clock=clock), "m", check=cancels_itself, crafts=ONE, clock=clock)
    outcome = run(agent, clock)
    assert outcome.stopped == "failed"
    assert isinstance(outcome.error, UsageError)


def test_an_environment_that_is_still_being_closed_at_the_deadline_is_closed_all_the_same():
    clock = FakeClock()
    told: list[str] = []

    async def close() -> None:
        told.append("closing")
        await clock.sleep(5)
        told.append("closed")

    backend = turn_by_turn(says("4", ttft=0.1), says("5", ttft=1e6), clock=clock)
    crafts = Crafts(candidates=1, review=False, hedge=0)
    agent = Agent(backend, "m", tools=lambda: Environment(close=close), crafts=crafts, clock=clock)

    async def main() -> float:
        outcome = await clock.run(asyncio.ensure_future(agent.run("goal", 3)))
        await clock.run(asyncio.ensure_future(clock.sleep(10)))
        return outcome.wall_s

    assert asyncio.run(main()) <= 3
    assert told == ["closing", "closed"]


@pytest.mark.parametrize("said", [True, False, "", 3])
def test_a_check_that_does_not_say_what_is_wrong_is_a_mistake(said):
    clock = FakeClock()
    agent = Agent(turn_by_turn(says("8"), clock=clock), "m", check=lambda _: said, crafts=ONE, clock=clock)
    outcome = run(agent, clock)
    assert outcome.stopped == "failed"
    assert "in words" in str(outcome.error)


def test_what_cannot_be_is_told_before_a_run():
    backend = turn_by_turn(says("8"))

    def weather(city: str) -> str:
        return city

    for wrong, words in (
        ({"tools": weather}, "takes arguments"),
        ({"choose": "best"}, "choose"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_steps": 0}, "max_steps"),
    ):
        with pytest.raises(UsageError, match=words):
            Agent(backend, "m", **wrong)
    for goal, budget in (("goal", "x"), ("goal", None), ("goal", float("nan")), (" ", 1)):
        with pytest.raises(UsageError):
            asyncio.run(Agent(backend, "m").run(goal, budget))
    with pytest.raises(UsageError, match="timeout"):
        tool(timeout=-1)(weather)


def test_a_call_of_an_unknown_tool_whose_arguments_are_no_json_is_history_as_text():
    clock = FakeClock()
    backend = turn_by_turn(calls(("nosuch", '{"a": ')), says("8"), clock=clock)
    outcome = run(Agent(backend, "m", crafts=ONE, clock=clock), clock)
    assert outcome.answer == "8"
    assert not any(message.tool_calls for message in backend.requests[-1].messages)
