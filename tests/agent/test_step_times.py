"""A run's time, step by step, from what is told of it."""

import pytest

from tithe.agent.policy import Decision
from tithe.agent.progress import ToolUsed, WayBegun
from tithe.agent.step_times import StepTimes


def used(name: str) -> ToolUsed:
    return ToolUsed(name=name, arguments={}, seconds=0.0)


def test_nothing_is_told_of_a_run_that_has_decided_nothing() -> None:
    times = StepTimes()
    times.heard(WayBegun(number=1))
    times.heard(used("early"))
    assert times.steps() == ()


def test_steps_are_numbered_and_a_review_stands_by_the_step_before() -> None:
    times = StepTimes()
    for kind in ("step", "answer now", "review", "step", "accept"):
        times.heard(Decision(kind=kind))
        times.heard(used(kind))
    assert [(each.step, each.kind, each.tools) for each in times.steps()] == [
        (1, "step", ("step",)),
        (2, "answer now", ("answer now",)),
        (2, "review", ("review",)),
        (3, "step", ("step", "accept")),
    ]


def test_what_is_under_way_at_a_decision_is_split_there() -> None:
    times = StepTimes()
    times.heard(Decision(kind="step"))
    with times.model.running(), times.model.running(), times.page.running():
        times.heard(Decision(kind="step"))
    first, second = times.steps()
    for each in (first, second):
        assert 0 < each.page_s <= each.model_s + 1e-12
        assert each.model_s <= each.wall_s + 1e-12
    assert first.page_s + second.page_s == pytest.approx(times.page.seconds)
    assert first.model_s + second.model_s == pytest.approx(times.model.seconds)
