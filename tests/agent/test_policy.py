"""The policy is a pure function: what it must never do, and a few cases by hand."""

import math
from statistics import NormalDist

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.agent import Crafts, Decision, Situation, Spread, budgeted, minimal
from tithe.agent.policy import CAUTION, Z

SPREADS = st.lists(st.floats(0.001, 20), max_size=12).map(lambda seconds: Spread(tuple(sorted(seconds))))
SITUATIONS = st.builds(
    Situation,
    left_s=st.floats(0, 300),
    steps=st.integers(0, 60),
    ahead=st.floats(1, 60),
    calls=SPREADS,
    candidates=st.dictionaries(st.integers(2, 4), SPREADS),
    tools=SPREADS,
    failing=st.floats(0, 1),
    stuck=st.booleans(),
    spent=st.booleans(),
    pressed=st.booleans(),
    banked=st.booleans(),
    doubts=st.integers(0, 2),
    ways=st.integers(1, 6),
    way_s=st.floats(0, 300),
    agreed=st.booleans(),
    fresh=st.booleans(),
)
CRAFTS = st.builds(
    Crafts,
    candidates=st.integers(1, 4),
    verify=st.booleans(),
    review=st.booleans(),
    ways=st.integers(1, 6),
)


@given(SITUATIONS, CRAFTS)
def test_what_it_decides_can_be_done(situation: Situation, crafts: Crafts):
    decision = budgeted(situation, crafts)
    assert 1 <= decision.candidates <= crafts.candidates
    assert not decision.verify or crafts.verify
    assert decision.why
    if decision.kind in ("accept", "review"):
        assert situation.banked
    if decision.kind == "again":
        assert situation.fresh
        assert situation.ways < crafts.ways or not situation.banked
    if decision.kind == "review":
        assert crafts.review
    if situation.banked:
        assert decision.kind in ("accept", "review", "again"), "an answer is accepted, or doubted"
    if decision.predicted_s is not None:
        assert decision.predicted_s >= 0


@given(SITUATIONS, CRAFTS)
def test_what_is_richer_than_plain_is_expected_to_end_in_time(situation: Situation, crafts: Crafts):
    decision = budgeted(situation, crafts)
    if decision.kind == "step" and (decision.candidates > 1 or decision.verify):
        assert situation.calls
        call, several, tools = situation.calls, joint(situation, decision.candidates), situation.tools
        checks = (call,) if decision.verify else ()
        mean = sum(each.mean for each in (several, tools, *checks))
        variance = sum(each.variance for each in (several, tools, *checks))
        assert decision.predicted_s == pytest.approx(mean)
        steps = situation.ahead / (1 - min(situation.failing, 0.9))
        assert steps * mean + Z * math.sqrt(steps * variance) <= CAUTION * situation.left_s * (1 + 1e-9)


def joint(situation: Situation, count: int) -> Spread:
    """What so many calls at once take: as it was seen, else as the slowest of so many does."""
    if count == 1:
        return situation.calls
    return situation.candidates.get(count, situation.calls.slowest_of(count))


@given(SITUATIONS, CRAFTS)
def test_what_an_answer_is_doubted_with_is_expected_to_end_in_time(situation: Situation, crafts: Crafts):
    decision = budgeted(situation, crafts)
    counted_on = CAUTION * situation.left_s
    if decision.kind == "review":
        assert situation.calls
        assert not situation.doubts
        assert not situation.agreed
        assert 2 * situation.calls.quantile(0.9) <= counted_on, "it, and the call that it may ask for"
    if decision.kind == "again" and situation.banked:
        assert not situation.agreed
        assert decision.predicted_s == situation.way_s <= counted_on, "a way as slow as the slowest"
    if decision.kind == "again" and not situation.banked:
        assert situation.tools.quantile(0.5) + 2 * situation.calls.quantile(0.5) <= counted_on


@given(SITUATIONS, CRAFTS)
def test_what_there_is_no_time_for_is_said(situation: Situation, crafts: Crafts):
    """`next` of an accepted answer is what a run with all the time in the world would do, and nothing where it would accept it too."""
    decision = budgeted(situation, crafts)
    if decision.kind == "accept":
        endless = budgeted(msgspec.structs.replace(situation, left_s=1e9), crafts)
        assert (decision.next is None) == (endless.kind == "accept")
        assert endless.kind != "review" or "review" in (decision.next or "")
        assert endless.kind != "again" or "another way" in (decision.next or "")
    else:
        assert decision.next is None


@given(SITUATIONS, CRAFTS, st.floats(1, 10))
def test_more_time_never_makes_a_step_plainer(situation: Situation, crafts: Crafts, more: float):
    first = budgeted(situation, crafts)
    later = budgeted(msgspec.structs.replace(situation, left_s=situation.left_s * more), crafts)
    if first.kind == later.kind == "step":
        assert (later.candidates, later.verify) >= (first.candidates, first.verify)


@given(SITUATIONS, CRAFTS)
def test_the_minimal_loop_takes_plain_steps_and_the_first_answer(situation: Situation, crafts: Crafts):
    decision = minimal(situation, crafts)
    assert (decision.candidates, decision.verify) == (1, False)
    expected = "accept" if situation.banked else "stop" if situation.spent else "step"
    assert decision.kind == expected


def second(seconds: float = 1.0) -> Spread:
    return Spread((seconds,) * 5)


def test_a_step_is_as_rich_as_the_time_allows():
    crafts = Crafts(candidates=3, verify=True)
    # Five steps: 5 s with up to two candidates, 7.5 s with three, 12.5 s with three and verified; 0.9 of the time is counted on.
    chosen = [
        budgeted(
            Situation(
                left_s=left, steps=1, ahead=5, calls=second(), candidates={2: second(), 3: second(1.5)}
            ),
            crafts,
        )
        for left in (5.5, 6.0, 8.9, 11.5, 14.0)
    ]
    assert [(each.candidates, each.verify) for each in chosen] == [
        (1, False),
        (2, False),
        (3, False),
        (3, False),
        (3, True),
    ]


def test_where_nothing_is_known_the_step_is_plain():
    assert budgeted(Situation(left_s=1000), Crafts()).candidates == 1


@pytest.mark.parametrize(
    ("situation", "kind"),
    [
        (Situation(left_s=0.5, steps=2, ahead=3, calls=second()), "stop"),
        (Situation(left_s=1.9, steps=2, ahead=3, calls=second()), "answer now"),
        (Situation(left_s=1.9, steps=2, ahead=1, calls=second()), "answer now"),
        (Situation(left_s=2.5, steps=2, ahead=1, calls=second()), "step"),
        (Situation(left_s=9, steps=9, stuck=True, calls=second(), fresh=True), "again"),
        (Situation(left_s=9, steps=9, stuck=True, calls=second()), "answer now"),
        (Situation(left_s=9, steps=9, stuck=True, pressed=True, calls=second()), "stop"),
        (Situation(left_s=9, banked=True, calls=second(), way_s=5, fresh=True, doubts=1), "again"),
        (Situation(left_s=9, banked=True, calls=second(), way_s=9, fresh=True, doubts=1), "accept"),
        (Situation(left_s=9, banked=True, calls=second(), way_s=5, fresh=True, agreed=True), "accept"),
    ],
)
def test_cases_by_hand(situation: Situation, kind: str):
    assert budgeted(situation, Crafts()).kind == kind


def around(mean: float, deviation: float) -> Spread:
    """Samples of a normal distribution, evenly likely."""
    normal = NormalDist(mean, deviation)
    return Spread(tuple(normal.inv_cdf((place + 0.5) / 40) for place in range(40)))


def test_the_worked_example_of_the_docs():
    """docs/agent.md tells this one with its figures."""
    crafts = Crafts(candidates=3, verify=True)
    calls, tools = around(2.0, 0.3), Spread((0.4,) * 40)
    begun = Situation(left_s=27.6, steps=1, ahead=7, calls=calls, tools=tools)
    decision = budgeted(begun, crafts)
    assert (decision.candidates, decision.verify) == (3, False)
    assert decision.why == "3 candidates: 7 more steps take 19.31 s of 27.60 s"
    answered = Situation(left_s=11.7, steps=7, calls=calls, tools=tools, banked=True, way_s=18.3, fresh=True)
    assert budgeted(answered, crafts).kind == "review"
    assert calls.quantile(0.9) == pytest.approx(2.4, abs=0.03)
    assert budgeted(msgspec.structs.replace(answered, left_s=9.4, doubts=1), crafts).kind == "accept"
    slow = around(4.0, 0.3)
    for left, kind in ((25.6, "step"), (12.4, "step"), (8.0, "answer now")):
        steps = round((30 - left) / 4.4)
        decision = budgeted(
            Situation(left_s=left, steps=steps, ahead=8 - steps, calls=slow, tools=tools), crafts
        )
        assert (decision.kind, decision.candidates, decision.verify) == (kind, 1, False)


def test_a_review_is_made_once_where_it_is_wanted():
    crafts = Crafts(review=True)
    assert budgeted(Situation(left_s=9, banked=True, calls=second()), crafts).kind == "review"
    assert budgeted(Situation(left_s=9, banked=True, calls=second(), doubts=1), crafts).kind == "accept"
    assert budgeted(Situation(left_s=2, banked=True, calls=second()), crafts).kind == "accept"


def test_a_decision_says_why():
    decision: Decision = budgeted(Situation(left_s=60, steps=1, ahead=5, calls=second()), Crafts())
    assert decision.why == "3 candidates: 5 more steps take 5.00 s of 60.00 s"
