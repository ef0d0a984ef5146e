"""An agent's run has its ledger for free: what it records, and what is marked as thrown away."""

import asyncio
from typing import Any

import pytest
from tests.agent.scripted import calls, says, turn_by_turn

from tithe.agent import Agent, CallTime, Crafts, tool
from tithe.core import Script, Span, TextDelta
from tithe.core import attributes as at
from tithe.core.errors import InvalidRequest, Overloaded
from tithe.ledger import make_ledger
from tithe.trace import Store, record_to


class Kept(list[Span]):
    def record(self, span: Span) -> None:
        self.append(span)


@pytest.fixture
def kept():
    spans = Kept()
    record_to(spans)
    yield spans
    record_to(None)


@tool(idempotent=True)
async def look(x: int) -> int:
    await asyncio.sleep(0.01)
    return x


def tree(spans: list[Span]) -> dict[str, str]:
    """Each span's kind and name under its parent's."""
    by_id = {span.id: span for span in spans}
    return {f"{span.kind} {span.name}": f"{by_id[span.parent].kind}" if span.parent else "" for span in spans}


async def test_steps_calls_attempts_and_tools_stand_under_each_other(kept):
    backend = turn_by_turn(
        Script(error=Overloaded("full", retry_after=0.01)), calls(("look", '{"x": 1}')), says("1")
    )
    await Agent(
        backend, "m", tools=[look], crafts=Crafts(candidates=1, ways=1, review=False), name="count"
    ).run("goal", 5)
    assert tree(kept) == {
        "attempt m": "call",
        "call m": "step",
        "tool look": "step",
        "step step": "task",
        "task count": "",
    }
    attempts = [span for span in kept if span.kind == "attempt"]
    assert [span.error for span in attempts] == ["Overloaded", None, None]
    call = next(span for span in kept if span.kind == "call")
    assert call.attributes[at.INPUT_TOKENS] == 100
    assert call.attributes[at.ASKED_TOOLS] == [["call_0", "look"]]
    ran = next(span for span in kept if span.kind == "tool")
    assert ran.attributes[at.TOOL_CALL_ID] == "call_0"


async def test_what_is_not_taken_is_speculation(kept):
    answers = iter(("five", "four", "four", "four"))

    def script(request: Any) -> Script:
        if request.n > 1:
            return Script(error=InvalidRequest("n is not supported"))
        return says(next(answers), ttft=0.01)

    agent = Agent(turn_by_turn(script), "m", crafts=Crafts(ways=1, hedge=0, review=False))
    agent.speeds.saw_call(CallTime(0.01, 0))
    assert (await agent.run("goal", 5)).answer == "four"
    candidates = [span for span in kept if span.kind == "call" and span.error is None]
    assert sorted(bool(span.attributes.get(at.SPECULATIVE)) for span in candidates) == [False, True, True]


async def test_an_early_run_that_was_for_nothing_is_speculation(kept):
    broken = calls(("look", '{"x": 1}'), gap=0.005)
    broken = Script(
        deltas=[*broken.deltas, *[TextDelta(at=0, text=".")] * 10], gap=0.005, error=InvalidRequest("cut")
    )
    backend = turn_by_turn(broken)
    outcome = await Agent(backend, "m", tools=[look], crafts=Crafts(candidates=1, ways=1, review=False)).run(
        "goal", 5
    )
    assert outcome.stopped == "failed"
    [ran] = [span for span in kept if span.kind == "tool"]
    assert ran.attributes[at.SPECULATIVE] is True


async def test_the_ledger_of_a_run_adds_up_and_shows_what_was_thrown_away(tmp_path):
    record_to(tmp_path / "run.db")
    try:
        answers = iter(("five", "four", "four"))

        def script(request: Any) -> Script:
            if request.n > 1:
                return Script(error=InvalidRequest("n is not supported"))
            if request.messages[-1].role == "user" and asked[0]:
                asked[0] = False
                return calls(("look", '{"x": 1}'), ttft=0.02)
            return says(next(answers), ttft=0.02, gap=0.01)

        asked = [True]
        agent = Agent(
            turn_by_turn(script), "m", tools=[look], crafts=Crafts(ways=1, review=False), name="count"
        )
        await agent.run("goal", 5)
    finally:
        record_to(None)
    with Store.open(tmp_path / "run.db", write=False) as store:
        [found] = store.tasks()
        ledger = make_ledger(store.task(found.id))
    wall = sum(entry.wall_s for entry in ledger.entries)
    assert wall == pytest.approx(ledger.wall_s, abs=1e-6)
    assert ledger.name == "count"
