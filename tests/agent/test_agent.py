"""The loop, on a clock that only moves when everything waits: what it does, in which order, and how long it takes."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.agent.scripted import calls, last, run, says, seconds, turn_by_turn

from tithe.agent import PLAIN, Agent, Crafts, Environment, minimal, tool
from tithe.core import FakeClock, Request, Script, ScriptedBackend, TextDelta
from tithe.core.errors import EndpointRefused, Overloaded, StreamBroken, UsageError

ONE = Crafts(candidates=1, review=False, ways=1, hedge=0)


async def double(x: int) -> int:
    """Twice a number."""
    return 2 * x


def test_it_calls_tools_until_the_model_answers():
    clock = FakeClock()
    backend = turn_by_turn(
        calls(("double", '{"x": 4}'), ttft=0.5, gap=0.1), says("It is 8.", ttft=0.5), clock=clock
    )
    outcome = run(
        Agent(backend, "m", tools=[double], instructions="Be brief.", crafts=ONE, clock=clock), clock
    )
    assert (outcome.answer, outcome.stopped, outcome.steps, outcome.calls) == ("It is 8.", "answered", 2, 2)
    assert outcome.wall_s == pytest.approx(1.1)
    assert last(backend.requests) == [
        ("system", "Be brief."),
        ("user", "goal"),
        ("assistant", None),
        ("tool", "8"),
    ]
    assert backend.requests[0].tools[0].name == "double"
    assert outcome.tokens == 20
    assert [decided.decision.kind for decided in outcome.decisions] == ["step", "step", "accept"]


def test_history_only_grows_and_stays_as_the_model_wrote_it():
    clock = FakeClock()
    written = '{ "x":4 }'
    backend = turn_by_turn(*[calls(("double", written))] * 4, says("8"), clock=clock)
    run(Agent(backend, "m", tools=[double], policy=minimal, crafts=PLAIN, clock=clock), clock)
    for earlier, later in zip(backend.requests, backend.requests[1:], strict=False):
        assert later.messages[: len(earlier.messages)] == earlier.messages
        assert later.tools == earlier.tools
        assert later.session == earlier.session
    assert backend.requests[-1].messages[-2].tool_calls[0].arguments == written


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        (("double", '{"x": "four"}'), "bad arguments", "double was not run: Expected `int`, got `str`"),
        (("double", '{"x": 4'), "malformed", "not valid JSON"),
        (("triple", '{"x": 4}'), "unknown tool", "There is no tool 'triple'. Tools: double"),
    ],
)
def test_a_call_that_cannot_be_run_is_told_so_and_made_again(asked, kind, told):
    clock = FakeClock()
    backend = turn_by_turn(calls(asked), calls(("double", '{"x": 4}')), says("8"), clock=clock)
    outcome = run(Agent(backend, "m", tools=[double], crafts=ONE, clock=clock), clock)
    assert outcome.answer == "8"
    assert [(fault.kind, fault.step) for fault in outcome.faults] == [(kind, 1)]
    role, content = last(backend.requests[:2])[-1]
    assert told in (content or "")
    assert role == ("user" if kind == "malformed" else "tool"), (
        "some endpoints refuse arguments that are no JSON"
    )


def test_what_a_tool_raises_and_what_its_check_says_is_told_to_the_model():
    clock = FakeClock()

    def check(x: int) -> str | None:
        return "x must be even" if x % 2 else None

    @tool(check=check)
    async def halve(x: int) -> int:
        raise LookupError("no such half")

    backend = turn_by_turn(
        calls(("halve", '{"x": 3}')), calls(("halve", '{"x": 2}')), says("none"), clock=clock
    )
    outcome = run(Agent(backend, "m", tools=[halve], crafts=ONE, clock=clock), clock)
    assert [fault.kind for fault in outcome.faults] == ["failed check", "failed tool"]
    told = [message.content for message in backend.requests[-1].messages if message.role == "tool"]
    assert told == ["halve was not run: x must be even", "halve failed: LookupError: no such half"]


def test_a_tool_that_is_not_done_in_its_time_is_given_up():
    clock = FakeClock()

    @tool(timeout=2)
    async def slow(x: int) -> int:
        await clock.sleep(100)
        return x

    backend = turn_by_turn(calls(("slow", '{"x": 3}')), says("too slow"), clock=clock)
    outcome = run(Agent(backend, "m", tools=[slow], crafts=ONE, clock=clock), clock)
    assert outcome.wall_s == pytest.approx(2)
    assert outcome.faults[0].words == "slow did not end within 2 s and was given up."


def test_a_tool_that_never_was_fast_enough_is_not_begun():
    clock = FakeClock()

    @tool(idempotent=True)
    async def slow(x: int) -> int:
        await clock.sleep(2)
        return x

    def script(request: Request) -> Script:
        told = request.messages[-1].content or ""
        return (
            says("enough") if "was not run" in told else calls(("slow", f'{{"x": {len(request.messages)}}}'))
        )

    agent = Agent(ScriptedBackend(script, clock), "m", tools=[slow], crafts=ONE, clock=clock)
    outcome = run(agent, clock, budget=7)
    assert (outcome.answer, outcome.wall_s) == ("enough", pytest.approx(6))
    assert outcome.faults[-1].words == "slow was not run: it takes 2 s at least, and 1 s are left."


def test_an_answer_of_a_type_is_a_tool_that_ends_the_task():
    class Report(msgspec.Struct):
        title: str
        stars: int

    clock = FakeClock()
    backend = turn_by_turn(
        says("It is called Emma."),
        calls(("final_answer", '{"answer": {"title": "Emma"}}')),
        calls(("final_answer", '{"answer": {"title": "Emma", "stars": 5}}')),
        clock=clock,
    )
    outcome = run(Agent(backend, "m", answer=Report, crafts=ONE, clock=clock), clock)
    assert outcome.answer == Report("Emma", 5)
    assert [fault.kind for fault in outcome.faults] == ["no call", "bad arguments"]


def test_an_answer_that_fails_the_check_is_mended_and_one_that_passes_is_vouched_for():
    clock = FakeClock()
    backend = turn_by_turn(says("7"), says("8"), clock=clock)
    agent = Agent(
        backend, "m", check=lambda answer: None if answer == "8" else "it is odd", clock=clock, crafts=ONE
    )
    outcome = run(agent, clock)
    assert (outcome.answer, outcome.vouched) == ("8", True)
    assert last(backend.requests)[-1] == ("user", "The answer was not accepted: it is odd")


# Doubt.


def test_a_call_is_verified_before_it_is_run_where_there_is_time():
    clock = FakeClock()
    ran: list[int] = []

    async def drop(table: int) -> str:
        ran.append(table)
        return "dropped"

    def script(request: Request) -> Script:
        content = request.messages[-1].content or ""
        if "is it the right next step" in content:
            assert request.response_format.kind == "json_schema"
            right = "drop(" in content and '"table": 2' in content
            return says(f'{{"right": {str(right).lower()}, "why": "not that one"}}', ttft=0.1)
        if content == "dropped":
            return says("done", ttft=0.1)
        return calls(("drop", '{"table": 2}' if "not that one" in content else '{"table": 1}'), ttft=0.1)

    agent = Agent(
        ScriptedBackend(script, clock),
        "m",
        tools=[drop],
        crafts=Crafts(candidates=1, ways=1, verify=True, review=False),
        clock=clock,
    )
    agent.speeds.saw_call(seconds(0.1))
    outcome = run(agent, clock)
    assert (outcome.answer, ran) == ("done", [2])
    assert [fault.words for fault in outcome.faults] == ["drop was not run: not that one"]


def test_a_review_finds_a_mistake_and_the_second_answer_is_taken():
    clock = FakeClock()

    def script(request: Request) -> Script:
        content = request.messages[-1].content or ""
        if content.startswith("Review this answer"):
            return says('{"right": false, "why": "It forgets the unit."}', ttft=0.1)
        return says("8 m" if "forgets the unit" in content else "8", ttft=0.1)

    agent = Agent(
        ScriptedBackend(script, clock), "m", crafts=Crafts(candidates=1, ways=1, review=True), clock=clock
    )
    outcome = run(agent, clock)
    assert outcome.answer == "8 m"
    assert [decided.decision.kind for decided in outcome.decisions] == ["step", "review", "step", "accept"]


def test_a_review_that_finds_something_lets_the_model_work_on():
    clock = FakeClock()

    def script(request: Request) -> Script:
        content = request.messages[-1].content or ""
        if content.startswith("Review this answer"):
            return says('{"right": false, "why": "You have not doubled it."}', ttft=0.1)
        if "have not doubled" in content:
            return calls(("double", '{"x": 4}'), ttft=0.1)
        return says("8" if content == "8" else "4", ttft=0.1)

    agent = Agent(
        ScriptedBackend(script, clock),
        "m",
        tools=[double],
        crafts=Crafts(candidates=1, ways=1, review=True),
        clock=clock,
    )
    outcome = run(agent, clock)
    assert (outcome.answer, outcome.steps) == ("8", 3)


def test_what_the_user_s_environment_raises_loses_no_answer():
    clock = FakeClock()
    made: list[int] = []

    def environment() -> Environment:
        made.append(1)
        if len(made) > 1:
            raise OSError("no more room")
        return Environment()

    agent = Agent(
        turn_by_turn(says("4", ttft=0.1), clock=clock),
        "m",
        tools=environment,
        crafts=Crafts(candidates=1, review=False),
        clock=clock,
    )
    outcome = run(agent, clock)
    assert (outcome.answer, outcome.stopped) == ("4", "failed")
    assert "no more room" in str(outcome.error)


def test_ways_are_gone_until_two_agree_each_in_an_environment_of_its_own():
    clock = FakeClock()
    backend = turn_by_turn(
        says("4", ttft=0.1), says("5", ttft=0.1), says("5", ttft=0.1), says("6"), clock=clock
    )
    made: list[list[str]] = []

    def environment() -> Environment:
        log: list[str] = []
        made.append(log)
        return Environment(close=lambda: log.append("closed"))

    outcome = run(
        Agent(backend, "m", tools=environment, crafts=Crafts(candidates=1, review=False), clock=clock), clock
    )
    assert (outcome.answer, outcome.vouched, outcome.ways) == ("5", True, 3)
    assert made == [["closed"], [], ["closed"]]
    assert outcome.environment.close is not None
    outcome.environment.close()
    assert made[1] == ["closed"]


def test_a_task_whose_tools_act_on_the_world_is_not_begun_anew():
    clock = FakeClock()
    backend = turn_by_turn(says("4", ttft=0.1), says("5"), clock=clock)
    assert (
        run(
            Agent(backend, "m", tools=[double], crafts=Crafts(candidates=1, review=False), clock=clock), clock
        ).ways
        == 1
    )


def test_a_model_that_goes_in_circles_is_begun_anew():
    clock = FakeClock()

    def script(request: Request) -> Script:
        # The first conversation never gets on.
        first = sessions.setdefault(request.session, len(sessions)) == 0
        return calls(("double", '{"x": 4}'), ttft=0.1) if first else says("8", ttft=0.1)

    sessions: dict[Any, int] = {}
    agent = Agent(
        ScriptedBackend(script, clock),
        "m",
        tools=lambda: Environment(tools=[double]),
        crafts=Crafts(candidates=1, ways=2, review=False),
        clock=clock,
    )
    outcome = run(agent, clock)
    assert (outcome.answer, outcome.ways) == ("8", 2)
    assert outcome.steps == 6, "the same five times, and one"


# Time.


def test_the_deadline_is_kept_and_what_was_next_is_said():
    clock = FakeClock()

    @tool(idempotent=True)
    async def slow(x: int) -> int:
        await clock.sleep(100)
        return x

    backend = turn_by_turn(calls(("slow", '{"x": 3}'), ttft=0.5), clock=clock)
    outcome = run(Agent(backend, "m", tools=[slow], crafts=ONE, clock=clock), clock, budget=3)
    assert (outcome.answer, outcome.stopped) == (None, "out of time")
    assert outcome.wall_s == pytest.approx(3)
    assert outcome.next == "run slow, then ask the model for step 2"


def test_an_answer_is_kept_when_the_doubting_of_it_meets_the_deadline():
    clock = FakeClock()
    backend = turn_by_turn(says("4", ttft=0.1), says("5", ttft=1e6), clock=clock)
    agent = Agent(backend, "m", tools=Environment, crafts=Crafts(candidates=1, review=False), clock=clock)
    outcome = run(agent, clock, budget=3)
    assert (outcome.answer, outcome.stopped) == ("4", "out of time")
    assert outcome.wall_s <= 3


def test_the_model_is_told_to_answer_when_there_is_no_time_for_more():
    clock = FakeClock()

    def script(request: Request) -> Script:
        if request.tool_choice.mode == "none":
            assert "time is nearly up" in (request.messages[-1].content or "")
            return says("about 8", ttft=1.0)
        return calls(("double", f'{{"x": {len(request.messages)}}}'), ttft=1.0)

    agent = Agent(ScriptedBackend(script, clock), "m", tools=[double], crafts=ONE, clock=clock)
    outcome = run(agent, clock, budget=4.5)
    assert (outcome.answer, outcome.stopped) == ("about 8", "answered")
    assert [decided.decision.kind for decided in outcome.decisions] == ["step"] * 3 + ["answer now", "accept"]
    assert all(decided.took_s == pytest.approx(1.0) for decided in outcome.decisions[:4])


def test_what_the_model_answers_untold_is_worth_more_than_what_it_is_pressed_for():
    clock = FakeClock()

    def script(request: Request) -> Script:
        if request.tool_choice.mode == "none":
            return says("about 8", ttft=0.5)
        if len(request.messages) > 6:
            return says("8", ttft=1.0)
        return calls(("double", f'{{"x": {len(request.messages)}}}'), ttft=1.0)

    agent = Agent(ScriptedBackend(script, clock), "m", tools=[double], crafts=ONE, clock=clock)
    outcome = run(agent, clock, budget=4.5)
    assert (outcome.answer, outcome.decisions[3].decision.kind) == ("8", "answer now")
    assert all("time is nearly up" not in (message.content or "") for message in outcome.messages)


def test_an_answer_beside_a_tool_that_does_not_end_is_kept():
    clock = FakeClock()

    @tool(idempotent=True)
    async def hangs(x: int) -> int:
        await clock.sleep(1e6)
        return x

    @tool(final=True)
    async def finish(x: int) -> int:
        return x

    for early in (True, False):
        clock = FakeClock()
        backend = turn_by_turn(calls(("hangs", '{"x": 1}'), ("finish", '{"x": 7}')), clock=clock)
        crafts = msgspec.structs.replace(ONE, early=early)
        outcome = run(Agent(backend, "m", tools=[hangs, finish], crafts=crafts, clock=clock), clock, budget=2)
        assert outcome.answer == 7
        assert outcome.wall_s == pytest.approx(2)


def test_a_call_that_fails_is_made_again_after_a_wait():
    clock = FakeClock()
    backend = turn_by_turn(
        Script(error=Overloaded("full", retry_after=2.0)),
        Script(deltas=(TextDelta(at=0, text="ha"),), error=StreamBroken("cut")),
        says("8"),
        clock=clock,
    )
    outcome = run(Agent(backend, "m", crafts=ONE, clock=clock), clock)
    assert (outcome.answer, outcome.retries, outcome.calls) == ("8", 2, 1)
    assert 2.15 <= outcome.wall_s <= 2.25, (
        "as told, and then a tenth of a second doubled, give or take a quarter"
    )


def test_a_wait_that_would_outlast_the_budget_is_not_begun():
    clock = FakeClock()
    backend = turn_by_turn(Script(error=Overloaded("full", retry_after=20.0)), clock=clock)
    outcome = run(Agent(backend, "m", crafts=ONE, clock=clock), clock, budget=5)
    assert (outcome.answer, outcome.stopped, outcome.next) == (None, "failed", None)
    assert outcome.error is not None
    assert outcome.error.message == "full"
    assert outcome.wall_s == 0


def test_what_is_refused_is_not_asked_again():
    refused = EndpointRefused("no such model", http_status=404, body="", retry_after=None)
    clock = FakeClock()
    backend = turn_by_turn(Script(error=refused), clock=clock)
    outcome = run(Agent(backend, "m", crafts=ONE, clock=clock), clock)
    assert (outcome.stopped, outcome.error, len(backend.requests)) == ("failed", refused, 1)


def test_silence_is_given_up_and_asked_again():
    clock = FakeClock()
    backend = turn_by_turn(
        Script(deltas=(TextDelta(at=0, text="8"),), ttft=1e9), says("8", ttft=0.1), clock=clock
    )
    agent = Agent(backend, "m", crafts=ONE, clock=clock)
    for _ in range(5):
        agent.speeds.saw_call(seconds(0.1))
    outcome = run(agent, clock, budget=30)
    assert (outcome.answer, outcome.retries) == ("8", 1)
    assert outcome.wall_s < 2


def test_a_late_first_token_is_hedged():
    clock = FakeClock()
    backend = turn_by_turn(says("slow", ttft=0.9), says("fast", ttft=0.1), clock=clock)
    agent = Agent(backend, "m", crafts=Crafts(candidates=1, ways=1, hedge=1.0, review=False), clock=clock)
    for _ in range(5):
        agent.speeds.saw_call(seconds(0.1))
    outcome = run(agent, clock)
    assert (outcome.answer, outcome.hedges, backend.abandoned) == ("fast", 1, 1)
    assert outcome.wall_s == pytest.approx(0.2)


def test_hedges_are_a_share_of_all_the_agent_s_calls():
    clock = FakeClock()
    asked = iter(range(1000))

    def script(request: Request) -> Script:
        return says("8", ttft=0.9 if next(asked) % 5 == 4 else 0.1)

    agent = Agent(
        ScriptedBackend(script, clock),
        "m",
        crafts=Crafts(candidates=1, ways=1, hedge=0.2, review=False),
        clock=clock,
    )
    for _ in range(40):
        agent.speeds.saw_call(seconds(0.1))
    hedges = [run(agent, clock).hedges for _ in range(14)]
    assert hedges == [0] * 4 + [1] + [0] * 8 + [1], "of nine calls a fifth is one, and one was hedged already"


# Latency craft.


def test_tools_of_one_answer_run_at_once_where_they_may():
    clock = FakeClock()

    @tool(idempotent=True)
    async def read(path: str) -> str:
        await clock.sleep(1.0)
        return path

    @tool(parallel=False)
    async def write(path: str) -> str:
        await clock.sleep(1.0)
        return path

    asked = (
        ("read", '{"path": "a"}'),
        ("read", '{"path": "b"}'),
        ("write", '{"path": "c"}'),
        ("read", '{"path": "d"}'),
    )
    took: dict[bool, float] = {}
    for parallel in (True, False):
        clock = FakeClock()
        backend = turn_by_turn(calls(*asked), says("done"), clock=clock)
        crafts = Crafts(candidates=1, ways=1, early=False, parallel=parallel, review=False)
        outcome = run(Agent(backend, "m", tools=[read, write], crafts=crafts, clock=clock), clock)
        took[parallel] = outcome.wall_s
        told = [message.content for message in backend.requests[-1].messages if message.role == "tool"]
        assert told == ["a", "b", "c", "d"]
    assert took == {True: pytest.approx(3), False: pytest.approx(4)}


def test_a_tool_whose_call_is_complete_only_at_the_end_starts_no_sooner():
    took: dict[bool, float] = {}
    for idempotent in (True, False):
        clock = FakeClock()

        @tool(idempotent=idempotent)
        async def read(path: str) -> str:
            await clock.sleep(1.0)  # noqa: B023
            return path

        # The first call is complete after 0.1 s, the answer after 0.7 s.
        asked = (
            ("read", '{"path": "a"}'),
            ("read", '{"path": "b"}'),
            ("read", '{"path": "c"}'),
            ("read", '{"path": "d"}'),
        )
        backend = turn_by_turn(calls(*asked, gap=0.1), says("done"), clock=clock)
        outcome = run(Agent(backend, "m", tools=[read], crafts=ONE, clock=clock), clock)
        took[idempotent] = outcome.wall_s
    assert took[False] == pytest.approx(1.7)
    assert took[True] == pytest.approx(1.7), "the last of them is complete only at the end"


def test_what_started_early_is_not_run_twice():
    clock = FakeClock()
    ran: list[str] = []

    @tool(idempotent=True)
    async def read(path: str) -> str:
        ran.append(path)
        await clock.sleep(1.0)
        return path

    first = calls(("read", '{"path": "a"}'), gap=0.1)
    more = [TextDelta(at=0, text=".")] * 10
    backend = turn_by_turn(
        msgspec.structs.replace(first, deltas=(*first.deltas, *more)), says("done"), clock=clock
    )
    outcome = run(Agent(backend, "m", tools=[read], crafts=ONE, clock=clock), clock)
    assert ran == ["a"]
    assert outcome.wall_s == pytest.approx(1.1), (
        "0.1 s to the call's end, and the tool; the answer went on until 1.1 s"
    )


def test_an_early_run_of_an_answer_that_broke_off_is_thrown_away():
    clock = FakeClock()
    ran: list[str] = []

    @tool(idempotent=True)
    async def read(path: str) -> str:
        ran.append(path)
        await clock.sleep(5.0)
        return path

    broken = msgspec.structs.replace(
        calls(("read", '{"path": "a"}'), gap=0.1), error=StreamBroken("cut"), finish="tool_calls"
    )
    backend = turn_by_turn(broken, calls(("read", '{"path": "b"}')), says("done"), clock=clock)
    outcome = run(Agent(backend, "m", tools=[read], crafts=ONE, clock=clock), clock)
    assert ran == ["a", "b"]
    assert [message.content for message in outcome.messages if message.role == "tool"] == ["b"]


# What cannot be.


def test_bad_arguments_are_refused_before_anything_is_asked():
    backend = turn_by_turn(says("8"))

    @tool(final=True)
    async def end(x: int) -> None: ...

    @tool(final=True)
    async def finish(x: int) -> None: ...

    with pytest.raises(UsageError, match="Two tools are called"):
        Agent(backend, "m", tools=[double, double])
    with pytest.raises(UsageError, match="end and finish both end the task"):
        Agent(backend, "m", tools=[end, finish])
    with pytest.raises(UsageError, match="max_steps"):
        Agent(backend, "m", max_steps=0)
    with pytest.raises(UsageError, match="candidates"):
        Crafts(candidates=0)
    with pytest.raises(UsageError, match="share"):
        Crafts(hedge=2)
    for budget in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="budget"):
            asyncio.run(Agent(backend, "m").run("goal", budget))


def test_a_check_that_raises_is_the_outcome_s_error():
    clock = FakeClock()

    def check(answer: str) -> None:
        raise KeyError(answer)

    outcome = run(Agent(turn_by_turn(says("8"), clock=clock), "m", check=check, clock=clock), clock)
    assert outcome.stopped == "failed"
    assert isinstance(outcome.error, UsageError)


def test_a_backend_that_raises_what_it_must_not_is_the_outcome_s_error():
    clock = FakeClock()

    def script(request: Request) -> Script:
        raise ZeroDivisionError("oh")

    outcome = run(Agent(ScriptedBackend(script, clock), "m", clock=clock), clock)
    assert (outcome.stopped, outcome.answer) == ("failed", None)
    assert "ZeroDivisionError" in str(outcome.error)
