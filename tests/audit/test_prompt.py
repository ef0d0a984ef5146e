import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.audit.prompt import Prompts
from tithe.core.words import CALIBRATION_WORDS, WORDS, calibration_from, words


def test_the_word_list_has_each_word_once():
    assert len(WORDS) == len(set(WORDS)) == 128


@given(st.integers(1, 600), st.text(max_size=5), st.text(max_size=5))
def test_texts_of_one_length_hold_the_same_number_of_words(count, salt, key):
    assert len(words(count, salt, key).split()) == count


def test_whole_rounds_hold_every_word_equally_often():
    for count in CALIBRATION_WORDS:
        drawn = words(count, "s", "k").split()
        assert {drawn.count(word) for word in WORDS} == {count // len(WORDS)}


def test_a_text_repeats_for_its_key_and_parts_at_once_from_every_other():
    texts = [words(40, salt, key) for salt in ("s", "t") for key in map(str, range(20))]
    openings = {tuple(text.split()[:6]) for text in texts}
    assert len(openings) == 40
    assert words(40, "s", "1") == texts[1]
    assert words(90, "s", "1").startswith(texts[1])


def test_calibration_solves_for_tokens_a_word_and_overhead():
    short, long = CALIBRATION_WORDS
    calibration = calibration_from(30 + 2 * short, 30 + 2 * long)
    assert calibration.reported
    assert (calibration.tokens_a_word, calibration.overhead) == (2.0, 30.0)


@pytest.mark.parametrize("tokens", [(None, None), (None, 700), (200, 200)])
def test_without_usage_the_calibration_is_assumed_and_says_so(tokens):
    assert not calibration_from(*tokens).reported


@pytest.mark.parametrize("tokens", [50, 200, 1000])
def test_messages_have_the_length_asked_for(tokens):
    prompts = Prompts(calibration_from(138, 650), "salt")
    assert len(prompts.system(tokens, "k").content.split()) == tokens
    assert len(prompts.user(tokens, "k").content.split()) == tokens
