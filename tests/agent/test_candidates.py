"""Several answers at once: which of them is taken, and what the checks have to say in it."""

from typing import Any

import pytest
from tests.agent.scripted import calls, last, run, says, seconds

from tithe.agent import Agent, Crafts, Environment, tool
from tithe.core import FakeClock, Request, Sampling, Script, ScriptedBackend, TextDelta, ToolCallDelta
from tithe.core.errors import InvalidRequest

THREE = Crafts(ways=1, review=False, hedge=0)


async def double(x: int) -> int:
    """Twice a number."""
    return 2 * x


def voting(*texts: str, clock: FakeClock, n: bool) -> ScriptedBackend:
    """Answers each with the next text; without `n`, each of several calls takes a tenth of a second longer than the one before it."""
    asked = iter(range(1 << 30))

    def script(request: Request) -> Script:
        if request.n > 1:
            if not n:
                return Script(error=InvalidRequest("n is not supported"))
            return Script(
                deltas=[TextDelta(at=0, index=i, text=texts[i]) for i in range(request.n)], ttft=1.0
            )
        number = next(asked)
        return says(texts[number % len(texts)], ttft=1.0 + number / 10)

    return ScriptedBackend(script, clock)


@pytest.mark.parametrize("n", [True, False])
def test_of_several_candidates_the_one_that_most_agree_on_is_taken(n):
    clock = FakeClock()
    agent = Agent(
        voting("five", "four", " four ", clock=clock, n=n),
        "m",
        crafts=Crafts(ways=1, review=False),
        clock=clock,
    )
    agent.speeds.saw_call(seconds(1.0))
    outcome = run(agent, clock)
    assert outcome.answer.strip() == "four"
    assert outcome.decisions[0].decision.candidates == 3


def test_candidates_are_not_waited_for_when_most_agree_already():
    clock = FakeClock()
    backend = voting("four", "four", "five", clock=clock, n=False)
    agent = Agent(backend, "m", crafts=Crafts(ways=1, hedge=0, review=False), clock=clock)
    agent.speeds.saw_call(seconds(1.0))
    outcome = run(agent, clock)
    assert outcome.answer == "four"
    assert outcome.wall_s == pytest.approx(1.1), "the third would have come at 1.2 s"
    assert backend.abandoned == 1


def in_turn(*texts: str, tail: int, clock: FakeClock) -> ScriptedBackend:
    """Choices that end after a second each, but for the last, which goes on for `tail` pieces of a second."""

    def script(request: Request) -> Script:
        *short, long = texts
        deltas = [TextDelta(at=0, index=i, text=text) for i, text in enumerate(short)]
        deltas += [TextDelta(at=0, index=len(short), text=long) for _ in range(tail)]
        return Script(deltas=deltas, ttft=1.0, gap=1.0)

    return ScriptedBackend(script, clock)


def test_choices_of_one_call_are_not_waited_for_when_most_agree_already():
    clock = FakeClock()
    backend = in_turn("four", "four", "five ", tail=100, clock=clock)
    agent = Agent(backend, "m", crafts=THREE, clock=clock)
    agent.speeds.saw_call(seconds(1.0))
    outcome = run(agent, clock, budget=1000)
    assert (outcome.answer, outcome.calls) == ("four", 1)
    assert outcome.wall_s < 10
    assert backend.abandoned == 1


def test_a_candidate_that_takes_much_longer_than_calls_do_is_not_waited_for():
    for n in (True, False):
        clock = FakeClock()

        def script(request: Request, n: bool = n) -> Script:
            if request.n > 1 and not n:
                return Script(error=InvalidRequest("n is not supported"))
            later = request.sampling.seed or 0
            deltas = [TextDelta(at=0, index=i, text=str(i + later)) for i in range(request.n)]
            if n or later == 2:
                deltas += [TextDelta(at=0, index=request.n - 1, text=" and on") for _ in range(500)]
            return Script(deltas=deltas, ttft=1.0, gap=0.1)

        backend = ScriptedBackend(script, clock)
        agent = Agent(backend, "m", crafts=THREE, clock=clock, sampling=Sampling(temperature=1, seed=1))
        for _ in range(9):
            agent.speeds.saw_call(seconds(2.0))
        outcome = run(agent, clock, budget=1000)
        assert outcome.answer in ("0", "1"), "the first of those that were whole"
        assert outcome.wall_s == pytest.approx(4.0, abs=0.11)
        assert backend.abandoned == 1


def test_a_server_that_ignores_n_is_asked_beside_from_then_on():
    clock = FakeClock()
    asked: list[int] = []

    def script(request: Request) -> Script:
        asked.append(request.n)
        return calls(("double", '{"x": 4}'), ttft=0.1) if len(asked) == 1 else says("8", ttft=0.1)

    agent = Agent(
        ScriptedBackend(script, clock), "m", tools=[double], crafts=Crafts(ways=1, review=False), clock=clock
    )
    agent.speeds.saw_call(seconds(0.1))
    assert run(agent, clock).answer == "8"
    assert asked == [3, 1, 1, 1]


def test_a_candidate_at_fault_is_not_taken():
    clock = FakeClock()
    wrong, right = '{"x": "y"}', '{"x": 4}'

    def script(request: Request) -> Script:
        if request.messages[-1].role == "tool":
            return says("8")
        deltas: list[Any] = []
        for index, arguments in enumerate((wrong, wrong, right)[: request.n]):
            deltas.append(
                ToolCallDelta(at=0, index=index, call=0, id=f"c{index}", name="double", arguments=arguments)
            )
        return Script(deltas=deltas, ttft=0.1, finish="tool_calls")

    agent = Agent(
        ScriptedBackend(script, clock), "m", tools=[double], crafts=Crafts(ways=1, review=False), clock=clock
    )
    agent.speeds.saw_call(seconds(0.1))
    outcome = run(agent, clock)
    assert (outcome.answer, outcome.faults) == ("8", ())


def test_a_judge_or_a_function_may_choose():
    def script(request: Request) -> Script:
        if request.n > 1:
            return Script(
                deltas=[TextDelta(at=0, index=i, text=text) for i, text in enumerate("aab")], ttft=0.1
            )
        assert "1. a\n2. a\n3. b" in (request.messages[-1].content or "")
        return says('{"best": 3}', ttft=0.1)

    for choose in ("judge", lambda messages: len(messages) - 1):
        clock = FakeClock()
        agent = Agent(
            ScriptedBackend(script, clock),
            "m",
            crafts=Crafts(ways=1, review=False),
            choose=choose,
            clock=clock,
        )
        agent.speeds.saw_call(seconds(0.1))
        assert run(agent, clock).answer == "b"


# The checks.


def known(agent: Agent) -> Agent:
    """As fast as three candidates need."""
    agent.speeds.saw_call(seconds(1.0))
    return agent


@pytest.mark.parametrize("n", [True, False])
def test_the_check_s_word_is_worth_more_than_the_vote(n):
    clock = FakeClock()
    asked: list[str] = []

    def check(answer: str) -> str | None:
        asked.append(answer)
        return None if answer == "four" else "it is not even"

    backend = voting("five", "five", "four", clock=clock, n=n)
    outcome = run(known(Agent(backend, "m", check=check, crafts=THREE, clock=clock)), clock)
    assert (outcome.answer, outcome.vouched, outcome.faults, outcome.steps) == ("four", True, (), 1)
    assert asked == ["five", "four"], "each that says something else once, and not again when it was taken"


def test_where_the_check_turns_all_down_the_model_is_told_once():
    clock = FakeClock()
    backend = voting("five", "seven", "five", "four", "four", "four", clock=clock, n=False)

    def check(answer: str) -> str | None:
        return None if answer == "four" else f"{answer} is odd"

    outcome = run(known(Agent(backend, "m", check=check, crafts=THREE, clock=clock)), clock)
    assert (outcome.answer, outcome.vouched) == ("four", True)
    assert [fault.words for fault in outcome.faults] == ["The answer was not accepted: five is odd"]
    assert last(backend.requests)[-2:] == [
        ("assistant", "five"),
        ("user", "The answer was not accepted: five is odd"),
    ]


def test_answers_that_stand_for_the_same_are_one():
    clock = FakeClock()
    backend = voting("five", "four", "FOUR.", clock=clock, n=True)
    environment = Environment(same=lambda answer: answer.strip(".").lower())
    outcome = run(known(Agent(backend, "m", tools=lambda: environment, crafts=THREE, clock=clock)), clock)
    assert outcome.answer == "four"


def test_an_answer_of_a_type_is_checked_before_it_is_taken():
    clock = FakeClock()

    def script(request: Request) -> Script:
        deltas: list[Any] = []
        for index, value in enumerate((5, 5, 4)[: request.n]):
            arguments = f'{{"answer": {value}}}'
            deltas.append(
                ToolCallDelta(
                    at=0, index=index, call=0, id=f"c{index}", name="final_answer", arguments=arguments
                )
            )
        return Script(deltas=deltas, ttft=0.1, finish="tool_calls")

    def check(answer: int) -> str | None:
        return "it is odd" if answer % 2 else None

    backend = ScriptedBackend(script, clock)
    outcome = run(known(Agent(backend, "m", answer=int, check=check, crafts=THREE, clock=clock)), clock)
    assert (outcome.answer, outcome.vouched, outcome.faults) == (4, True, ())


def test_a_call_that_its_tool_s_own_check_turns_down_is_not_taken():
    clock = FakeClock()
    ran: list[int] = []

    @tool(check=lambda x: "x is too large" if x > 9 else None)
    async def put(x: int) -> str:
        ran.append(x)
        return "done"

    def script(request: Request) -> Script:
        if request.messages[-1].role == "tool":
            return says("done", ttft=0.1)
        deltas: list[Any] = []
        for index, x in enumerate((10, 10, 4)[: request.n]):
            deltas.append(
                ToolCallDelta(
                    at=0, index=index, call=0, id=f"c{index}", name="put", arguments=f'{{"x": {x}}}'
                )
            )
        return Script(deltas=deltas, ttft=0.1, finish="tool_calls")

    outcome = run(
        known(Agent(ScriptedBackend(script, clock), "m", tools=[put], crafts=THREE, clock=clock)), clock
    )
    assert (outcome.answer, ran, outcome.faults) == ("done", [4], ())
