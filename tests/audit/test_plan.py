import dataclasses

import pytest

from tithe.audit import QUICK, STANDARD, AuditPlan, costs, draw_tasks
from tithe.core.errors import UsageError
from tithe.world import solve


def test_the_quick_plan_asks_for_less_of_everything():
    assert sum(cost.calls for cost in costs(QUICK)) < sum(cost.calls for cost in costs(STANDARD)) / 3
    assert sum(cost.output_tokens for cost in costs(QUICK)) < 25_000


@pytest.mark.parametrize(
    "options",
    [
        {"lengths": ()},
        {"repeats": 0},
        {"concurrency": (1, 0)},
        {"think_s": -0.1},
        {"seed": -1},
        {"task_families": ("chess",)},
        {"task_temperature": -1},
    ],
)
def test_a_plan_that_cannot_be_run_is_refused_by_name(options):
    with pytest.raises(UsageError) as raised:
        AuditPlan(**options)
    assert raised.value.param == next(iter(options))


def test_every_option_is_described():
    described = AuditPlan.__doc__ or ""
    for field in dataclasses.fields(AuditPlan):
        assert f"\n        {field.name}: " in described


def test_a_plan_draws_held_out_tasks_whose_families_take_turns():
    tasks = draw_tasks(AuditPlan(task_repeats=7, task_steps=15))
    assert [task.family for task in tasks] == ["lookup", "repair", "records"] * 2 + ["lookup"]
    assert {task.split for task in tasks} == {"held_out"}
    assert len({task.goal for task in tasks}) == 7
    assert [task.step_limit for task in tasks[:3]] == [15, 14, 14]
    alone = draw_tasks(AuditPlan(task_families=("records",)))
    assert {task.family for task in alone} == {"records"}


def test_the_cost_of_a_task_bounds_what_the_expert_asks():
    """And the usual number of calls is about what it takes."""
    plan = AuditPlan(task_repeats=30)
    steps = [solve(task).steps for task in draw_tasks(plan)]
    cost = costs(plan)[-1]
    assert cost.calls == 3 + 30 * 16
    assert max(steps) <= 16
    assert abs(cost.usual_calls - 3 - sum(steps)) < 0.15 * sum(steps)
