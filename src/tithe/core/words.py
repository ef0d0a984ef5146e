"""Synthetic text of a wanted token length, without the endpoint's tokenizer.

A text is the same 128 plain words over and over, each round in an order drawn from a salt and a key.
The order is the salt: two texts of different keys part ways at the first word, so one never finds
the other's prefix in a cache, yet both have the same length in tokens wherever words are tokenized
on their own. Two calls of known word counts give the endpoint's tokens a word and what its chat
template adds; from then on the lengths that figures use are the ones that the endpoint reported.

    tokens(words) = overhead + tokens_a_word * words
"""

import random

import msgspec

WORDS = tuple(
    """river stone window garden silver morning paper bridge candle forest market harbor winter copper
    engine letter mountain kitchen shadow ladder orange village pocket thunder carpet feather island
    mirror button castle desert summer basket pepper meadow travel butter planet rocket cotton dinner
    camera violin gentle simple yellow bright hollow narrow steady quiet golden broken frozen hidden
    modern distant humble clever patient honest ancient careful little follow gather listen wander
    borrow answer repair deliver measure remember notice carry begin finish arrive return explain
    discover protect imagine across under behind beside between during against around within toward
    always often never perhaps almost together slowly again doctor sailor farmer teacher painter driver
    writer singer soldier baker hunter child neighbor stranger brother captain student guest friend
    lantern valley ribbon anchor barrel compass tunnel""".split()
)

KEEP_WRITING = "Now write a very long story that uses all of these words, and do not stop early."

# Whole rounds of the word list, so that both calibration prompts hold every word equally often.
CALIBRATION_WORDS = (len(WORDS), 5 * len(WORDS))
_ASSUMED_TOKENS_A_WORD = 1.3
_ASSUMED_OVERHEAD = 12.0


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How words become tokens here. `reported` False: the endpoint told no usage, so this is assumed."""

    tokens_a_word: float
    overhead: float
    reported: bool


def calibration_from(short_tokens: int | None, long_tokens: int | None) -> Calibration:
    """Solve for tokens a word and overhead from the reported prompt tokens of the two calibration prompts."""
    short_words, long_words = CALIBRATION_WORDS
    if short_tokens is not None and long_tokens is not None and long_tokens > short_tokens:
        slope = (long_tokens - short_tokens) / (long_words - short_words)
        return Calibration(tokens_a_word=slope, overhead=short_tokens - slope * short_words, reported=True)
    return Calibration(tokens_a_word=_ASSUMED_TOKENS_A_WORD, overhead=_ASSUMED_OVERHEAD, reported=False)


def words(count: int, salt: str, key: str) -> str:
    """`count` words in the order that `salt` and `key` draw."""
    order = random.Random(f"{salt}/{key}")
    drawn: list[str] = []
    while len(drawn) < count:
        drawn.extend(order.sample(WORDS, len(WORDS)))
    return " ".join(drawn[:count])
