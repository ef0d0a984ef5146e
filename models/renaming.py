"""Other names for the things of a transcript, so that a model learns to copy names and not to know them.

The task world has a few hundred nouns, fields and columns. A model that has seen each a thousand times
copies those and no others; one for which most transcripts speak of `gluna` and `treaties`
has to find a name where it stands. Names of the held-out split are never drawn.
"""

import pydoc_data.topics
import random
import re
from collections.abc import Sequence

from tokenizers import Tokenizer

from tithe.world import Task, lookup_words, records, repair
from tithe.world.themes import THEMES
from tithe.world.words import THINGS, belongs, invented, of_split

RENAMED = 0.7
"""The share of transcripts that are renamed."""

PIECED = 0.25
"""The share of fresh names that are made of the tokenizer's own pieces, where those are given."""

_EACH = 0.85
_SPOKEN = frozenset({"files", "tables", "tools"})
"""Things that goals and tools speak of too."""

_WORD = re.compile(r"[A-Za-z]+")
_PIECE = re.compile(r"[A-Za-z][a-z]*")


def vocabulary() -> list[str]:
    """English words of the language reference that are no names of the held-out split, sorted."""
    topics: dict[str, str] = pydoc_data.topics.topics
    words = {word for text in topics.values() for word in re.findall(r"[a-z]+", text) if 3 <= len(word) <= 9}
    held_out = {
        name
        for theme in THEMES["held_out"]
        for name in (theme.table, theme.one, theme.many, theme.kind, *theme.kinds, *theme.numbers)
    } | {*lookup_words.FIELDS["held_out"], *map(str.lower, repair.SAYS["held_out"])}
    return [word for word in of_split(sorted(words), "train") if word not in held_out]


def pieces_of(tokenizer: Tokenizer) -> list[str]:
    """The tokenizer's tokens that are letters alone, large ones at most at the beginning, sorted.

    A model copies the tokens that it has written. Held-out words may begin with one that no word of the training
    has; as a part of names it is written all the same, and the words themselves are not.
    """
    return sorted(token for token in tokenizer.get_vocab() if _PIECE.fullmatch(token))


def renaming(task: Task, draw: random.Random, words: list[str], pieces: Sequence[str] = ()) -> dict[str, str]:
    """What to call things in this transcript; empty when it is left as it is."""
    if draw.random() >= RENAMED:
        return {}
    if task.family == "records":
        theme = records.make(task.seed, task.split).question.theme
        names = [theme.kind, *theme.kinds, *theme.numbers, theme.many]
    else:
        things = [thing for thing in THINGS if thing not in _SPOKEN]
        names = [
            *things,
            *(lookup_words.FIELDS["train"] if task.family == "lookup" else repair.SAYS["train"]),
        ]
    others: dict[str, str] = {}
    taken: set[str] = set(names)
    for name in names:
        new = fresh(draw, words, pieces)
        if name[0].isupper():
            new = new.capitalize()
        # A stranger named twice would be one thing.
        if draw.random() < _EACH and new not in taken and new + "s" not in taken:
            others[name] = new
            taken |= {new, new + "s"}
    if task.family == "records" and theme.many in others:
        others[theme.one] = others[theme.many]
        others[theme.many] += "s"
    return others


def fresh(draw: random.Random, words: list[str], pieces: Sequence[str] = ()) -> str:
    """A word, the beginning of one with the end of another, a made-up name, or one of `pieces` with another
    behind it. Between them they begin, go on and end in every way that the tokenizer cuts a name."""
    kind = draw.random()
    if pieces and kind < PIECED:
        while not belongs(new := draw.choice(pieces) + draw.choice(pieces).lower(), "train"):
            pass
        return new
    kind = draw.random()
    if kind < 0.3:
        return draw.choice(words)
    if kind < 0.6:
        return invented(draw, "train")
    while True:
        first, second = draw.sample(words, 2)
        new = first[: draw.randint(1, 4)] + second[-draw.randint(2, 5) :] + draw.choice(("", "s"))
        if belongs(new, "train"):
            return new


def rename(text: str, others: dict[str, str]) -> str:
    """The text with the names changed wherever they stand as whole words."""
    return _WORD.sub(lambda found: others.get(found[0], found[0]), text) if others else text
