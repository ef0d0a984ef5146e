"""Whatever the endpoint, the tools and the user's functions do, a run ends in its time, loses no answer that it had, and raises nothing.

What they do is drawn by `benchmarks/agent_worst.py`, which also says what a run must hold to; the benchmark has the same on the machine's clock.
"""

import asyncio
import random
import threading
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.scripted import calls, run, says, seconds
from tests.benchmark import load

from tithe.agent import Agent, Crafts, Environment, Outcome
from tithe.core import (
    MISHAPS,
    FakeClock,
    FaultyBackend,
    Message,
    Request,
    Script,
    ScriptedBackend,
    SystemClock,
    TextDelta,
    ToolCallDelta,
)

SLACK_S = 1e-6  # on a clock that only moves when everything waits


worst = load("agent_worst")

ONE = Crafts(candidates=1, ways=1, review=False)
THREE = Crafts(ways=1, review=False)
WAYS = Crafts(candidates=1, review=False)
CRAFTS = st.builds(
    Crafts,
    candidates=st.integers(1, 3),
    verify=st.booleans(),
    review=st.booleans(),
    ways=st.integers(1, 3),
    retries=st.integers(0, 4),
    hedge=st.sampled_from((0.0, 0.5, 1.0)),
    early=st.booleans(),
    parallel=st.booleans(),
)


async def one_run(seed: int, budget: float, crafts: Crafts, rate: float) -> Any:
    draw, clock = random.Random(seed), FakeClock()
    met = worst.Worst(draw, clock, threads=False)
    rates = dict.fromkeys(MISHAPS, rate / len(MISHAPS))
    backend = FaultyBackend(ScriptedBackend(worst.nasty(draw), clock), rates, seed=seed, clock=clock)
    agent = Agent(backend, "m", crafts=crafts, clock=clock, **met.given())
    return await clock.run(asyncio.ensure_future(met.run(agent, seed, budget)))


# What nobody waits for any more is left behind when a run's loop closes; an environment that does not close is told as a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:An environment could not be closed:RuntimeWarning")
@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.floats(0.05, 6.0), CRAFTS, st.sampled_from((0.0, 0.3, 0.9)))
async def test_a_run_ends_in_its_time_and_keeps_what_it_had(seed, budget, crafts, rate):
    ended = await one_run(seed, budget, crafts, rate)
    assert ended.raised is None
    assert ended.wrong == ()
    assert ended.late_s <= SLACK_S


# On the machine's clock: functions that block their threads, which no other clock knows of.

LONG_S = 20.0  # far more than a run here takes, and than a machine that is busy may be late


class Held:
    """A function of the user's that blocks its thread until the run is over. `order`: what ended, as it did."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self._released = threading.Event()
        self._ended = threading.Event()

    def block(self) -> None:
        waited = self._released.wait(LONG_S)
        self.order.append("the function" if waited else "the function, which was waited for")
        self._ended.set()

    async def after(self, work: "Awaitable[Outcome]") -> Outcome:
        """The run, then the function's end."""
        outcome = await work
        self.order.append("the run")
        self._released.set()
        assert await asyncio.to_thread(self._ended.wait, LONG_S)
        return outcome


def texts(*said: str) -> ScriptedBackend:
    """Answers with these texts: in the choices of one call, or one after the other and the last for ever."""
    asked = iter(range(1 << 30))

    def script(request: Request) -> Script:
        if request.n > 1:
            return Script(deltas=[TextDelta(at=0, index=n, text=said[n]) for n in range(request.n)])
        return says(said[min(next(asked), len(said) - 1)])

    return ScriptedBackend(script)


async def test_an_environment_that_is_not_made_in_time_is_closed_when_it_comes():
    held, closed = Held(), threading.Event()

    def environment() -> Environment:
        held.block()
        return Environment(close=closed.set)

    outcome = await held.after(Agent(texts("four"), "m", tools=environment).run("goal", 0.2))
    assert (outcome.stopped, outcome.answer, outcome.ways) == ("out of time", None, 0)
    assert held.order == ["the run", "the function"]
    assert await asyncio.to_thread(closed.wait, LONG_S)


async def test_another_way_whose_environment_is_not_made_in_time_costs_no_answer():
    held, made, closed = Held(), [], asyncio.Queue[int]()
    loop = asyncio.get_running_loop()

    def environment() -> Environment:
        number = len(made)
        made.append(number)
        if number:
            held.block()
        return Environment(close=lambda: loop.call_soon_threadsafe(closed.put_nowait, number))

    agent = Agent(texts("four"), "m", tools=environment, crafts=WAYS)
    outcome = await held.after(agent.run("goal", 0.5))
    assert (outcome.stopped, outcome.answer, outcome.vouched) == ("out of time", "four", False)
    assert outcome.next == "go another way from the start"
    assert held.order == ["the run", "the function"]
    assert await asyncio.wait_for(closed.get(), LONG_S) == 1
    assert (made, closed.empty()) == ([0, 1], True), (
        "the one in which the answer was found is the user's to close"
    )


async def test_what_an_answer_stands_for_is_not_waited_for():
    held = Held()
    agent = Agent(texts("four"), "m", tools=lambda: Environment(same=lambda _: held.block()), crafts=ONE)
    outcome = await held.after(agent.run("goal", 0.2))
    assert (outcome.answer, outcome.messages[-1].content) == ("four", "four")
    assert held.order == ["the run", "the function"]


async def test_a_check_that_says_nothing_in_time_turns_nothing_down():
    held = Held()
    agent = Agent(texts("four"), "m", check=lambda _: held.block(), crafts=ONE)
    outcome = await held.after(agent.run("goal", 0.2))
    assert (outcome.answer, outcome.vouched) == ("four", False)
    assert held.order == ["the run", "the function"]


async def test_where_nothing_is_chosen_in_time_the_vote_decides():
    held = Held()

    def choose(messages: Sequence[Message]) -> int:
        held.block()
        return len(messages) - 1

    agent = Agent(texts("four", "four", "five"), "m", choose=choose, crafts=THREE)
    agent.speeds.saw_call(seconds(0.001))
    outcome = await held.after(agent.run("goal", 0.3))
    assert outcome.answer == "four"
    assert held.order == ["the run", "the function"]


async def test_an_environment_that_does_not_close_is_not_waited_for():
    held = Held()
    agent = Agent(texts("four"), "m", tools=lambda: Environment(close=held.block), crafts=WAYS)
    outcome = await held.after(agent.run("goal", 0.5))
    assert (outcome.answer, outcome.stopped, outcome.vouched) == ("four", "answered", True)
    assert held.order == ["the run", "the function"]


@pytest.mark.filterwarnings("ignore:An environment could not be closed:RuntimeWarning")
async def test_whatever_blocks_its_thread_nothing_is_lost_and_nothing_is_raised():
    """A few of the benchmark's runs; how late they end is the benchmark's to measure."""

    async def one(seed: int) -> Any:
        draw, clock = random.Random(seed), SystemClock()
        met = worst.Worst(draw, clock, threads=True)
        agent = Agent(ScriptedBackend(worst.nasty(draw)), "m", crafts=worst.crafts_of(draw), **met.given())
        return await met.run(agent, seed, draw.uniform(0.05, 0.5))

    for ended in await asyncio.gather(*(one(seed) for seed in range(30))):
        assert (ended.raised, ended.wrong) == (None, ()), ended.seed


# Answers of a type, of which the deadline comes before more can be asked about them.


def answers(*values: int, clock: FakeClock) -> ScriptedBackend:
    """Ends the task with these, in the choices of one call."""

    def script(request: Request) -> Script:
        deltas = [
            ToolCallDelta(
                at=0, index=n, call=0, id=f"c{n}", name="final_answer", arguments=f'{{"answer": {value}}}'
            )
            for n, value in enumerate(values[: request.n])
        ]
        return Script(deltas=deltas, ttft=0.1, finish="tool_calls")

    return ScriptedBackend(script, clock)


@pytest.mark.parametrize("slow", ["choose", "check", "same"])
def test_an_answer_of_a_type_is_kept_when_the_deadline_comes_while_it_is_chosen(slow):
    clock = FakeClock()

    async def hangs(_: Any) -> Any:
        await clock.sleep(1e6)

    given: dict[str, Any] = {slow: hangs} if slow != "same" else {"tools": lambda: Environment(same=hangs)}
    agent = Agent(answers(5, 5, 4, clock=clock), "m", answer=int, crafts=THREE, clock=clock, **given)
    agent.speeds.saw_call(seconds(0.1))
    outcome = run(agent, clock, budget=5)
    assert (outcome.answer, outcome.vouched, outcome.wall_s) == (5, False, pytest.approx(5))


def test_an_answer_of_a_type_that_was_asked_for_at_the_end_is_kept():
    """What the model says untold does not come in time; what it says when told that time is up does."""
    clock = FakeClock()

    async def double(x: int) -> int:
        return 2 * x

    def script(request: Request) -> Script:
        if request.tool_choice.mode == "named":
            return calls(("final_answer", '{"answer": 8}'), ttft=0.5)
        if len(request.messages) > 6:
            return says("late", ttft=1e6)
        return calls(("double", f'{{"x": {len(request.messages)}}}'), ttft=1.0)

    agent = Agent(ScriptedBackend(script, clock), "m", tools=[double], answer=int, crafts=ONE, clock=clock)
    outcome = run(agent, clock, budget=4.5)
    assert [each.decision.kind for each in outcome.decisions][:4] == ["step"] * 3 + ["answer now"]
    assert outcome.answer == 8


async def test_an_environment_that_comes_too_late_is_closed_by_a_coroutine_too():
    held, closed = Held(), asyncio.Event()

    async def close() -> None:
        closed.set()

    def environment() -> Environment:
        held.block()
        return Environment(close=close)

    await held.after(Agent(texts("four"), "m", tools=environment).run("goal", 0.2))
    await asyncio.wait_for(closed.wait(), LONG_S)
