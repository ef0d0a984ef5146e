"""The loop around the steps: what it keeps of its decisions, and what it says would have come next."""

import pytest
from tests.agent.scripted import calls, run, says, turn_by_turn

from tithe.agent import Agent, Crafts, Environment, Outcome
from tithe.core import FakeClock

AGAIN = Crafts(candidates=1, review=False, hedge=0)


async def double(x: int) -> int:
    """Twice a number."""
    return 2 * x


def decided(outcome: Outcome, kind: str) -> list[tuple[float | None, float | None]]:
    """What decisions of a kind were expected to take, and took."""
    return [
        (each.decision.predicted_s, each.took_s) for each in outcome.decisions if each.decision.kind == kind
    ]


def test_a_decision_to_begin_again_is_held_to_the_way_and_not_to_its_making():
    clock = FakeClock()
    backend = turn_by_turn(
        says("4", ttft=1.0),
        calls(("double", '{"x": 4}'), ttft=1.5),
        says("5", ttft=1.0),
        says("5", ttft=1.0),
        clock=clock,
    )
    agent = Agent(backend, "m", tools=lambda: Environment(tools=[double]), crafts=AGAIN, clock=clock)
    outcome = run(agent, clock)
    assert (outcome.answer, outcome.ways) == ("5", 3)
    assert decided(outcome, "again") == [
        (pytest.approx(1.0), pytest.approx(2.5)),
        (pytest.approx(2.5), pytest.approx(1.0)),
    ]


def test_a_way_that_is_cut_short_took_no_known_time():
    clock = FakeClock()
    backend = turn_by_turn(says("4", ttft=1.0), says("5", ttft=1e6), clock=clock)
    outcome = run(Agent(backend, "m", tools=Environment, crafts=AGAIN, clock=clock), clock, budget=5)
    assert (outcome.answer, outcome.stopped) == ("4", "out of time")
    assert decided(outcome, "again") == [(pytest.approx(1.0), None)]


@pytest.mark.parametrize(
    ("crafts", "tools", "budget", "next_"),
    [
        (AGAIN, Environment, 1.5, "go another way from the start (1.00 s)"),
        (Crafts(candidates=1, ways=1, hedge=0), (), 2.0, "review the answer"),
        (
            Crafts(candidates=1, hedge=0),
            Environment,
            1.5,
            "review the answer and go another way from the start (1.00 s)",
        ),
        (Crafts(candidates=1, ways=1, review=False, hedge=0), (), 1.5, None),
    ],
)
def test_an_answer_that_is_accepted_for_want_of_time_says_what_would_have_come(crafts, tools, budget, next_):
    clock = FakeClock()
    backend = turn_by_turn(says("4", ttft=1.0), clock=clock)
    outcome = run(Agent(backend, "m", tools=tools, crafts=crafts, clock=clock), clock, budget=budget)
    assert (outcome.answer, outcome.stopped, outcome.next) == ("4", "answered", next_)
