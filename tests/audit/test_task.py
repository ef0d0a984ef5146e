import itertools
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.audit.known import KnownEndpoint, KnownOptions
from tithe.audit.observation import Failure, Observation, Stamp
from tithe.audit.probe import Probe
from tithe.audit.task import draw_tasks, measure_task, task_figures
from tithe.audit.task_run import TaskRun, TaskStep, account
from tithe.core import Message, Request, Script, ScriptedBackend, SystemClock, ToolCall, ToolCallDelta
from tithe.core.errors import EndpointRefused
from tithe.world import FAMILIES, make_task, solve


def measured(bench):
    return bench.run(lambda: measure_task(bench.probe))


def test_the_experts_answers_solve_every_task(bench):
    made = bench()
    task = measured(made)
    expert = [solve(one) for one in draw_tasks(made.plan)]
    assert [run.outcome for run in task.runs] == ["solved"] * 3
    assert [run.messages for run in task.runs] == [one.messages for one in expert]
    figures = task.figures
    assert (figures.solved.successes, figures.solved.n, figures.failed) == (3, 3, 0)
    assert [(one.family, one.solved.successes) for one in figures.families] == [
        (name, 1) for name in FAMILIES
    ]
    assert figures.answers == figures.calls == sum(one.steps for one in expert)
    assert (figures.idle, figures.cut) == (0, 0)
    assert figures.wall_s == figures.solved_wall_s


def test_known_parts_come_back(bench):
    task = measured(bench(base_s=0.25, uncached_token_s=0.0, decode_s=0.0625))
    figures, shown = task.figures, task.shown
    split = figures.account
    assert shown.wall_s == sorted(run.wall_s for run in task.runs)[1]
    assert split.ttft_s == pytest.approx(figures.steps * 0.25)
    assert split.decode_s == pytest.approx((figures.output_tokens - figures.steps) * 0.0625)
    assert (split.tool_s, split.retry_s) == (0.0, 0.0)
    assert split.wall_s == pytest.approx(split.ttft_s + split.decode_s)
    assert figures.wall_s.value == pytest.approx(shown.wall_s)
    assert figures.step_s.n == sum(len(run.steps) for run in task.runs)


def test_what_is_sent_is_what_an_agents_client_sends(bench):
    made = bench(plan={"task_out": 99})
    task = measured(made)
    drawn = {one.system: one for one in draw_tasks(made.plan)}
    assert len(task.primes) == 3
    for request in made.backend.requests[3:]:
        assert request.messages[0].content in drawn
        assert request.tools in [one.tools for one in draw_tasks(made.plan)]
        assert {tool.strict for tool in request.tools} == {None}
        assert (request.tool_choice.mode, request.parallel_tool_calls) == ("auto", True)
        assert (request.sampling.temperature, request.max_tokens) == (0.0, 99)
    assert task.temperature == 0.0


def test_history_is_append_only_and_its_prefix_is_cached(bench):
    task = measured(bench(block=1))
    for run in task.runs:
        steps = [step.attempts[-1] for step in run.steps]
        for earlier, later in itertools.pairwise(steps):
            assert later.prompt_tokens > earlier.prompt_tokens
            assert later.cached_tokens >= earlier.prompt_tokens - 11


def test_an_agent_that_never_finishes_solves_nothing_and_ends_all_the_same(bench):
    made = bench(solves=False)
    task = measured(made)
    figures = task.figures
    assert [run.outcome for run in task.runs] == ["unsolved"] * 3
    assert [len(run.steps) for run in task.runs] == [one.step_limit for one in draw_tasks(made.plan)]
    assert {run.answer for run in task.runs} == {None}
    assert (figures.solved.successes, figures.solved.n) == (0, 3)
    # A run that ended unsolved is a whole measurement of wall clock.
    assert figures.wall_s.n == 3
    assert figures.solved_wall_s is None
    assert figures.shown is not None


def test_only_the_runs_that_were_solved_are_shown_and_timed_as_solved(bench):
    made = bench(solves=False)
    drawn = draw_tasks(made.plan)
    known = KnownEndpoint(KnownOptions(), [solve(drawn[2]).messages])
    probe = Probe(ScriptedBackend(known, made.clock), "m", made.plan, made.probe.prompts, made.clock)
    task = made.run(lambda: measure_task(probe))
    figures = task.figures
    assert [run.outcome for run in task.runs] == ["unsolved", "unsolved", "solved"]
    assert (figures.shown, task.shown.family) == (2, "records")
    assert figures.solved_wall_s.value == task.runs[2].wall_s == figures.account.wall_s
    assert (figures.solved_wall_s.n, figures.wall_s.n) == (1, 3)
    assert [one.solved.successes for one in figures.families] == [0, 0, 1]


def test_a_wrong_answer_does_not_solve(bench):
    made = bench()

    def script(request: Request) -> Script:
        finish = ToolCallDelta(at=0.0, call=0, id="c", name="finish", arguments='{"answer": "minus one"}')
        return Script(deltas=(finish,), finish="tool_calls")

    probe = Probe(ScriptedBackend(script, made.clock), "m", made.plan, made.probe.prompts, made.clock)
    task = made.run(lambda: measure_task(probe))
    assert [(run.outcome, run.answer, len(run.steps)) for run in task.runs] == [
        ("unsolved", "minus one", 1)
    ] * 3


def test_answers_without_a_call_and_calls_that_do_not_fit_are_counted(bench):
    made = bench()

    def script(request: Request) -> Script:
        said = sum(message.role == "assistant" for message in request.messages)
        if said == 0:
            return Script()
        if said == 1:
            return Script.of_text("Let me think.")
        bad = (ToolCallDelta(at=0.0, call=0, name="grep", arguments="{"),)
        return Script(deltas=bad, finish="length")

    probe = Probe(ScriptedBackend(script, made.clock), "m", made.plan, made.probe.prompts, made.clock)
    task = made.run(lambda: measure_task(probe))
    figures, limits = task.figures, [one.step_limit for one in draw_tasks(made.plan)]
    assert (figures.answers, figures.idle) == (sum(limits), 6)
    assert figures.cut == figures.calls == figures.faults == sum(limits) - 6
    # No turn goes back empty or without an id: some endpoints refuse either.
    empty, thought, call = (m for m in task.runs[0].messages[2:8] if m.role == "assistant")
    assert (empty.content, thought.content) == ("(nothing)", "Let me think.")
    assert call.tool_calls == (ToolCall(id="call_2_0", name="grep", arguments="{"),)
    assert task.runs[0].messages[7].tool_call_id == "call_2_0"


def test_a_failed_attempt_is_retry_whole(bench):
    task = measured(bench(fails_every=5, base_s=0.25))
    attempts = [attempt for run in task.runs for step in run.steps for attempt in step.attempts]
    assert sum(attempt.failure is not None for attempt in attempts) > 0
    assert [run.outcome for run in task.runs] == ["solved"] * 3


def test_a_step_that_fails_twice_ends_the_task_and_judges_nobody(bench):
    task = measured(bench(fails_every=1))
    figures = task.figures
    assert [(run.outcome, len(run.steps), run.answer) for run in task.runs] == [("failed", 1, None)] * 3
    assert (figures.solved, figures.failed) == (None, 3)
    assert (figures.account, figures.wall_s, figures.shown, figures.output_tokens) == (None, None, None, None)
    assert [(one.solved, one.failed) for one in figures.families] == [(None, 1)] * 3


def test_a_run_that_fails_midway_is_in_no_figure(bench):
    made = bench(fails_after=3 + 2)
    task = measured(made)
    assert [run.outcome for run in task.runs] == ["failed"] * 3
    assert [len(run.steps) for run in task.runs] == [3, 1, 1]
    assert task.figures.answers == 0


@pytest.mark.parametrize("status", [400, 422, 503])
def test_an_endpoint_that_refuses_a_temperature_is_asked_without(bench, status):
    made = bench()
    known = KnownEndpoint(KnownOptions(), [solve(one).messages for one in draw_tasks(made.plan)])

    def script(request: Request) -> Script:
        if request.sampling.temperature != 1.0 and (status != 503 or len(backend.requests) == 1):
            return Script(
                error=EndpointRefused("no temperature", http_status=status, body="", retry_after=None)
            )
        return known(request)

    backend = ScriptedBackend(script, made.clock)
    probe = Probe(backend, "m", made.plan, made.probe.prompts, made.clock)
    task = made.run(lambda: measure_task(probe))
    assert [run.outcome for run in task.runs] == ["solved"] * 3
    if status == 503:
        assert task.temperature == 0.0
        assert probe.asked_again == 0
    else:
        assert task.temperature is None
        assert (probe.asked_again, probe.failures) == (1, 1)
        assert len(task.primes) == 4
        assert {request.sampling.temperature for request in backend.requests[1:]} == {1.0}


async def test_tools_that_really_run_take_real_time(bench):
    """On the machine's clock: starting an interpreter is in `tool`, and the event loop goes on meanwhile."""
    made = bench(plan={"task_families": ("repair",), "task_repeats": 1})
    clock = SystemClock()
    known = KnownEndpoint(
        KnownOptions(base_s=0.0, uncached_token_s=0.0, decode_s=0.0),
        [solve(one).messages for one in draw_tasks(made.plan)],
    )
    task = await measure_task(Probe(ScriptedBackend(known, clock), "m", made.plan, made.probe.prompts, clock))
    run, split = task.runs[0], task.figures.account
    assert run.outcome == "solved"
    tests = [
        step.tool_end - step.tool_start
        for step in run.steps
        if step.attempts[-1].tool_calls[0].name == "run_tests"
    ]
    assert 0 < sum(tests) <= split.tool_s <= split.wall_s
    assert math.fsum(
        (split.ttft_s, split.decode_s, split.tool_s, split.retry_s, split.overhead_s)
    ) == pytest.approx(split.wall_s)


PIECE = st.floats(min_value=0, max_value=100)
MESSAGES = (Message(role="system", content="s"), Message(role="user", content="g"))


def run_of(steps: tuple[TaskStep, ...], start: float, end: float) -> TaskRun:
    return TaskRun(
        repeat=0,
        family="lookup",
        seed=0,
        split="held_out",
        start=start,
        end=end,
        outcome="unsolved",
        answer=None,
        idle=0,
        faults=0,
        steps=steps,
        messages=MESSAGES,
    )


@st.composite
def runs(draw: st.DrawFn) -> TaskRun:
    """Any task: calls that answer, answer nothing, or fail before or after they were sent; tools or none."""
    now = start = draw(PIECE)
    steps: list[TaskStep] = []
    for _ in range(draw(st.integers(1, 5))):
        attempts: list[Observation] = []
        for _ in range(draw(st.integers(1, 2))):
            instants = [now := now + draw(PIECE) for _ in range(5)]
            begun, sent, first, last, now = instants
            fate = draw(st.sampled_from(["answered", "empty", "refused", "broken"]))
            attempts.append(
                Observation(
                    label="x",
                    begun=begun,
                    sent=None if fate == "refused" else sent,
                    ended=now,
                    finish="stop",
                    stamps=()
                    if fate in ("empty", "refused")
                    else (Stamp(first, "text"), Stamp(last, "text")),
                    failure=Failure(kind="k", message="m") if fate in ("refused", "broken") else None,
                )
            )
        tool_start = now = now + draw(PIECE)
        tool_end = now = now + draw(PIECE)
        ran = draw(st.booleans())
        steps.append(
            TaskStep(
                attempts=tuple(attempts),
                tool_start=tool_start if ran else None,
                tool_end=tool_end if ran else None,
            )
        )
    return run_of(tuple(steps), start, now + draw(PIECE))


@given(runs())
def test_the_parts_of_any_task_sum_to_its_wall_clock(run):
    split = account(run)
    parts = (split.ttft_s, split.decode_s, split.tool_s, split.retry_s, split.overhead_s)
    assert min(parts) >= 0
    assert math.fsum(parts) == pytest.approx(split.wall_s, rel=1e-12, abs=1e-9)


@given(st.lists(st.tuples(runs(), st.sampled_from(["solved", "unsolved", "failed"])), max_size=6))
def test_every_run_is_in_one_outcome_and_the_one_shown_is_real(given_runs):
    numbered = tuple(
        msgspec.structs.replace(run, outcome=outcome, repeat=repeat)
        for repeat, (run, outcome) in enumerate(given_runs)
    )
    figures = task_figures(numbered, seed=0)
    outcomes = [run.outcome for run in numbered]
    assert figures.failed == outcomes.count("failed")
    ended = len(outcomes) - figures.failed
    assert (figures.solved.n if figures.solved else 0) == ended
    assert (figures.solved.successes if figures.solved else 0) == outcomes.count("solved")
    assert (figures.shown is None) == (ended == 0)
    if figures.shown is not None:
        assert outcomes[figures.shown] == ("solved" if "solved" in outcomes else "unsolved")
        assert figures.account == account(numbered[figures.shown])


def test_the_parts_sum_exactly_where_binary_fractions_do():
    seen = Observation(
        label="x",
        begun=1.0,
        sent=1.25,
        ended=4.0,
        finish="stop",
        stamps=(Stamp(2.0, "text"), Stamp(3.5, "text")),
    )
    broken = Observation(
        label="x", begun=0.5, sent=0.5, ended=1.0, failure=Failure(kind="StreamBroken", message="m")
    )
    step = TaskStep(attempts=(broken, seen), tool_start=4.25, tool_end=6.25)
    run = run_of((step,), 0.0, 6.5)
    split = account(run)
    assert (split.ttft_s, split.decode_s, split.tool_s, split.retry_s) == (0.75, 1.5, 2.0, 0.5)
    assert split.overhead_s == 0.5 + 0.25 + 0.75 + 0.25
    assert (
        split.ttft_s + split.decode_s + split.tool_s + split.retry_s + split.overhead_s == split.wall_s == 6.5
    )
    # A step lasts from its first attempt to the end of its tools.
    assert task_figures((run,), seed=0).step_s.value == 6.25 - 0.5


def test_a_task_is_made_again_from_what_a_run_keeps(bench):
    for run in measured(bench()).runs:
        assert make_task(run.family, run.seed, run.split).goal == run.goal
