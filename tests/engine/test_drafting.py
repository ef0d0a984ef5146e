"""Drafting: the latest earlier place where the last three tokens occurred, found by brute force."""

from hypothesis import given
from hypothesis import strategies as st

from tithe.engine.drafting import LOOKUP, propose


@given(st.lists(st.sampled_from([0, 1, 255, 256, 65536]), max_size=40), st.integers(-1, 6))
def test_what_is_proposed_followed_the_latest_occurrence(tokens: list[int], most: int) -> None:
    expected: list[int] = []
    for at in range(len(tokens) - LOOKUP):
        if most > 0 and tokens[at : at + LOOKUP] == tokens[-LOOKUP:]:
            expected = tokens[at + LOOKUP : at + LOOKUP + most]
    assert propose(tokens, most) == expected


def test_a_repeated_phrase_is_proposed() -> None:
    phrase = list(range(100, 110))
    assert propose([*phrase, 1, 2, *phrase[:4]], 8) == [*phrase[4:], 1, 2]
    assert propose([7] * 5, 8) == [7]
    assert propose([1, 2, 3], 8) == []
