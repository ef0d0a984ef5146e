"""Whatever the endpoint and the tools do, a run ends in its time, loses no answer that it had, and raises nothing."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.agent import Agent, Crafts, Environment, Outcome, tool
from tithe.core import (
    MISHAPS,
    FakeClock,
    FaultyBackend,
    Request,
    Script,
    ScriptedBackend,
    TextDelta,
    ToolCallDelta,
    Usage,
)

SLACK_S = 1e-6  # on a clock that only moves when everything waits


def nasty(draw: random.Random) -> Any:
    """A model of any speed that calls tools, sometimes two, and answers now and then."""

    def script(request: Request) -> Script:
        ttft = draw.choice((0.0, 0.01, 0.3, 2.0, 1e6))
        gap = draw.choice((0.0, 0.001, 0.05, 1.0))
        usage = draw.choice((None, Usage(prompt_tokens=9, completion_tokens=12)))
        if request.tool_choice.mode == "none" or draw.random() < 0.2:
            deltas: list[Any] = [
                TextDelta(
                    at=0, index=n, text=draw.choice(("four", "five", " ", '{"right": false, "why": "no"}'))
                )
                for n in range(request.n)
            ]
            return Script(deltas=deltas, ttft=ttft, gap=gap, usage=usage)
        deltas = []
        for n in range(request.n):
            for call in range(draw.choice((1, 1, 2))):
                name = draw.choice(("quick", "slow", "hangs", "fails", "writes", "nonsense", "finish"))
                deltas.append(ToolCallDelta(at=0, index=n, call=call, id=f"{n}-{call}", name=name))
                deltas.append(
                    ToolCallDelta(at=0, index=n, call=call, arguments=draw.choice(('{"x": 1}', '{"x"', "{}")))
                )
        return Script(
            deltas=deltas, ttft=ttft, gap=gap, usage=usage, finish=draw.choice(("tool_calls", "length"))
        )

    return script


WRITE_S = 0.5


def tools(clock: FakeClock) -> list[Any]:
    @tool(idempotent=True)
    async def quick(x: int) -> int:
        return x

    @tool(timeout=0.4, idempotent=True)
    async def slow(x: int) -> int:
        await clock.sleep(1.0)
        return x

    async def hangs(x: int) -> int:
        try:
            await clock.sleep(1e6)
        except asyncio.CancelledError:
            for _ in range(200):  # it does not heed
                await asyncio.sleep(0)
        return x

    async def fails(x: int) -> int:
        raise StopIteration(x)

    @tool(timeout=WRITE_S, parallel=False)
    async def writes(x: int) -> None:
        await clock.sleep(0.3)

    @tool(final=True)
    async def finish(x: int) -> int:
        return x

    return [quick, slow, hangs, fails, writes, finish]


async def one_run(seed: int, budget: float, crafts: Crafts, rate: float) -> Outcome:
    draw = random.Random(seed)
    clock = FakeClock()
    rates = dict.fromkeys(MISHAPS, rate / len(MISHAPS))
    backend = FaultyBackend(ScriptedBackend(nasty(draw), clock), rates, seed=seed, clock=clock)
    checks = (None, lambda answer: "no" if answer in (" ", "five") else None)
    agent = Agent(
        backend,
        "m",
        tools=lambda: Environment(tools=tools(clock)),
        crafts=crafts,
        check=draw.choice(checks),
        choose=draw.choice(("vote", "judge")),
        clock=clock,
    )
    return await clock.run(asyncio.ensure_future(agent.run("goal", budget)))


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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.floats(0.05, 6.0), CRAFTS, st.sampled_from((0.0, 0.3, 0.9)))
async def test_a_run_ends_in_its_time_and_keeps_what_it_had(seed, budget, crafts, rate):
    outcome = await one_run(seed, budget, crafts, rate)
    assert outcome.wall_s <= budget + WRITE_S + SLACK_S
    banked = outcome.stopped == "answered"
    assert not banked or outcome.answer is not None
    assert outcome.stopped != "failed" or outcome.error is not None
    assert outcome.stopped == "answered" or outcome.next is not None
    for decided in outcome.decisions:
        assert decided.left_s <= budget
