import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.audit.observation import Failure, Observation, Stamp
from tithe.audit.task import TaskRun, TaskStep, account, measure_task


def measured(bench):
    return bench.run(lambda: measure_task(bench.probe))


def test_known_parts_come_back(bench):
    made = bench(base_s=0.25, uncached_token_s=0.0, decode_s=0.0625)
    task = measured(made)
    split = task.figures.account
    assert (task.figures.completed, task.figures.failed, task.figures.steps) == (2, 0, 10)
    assert split.ttft_s == pytest.approx(10 * 0.25)
    assert split.decode_s == pytest.approx(10 * 15 * 0.0625)
    assert split.retry_s == 0.0
    assert split.overhead_s == pytest.approx(0.0, abs=1e-9)
    assert split.tool_s == pytest.approx(split.wall_s - split.ttft_s - split.decode_s)
    assert task.figures.output_tokens == 160
    assert task.runs[0].end - task.runs[0].start == pytest.approx(task.runs[1].end - task.runs[1].start)


def test_history_is_append_only_and_its_prefix_is_cached(bench):
    made = bench(block=1)
    task = measured(made)
    steps = [step.attempts[-1] for step in task.runs[0].steps]
    for earlier, later in itertools.pairwise(steps):
        assert later.cached_tokens >= earlier.prompt_tokens - made.plan.step_in
        assert later.prompt_tokens > earlier.prompt_tokens + made.plan.step_in


def test_a_failed_attempt_is_retry_whole(bench):
    task = measured(bench(fails_every=4, base_s=0.25))
    attempts = [attempt for run in task.runs for step in run.steps for attempt in step.attempts]
    assert sum(attempt.failure is not None for attempt in attempts) > 0
    assert task.figures.completed == 2
    assert task.figures.account.ttft_s == pytest.approx(10 * 0.25, rel=0.2)


def test_a_step_that_fails_twice_ends_the_task(bench):
    figures = measured(bench(fails_every=1)).figures
    assert (figures.completed, figures.failed) == (0, 2)
    assert (figures.account, figures.wall_s, figures.output_tokens) == (None, None, None)


PIECE = st.floats(min_value=0, max_value=100)


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
    return TaskRun(repeat=0, start=start, end=now + draw(PIECE), steps=tuple(steps))


@given(runs())
def test_the_parts_of_any_task_sum_to_its_wall_clock(run):
    split = account(run)
    parts = (split.ttft_s, split.decode_s, split.tool_s, split.retry_s, split.overhead_s)
    assert min(parts) >= 0
    assert math.fsum(parts) == pytest.approx(split.wall_s, rel=1e-12, abs=1e-9)


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
    split = account(TaskRun(repeat=0, start=0.0, end=6.5, steps=(step,)))
    assert (split.ttft_s, split.decode_s, split.tool_s, split.retry_s) == (0.75, 1.5, 2.0, 0.5)
    assert split.overhead_s == 0.5 + 0.25 + 0.75 + 0.25
    assert (
        split.ttft_s + split.decode_s + split.tool_s + split.retry_s + split.overhead_s == split.wall_s == 6.5
    )
