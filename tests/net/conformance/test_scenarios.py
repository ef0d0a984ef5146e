import re

import msgspec
import pytest

from tithe.core.errors import UsageError
from tithe.net.conformance import SCENARIOS, Brief, chosen

PITFALLS = range(1, 16)


@pytest.mark.parametrize("pitfall", PITFALLS)
def test_every_pitfall_has_a_scenario(pitfall: int) -> None:
    assert any(scenario.pitfall == pitfall for scenario in SCENARIOS)


def test_they_stand_in_the_order_of_their_pitfalls() -> None:
    numbers = [scenario.pitfall for scenario in SCENARIOS]
    assert set(numbers) == set(PITFALLS)
    assert numbers == sorted(numbers)


def test_a_name_is_one_scenario_s_and_can_be_typed() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)
    assert not {"all", "list"} & set(names)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_says_in_a_sentence_what_goes_wrong(scenario: Brief) -> None:
    assert re.fullmatch(r"[^\n]+\.", scenario.wrong)
    assert scenario.asking.calls == len(scenario.truth.attempts)


def test_they_are_chosen_by_name() -> None:
    assert chosen("all") == SCENARIOS
    assert [scenario.name for scenario in chosen("done-late")] == ["done-late"]
    with pytest.raises(UsageError, match=r"no scenario 'nosuch'.*role-first, .*failures-apart"):
        chosen("nosuch")


def test_a_brief_comes_back_from_json() -> None:
    """UNSET (not asked) and None (must not be there) are still told apart."""
    briefs = tuple(scenario.brief for scenario in SCENARIOS)
    assert msgspec.json.decode(msgspec.json.encode(briefs), type=tuple[Brief, ...]) == briefs
