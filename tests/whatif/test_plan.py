"""Plans: the mission's step caps from their inputs, and designs that cost what they are."""

import pytest

from tithe.core.errors import UsageError
from tithe.whatif.plan import DESIGNS, Plan, plan_budgets, step_success


def rows(plan: Plan, budget: float, speed: float = 1.0):
    [found] = plan_budgets(plan, [("", budget)])
    return {row.design: row for row in found.rows if row.speed == speed}


def test_the_missions_step_caps():
    # A step of 2 s, 30 of which are a minute; of 400 ms there are more than 100 in the same time.
    slow = Plan(ttft_s=0.6, tokens_per_s=80 / 1.0, out=80, tool_s=0.4)
    assert rows(slow, 60.0)["plain"].steps_p95 == 30
    assert rows(Plan(ttft_s=0.1, tokens_per_s=400, out=80, tool_s=0.1), 60.0)["plain"].steps_p95 == 150
    # A voice turn with 600 ms of TTFT is over before it began; with 200 ms two calls and a tool don't fit, one does.
    assert rows(Plan(ttft_s=0.6, tokens_per_s=60), 0.5)["plain"].steps_p50 == 0
    assert rows(Plan(ttft_s=0.2, tokens_per_s=200, out=20), 0.5)["plain"].steps_p50 == 1
    # 15 steps of 2 s are 30 s.
    assert rows(Plan(ttft_s=1.0, tokens_per_s=80, out=80), 30.0)["plain"].steps_p50 == 15


def test_at_ten_times_the_speed_checks_fit_where_one_plain_answer_did():
    plan = Plan(ttft_s=0.6, tokens_per_s=60, tool_s=0.4, steps=10)
    before = rows(plan, 30.0)["plain"]
    after = rows(plan, 30.0, speed=10.0)
    assert before.task_p50_s == pytest.approx(23.3, abs=0.1)
    assert all(row.task_p95_s is not None and row.task_p95_s < 11 for row in after.values())
    assert not rows(plan, 30.0)["critique"].fits


def test_designs_cost_what_they_are():
    found = rows(Plan(ttft_s=0.5, tokens_per_s=100, out=50, retries=0.2), 60.0)
    assert set(found) == set(DESIGNS)
    assert found["plain"].step_s == pytest.approx(1.0)
    assert found["verify"].step_s == pytest.approx(1.6)
    assert found["critique"].step_s == pytest.approx(3.0)
    assert found["retries"].step_s == pytest.approx(1.25, rel=0.01)
    assert found["2 candidates"].step_s == pytest.approx(1.0)
    assert found["retries"].steps_p95 < found["retries"].steps_p50


def test_success_is_that_all_steps_are_right_and_in_time():
    plan = Plan(ttft_s=0.5, tokens_per_s=100, out=50, steps=10, success=0.9, finds=1.0)
    found = rows(plan, 12.0)
    assert found["plain"].success == pytest.approx(0.9**10)
    assert found["3 candidates"].success == pytest.approx(0.999**10)
    assert found["critique"].success == 0.0
    assert rows(plan, 12.0, speed=10.0)["critique"].success == pytest.approx(0.99**10)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_design_never_makes_a_step_worse(design):
    assert 0.7 <= step_success(design, 0.7, 0.5) <= 1
    assert step_success(design, 0.7, 0.0) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("plan", "budget", "told"),
    [
        (Plan(ttft_s=0.6), 30.0, "needs an endpoint"),
        (Plan(ttft_s=0.6, tokens_per_s=60), 0.0, "budget is 0 s"),
        (Plan(ttft_s=0.6, tokens_per_s=60, success=0.9), 30.0, "give --steps"),
        (Plan(ttft_s=0.6, tokens_per_s=60, retries=1.0), 30.0, "retries is 1"),
        (Plan(ttft_s=0.6, tokens_per_s=60, steps=0), 30.0, "steps is 0"),
        (Plan(ttft_s=0.6, tokens_per_s=-3), 30.0, "tps is -3"),
    ],
)
def test_absurd_plans_are_refused(plan, budget, told):
    with pytest.raises(UsageError, match=told):
        plan_budgets(plan, [("", budget)])
