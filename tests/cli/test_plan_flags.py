import dataclasses
import inspect

import pytest

from tithe.audit import QUICK, QUICK_PAIRS, STANDARD, AuditPlan, fewest_pairs
from tithe.cli.audit import app


def plan_of(*arguments: str) -> AuditPlan:
    _, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    bound.apply_defaults()
    return bound.arguments["plan"]


def test_without_flags_the_plan_is_the_standard_one():
    assert plan_of() == plan_of("http://127.0.0.1:1/v1") == STANDARD


def test_quick_is_the_quick_plan():
    assert plan_of("--quick") == QUICK


def test_a_quick_comparison_takes_enough_pairs_for_a_verdict():
    urls = ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
    assert plan_of(*urls, "--quick") == QUICK_PAIRS
    assert plan_of("--quick", *urls, "--repeats", "5").repeats == 5
    level_of_three = 1 - 0.05 / 10
    assert min(QUICK_PAIRS.repeats, QUICK_PAIRS.task_repeats) >= fewest_pairs(level_of_three)


@pytest.mark.parametrize("quick", [(), ("--quick",)])
def test_what_is_named_holds_even_when_it_is_the_other_plans_value(quick):
    base = QUICK if quick else STANDARD
    for field in ("repeats", "think_s"):
        for value in (getattr(STANDARD, field), getattr(QUICK, field)):
            flag = "--" + field.replace("_", "-")
            assert plan_of(*quick, flag, str(value)) == dataclasses.replace(base, **{field: value})


@pytest.mark.parametrize(
    "given", [("--lengths", "64,128"), ("--lengths=64,128",), ("--lengths", "64", "--lengths", "128")]
)
def test_lists_take_commas_or_repetition(given):
    assert plan_of("--quick", *given).lengths == (64, 128)


def test_every_option_of_the_plan_has_its_flag():
    for field in dataclasses.fields(AuditPlan):
        default = getattr(STANDARD, field.name)
        if field.name == "task_families":
            assert plan_of("--task-families", "repair,lookup").task_families == ("repair", "lookup")
            continue
        value = (7,) if isinstance(default, tuple) else 7 if default is None else type(default)(7)
        written = "7" if not isinstance(default, float) else "7.0"
        assert getattr(plan_of("--" + field.name.replace("_", "-"), written), field.name) == value


def test_the_plan_is_not_spelled_out_in_the_command():
    parameters = inspect.signature(app.default_command).parameters
    assert not {field.name for field in dataclasses.fields(AuditPlan)} & set(parameters)
