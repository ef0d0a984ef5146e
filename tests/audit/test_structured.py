import pytest

from tithe.audit.structured import ARMS, TOOL, measure_structured


def measured(bench):
    structured = bench.run(lambda: measure_structured(bench.probe))
    return {figures.arm: figures for figures in structured.figures}


def test_the_four_arms_ask_for_what_they_say(bench):
    made = bench()
    measured(made)
    seen = set()
    for request in made.backend.requests:
        strict = [tool.strict for tool in request.tools] + [request.response_format.strict]
        seen.add((request.tool_choice.mode, request.response_format.kind, *strict))
    assert seen == {
        ("required", "text", True, None),
        ("auto", "text", False, None),
        ("auto", "json_schema", True),
        ("auto", "text", None),
    }
    assert len(made.backend.requests) == len(ARMS) * (1 + made.plan.repeats)


def test_valid_answers_are_counted_and_timed(bench):
    arms = measured(bench(free_valid_every=2))
    assert arms["call constrained"].classes == {"valid": 4}
    assert arms["call constrained"].expected_s == pytest.approx(arms["call constrained"].attempt_mean_s)
    free = arms["call free"]
    assert sum(free.classes.values()) == 4
    # The primer took the first of the five; every second one is valid.
    assert free.classes == {"valid": 2, "no call": 2}
    assert (free.valid.successes, free.valid.n) == (2, 4)
    assert free.expected_s == pytest.approx(2 * free.attempt_mean_s)
    assert free.expected_at_least_s is None


def test_never_valid_has_no_expected_time_but_a_least_one(bench):
    arms = measured(bench(free_valid_every=0))
    free = arms["json free"]
    assert free.classes == {"cut": 4}
    assert (free.expected_s, free.valid_total_s) == (None, None)
    # Wilson's upper bound of 0 in 4 is z2 / (4 + z2) = 0.4899.
    assert free.expected_at_least_s == pytest.approx(free.attempt_mean_s / 0.4899, rel=1e-3)


def test_failed_calls_are_no_verdict_on_the_model(bench):
    arms = measured(bench(fails_every=3))
    failed = sum(arm.classes.get("failed", 0) for arm in arms.values())
    assert failed == 5
    assert sum(arm.valid.n for arm in arms.values()) == 16 - failed
    assert arms["call constrained"].valid.value == 1.0


def test_the_tool_is_named_in_the_goal(bench):
    made = bench()
    measured(made)
    asked = [request.messages[-1].content for request in made.backend.requests if request.tools]
    assert all(TOOL in content for content in asked)
