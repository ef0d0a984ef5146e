"""A plan as it is printed: a table a budget, within 80 columns."""

import io

from rich.console import Console

from tithe.report import print_plan
from tithe.whatif import Plan, plan_budgets


def printed(plan: Plan, budget: float) -> str:
    out = io.StringIO()
    print_plan(
        plan_budgets(plan, [("browser", budget)]), ["A note."], Console(file=out, width=80, no_color=True)
    )
    return out.getvalue()


def rows(out: str, design: str) -> list[list[str]]:
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip().startswith(design))
    return [line.replace(design, "").split() for line in lines[at : at + 3]]


def test_each_design_has_its_steps_at_each_speed():
    out = printed(Plan(ttft_s=0.6, tokens_per_s=60, tool_s=0.4), 30.0)
    assert out.startswith("browser: 30.0 s")
    assert rows(out, "plain")[0] == ["1x", "2.33", "s", "12", "12", "yes"]
    assert [row[0] for row in rows(out, "critique")] == ["1x", "3x", "10x"]
    assert "A note." in out


def test_a_task_of_known_steps_has_its_time_and_success():
    out = printed(Plan(ttft_s=0.6, tokens_per_s=60, tool_s=0.4, steps=20, success=0.95), 30.0)
    assert rows(out, "plain")[0][-2:] == ["%", "no"]
    assert rows(out, "plain")[2][-3:] == ["13", "%", "yes"]
    assert all(len(line) <= 80 for line in out.splitlines())


def test_the_frontier_is_told_where_success_is_known():
    known = Plan(ttft_s=0.6, tokens_per_s=60, tool_s=0.4, steps=20, success=0.95, jitter=0.3)
    told = printed(known, 30.0).split("Success against time")[1]
    assert [line.split()[:2] for line in told.splitlines() if "x  " in line] == [
        ["1x", "plain"],
        ["3x", "plain"],
        ["10x", "plain"],
    ]
    assert told.count("3 candidates") == 3
    assert "critique" not in told
    assert all(len(line) <= 80 for line in told.splitlines())
    assert "Success against time" not in printed(Plan(ttft_s=0.6, tokens_per_s=60), 30.0)


def test_a_time_that_is_a_bound_says_so():
    out = printed(Plan(ttft_s=0.6, tokens_per_s=60, tool_s=0.4), 30.0)
    assert rows(out, "2 candidates")[0] == ["1x", "≥3.34", "s", "≤9", "≤7", "?"]
