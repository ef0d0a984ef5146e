"""Plans: the mission's step caps from their inputs, and designs that cost what they are."""

import math

import pytest

from tithe.core.errors import UsageError
from tithe.whatif.calltimes import CallSample, fit_call_times
from tithe.whatif.plan import DESIGNS, Plan, plan_budgets, step_success
from tithe.whatif.profile import Profile


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
    # An attempt fails in one of five: 1.25 are made for each answer, and the larger number of two is 2.5 - 1 / 0.96 on average.
    costs = {
        "plain": 1.0,
        "retries": 1.25,
        "verify": 1.25 * 1.6,
        "critique": 1.25 * 3,
        "2 candidates": 2.5 - 1 / 0.96 + 1.25 * 0.6,
    }
    for design, cost in costs.items():
        assert found[design].step_s == pytest.approx(cost, rel=0.01)
    sure = rows(Plan(ttft_s=0.5, tokens_per_s=100, out=50, retries=0.0), 60.0)
    assert {design: row.step_s for design, row in sure.items()} == pytest.approx(
        {
            "plain": 1.0,
            "retries": 1.0,
            "verify": 1.6,
            "critique": 3.0,
            "2 candidates": 1.6,
            "3 candidates": 1.6,
        }
    )
    assert found["retries"].steps_p95 < found["retries"].steps_p50


def test_success_is_that_all_steps_are_right_and_in_time():
    plan = Plan(ttft_s=0.5, tokens_per_s=100, out=50, steps=10, success=0.9, finds=1.0, retries=0.0)
    found = rows(plan, 17.0)
    assert found["plain"].success == found["retries"].success == pytest.approx(0.9**10)
    assert found["3 candidates"].success == pytest.approx(0.999**10)
    assert found["critique"].success == 0.0
    assert rows(plan, 12.0, speed=10.0)["critique"].success == pytest.approx(0.99**10)


def test_a_plain_run_ends_where_an_attempt_fails_and_the_others_pay_for_another():
    plan = Plan(ttft_s=0.5, tokens_per_s=100, out=50, steps=10, success=0.9, retries=0.2)
    found = rows(plan, 300.0)
    assert found["plain"].right == pytest.approx(0.72**10)
    assert found["retries"].right == pytest.approx(0.9**10)
    assert found["retries"].task_p50_s > found["plain"].task_p50_s == pytest.approx(10.0)
    assert found["plain"].best
    assert found["retries"].best


def test_the_slowest_of_several_takes_longer_where_it_is_known_how_they_scatter_else_it_is_a_bound():
    known = rows(Plan(ttft_s=0.6, tokens_per_s=60, jitter=0.3, retries=0.0), 60.0)
    assert known["plain"].step_s == pytest.approx(0.6 + 80 / 60, rel=0.01)
    # The larger of two lognormal draws of mean m and deviation d is m + d / sqrt(pi) on average, nearly.
    assert known["2 candidates"].step_s == pytest.approx(
        0.6 * (1 + 0.3 / math.sqrt(math.pi)) + 80 / 60 + 0.6 + 10 / 60, rel=0.01
    )
    assert known["3 candidates"].step_s > known["2 candidates"].step_s
    assert not any(row.at_least for row in known.values())
    bounds = rows(Plan(ttft_s=0.6, tokens_per_s=60), 60.0)
    assert {design for design, row in bounds.items() if row.at_least} == {"2 candidates", "3 candidates"}
    # What takes that or more may fit, and what does not fit at the least does not.
    assert {design for design, row in bounds.items() if row.fits is None} == {"2 candidates", "3 candidates"}
    assert not any(
        row.fits or row.fits is None for row in rows(Plan(ttft_s=0.6, tokens_per_s=60), 0.5).values()
    )


def test_candidates_on_a_measured_endpoint_slow_each_other_down():
    samples = [
        CallSample(prompt=p, decoded=d, ttft_s=1e-3 * p, decode_s=d / 100)
        for p, d in ((1000 + 10 * n, 50 + n) for n in range(30))
    ]
    rounds = [
        CallSample(
            prompt=1000, decoded=50, others_first=n, others_rest=n, ttft_s=1.0, decode_s=0.5 + 0.25 * n
        )
        for n in (0.0, 1.0, 2.0)
        for _ in range(10)
    ]
    times = fit_call_times("p", samples, rounds=rounds)
    found = rows(Plan(profile=Profile(name="p", times=times), prompt=1000, out=80, retries=0.0), 60.0)
    assert found["plain"].step_s == pytest.approx(1.8, rel=0.01)
    assert found["3 candidates"].step_s == pytest.approx(1.0 + 0.8 * 2.0 + 1.0 + 0.1, rel=0.01)


def test_the_frontier_is_what_no_design_beats_at_its_speed():
    plan = Plan(ttft_s=0.6, tokens_per_s=60, jitter=0.3, steps=10, success=0.9, finds=0.9)
    [found] = plan_budgets(plan, [("", 30.0)])
    assert {row.speed for row in found.rows if row.best} == {1.0, 3.0, 10.0}
    for row in found.rows:
        beaten = any(
            one.speed == row.speed
            and one.right >= row.right - 1e-9
            and one.task_p50_s <= row.task_p50_s
            and one.task_p95_s <= row.task_p95_s
            and (one.right > row.right + 1e-9 or one.task_p50_s < row.task_p50_s)
            for one in found.rows
        )
        assert row.best is not beaten
    best = {row.design: row for row in found.rows if row.best and row.speed == 1.0}
    assert set(best) == {"plain", "retries", "verify", "3 candidates"}
    assert best["retries"].right == pytest.approx(0.9**10)


def test_what_may_take_longer_than_is_told_is_not_held_against_any():
    plan = Plan(ttft_s=0.6, tokens_per_s=60, steps=10, success=0.9)
    found = rows(plan, 30.0)
    assert {design: row.best for design, row in found.items()} == {
        "plain": True,
        "retries": True,
        "verify": True,
        "2 candidates": None,
        "3 candidates": None,
        "critique": False,
    }
    assert all(row.best is None for row in rows(Plan(ttft_s=0.6, tokens_per_s=60), 30.0).values())


@pytest.mark.parametrize("design", DESIGNS)
def test_a_design_never_makes_a_step_worse(design):
    assert 0.7 <= step_success(design, 0.7, 0.5, 0.0) <= 1
    assert step_success(design, 0.7, 0.0, 0.0) == pytest.approx(0.7)
    assert (step_success(design, 0.7, 0.5, 0.1) < step_success(design, 0.7, 0.5, 0.0)) is (design == "plain")


@pytest.mark.parametrize(
    ("plan", "budget", "told"),
    [
        (Plan(ttft_s=0.6), 30.0, "needs an endpoint"),
        (Plan(ttft_s=0.6, tokens_per_s=60), 0.0, "budget is 0 s"),
        (Plan(ttft_s=0.6, tokens_per_s=60, success=0.9), 30.0, "give --steps"),
        (Plan(ttft_s=0.6, tokens_per_s=60, retries=1.0), 30.0, "retries is 1"),
        (Plan(ttft_s=0.6, tokens_per_s=60, steps=0), 30.0, "steps is 0"),
        (Plan(ttft_s=0.6, tokens_per_s=-3), 30.0, "tps is -3"),
        (Plan(ttft_s=0.6, tokens_per_s=60, jitter=float("nan")), 30.0, "jitter is nan"),
        (Plan(ttft_s=0.6, tokens_per_s=60, tool_s=float("inf")), 30.0, "tool_time is inf s"),
        (Plan(ttft_s=0.6, tokens_per_s=60, out=10**11), 30.0, "out is 100000000000"),
        (Plan(jitter=0.1, profile=Profile(name="p", times=fit_call_times("p", []))), 30.0, "leave out"),
    ],
)
def test_absurd_plans_are_refused(plan, budget, told):
    with pytest.raises(UsageError, match=told):
        plan_budgets(plan, [("", budget)])
