"""Other names for the things of a transcript, so that a model learns to copy names and not to know them.

The task world has a few hundred nouns, fields and columns. A model that has seen each a thousand times
copies those and no others; one for which half of the transcripts speak of `gluna` and `treaties`
has to find a name where it stands. Names of the held-out split are never drawn.
"""

import pydoc_data.topics
import random
import re

from tithe.world import Task, lookup_words, records
from tithe.world.themes import THEMES
from tithe.world.words import THINGS, invented, of_split

RENAMED = 0.6
"""The share of transcripts that are renamed."""

_EACH = 0.85
_WORD = re.compile(r"[a-z]+")


def vocabulary() -> list[str]:
    """English words of the language reference that are no names of the held-out split, sorted."""
    topics: dict[str, str] = pydoc_data.topics.topics
    words = {word for text in topics.values() for word in _WORD.findall(text) if 3 <= len(word) <= 9}
    held_out = {
        name
        for theme in THEMES["held_out"]
        for name in (theme.table, theme.one, theme.many, theme.kind, *theme.kinds, *theme.numbers)
    } | set(lookup_words.FIELDS["held_out"])
    return [word for word in of_split(sorted(words), "train") if word not in held_out]


def renaming(task: Task, draw: random.Random, words: list[str]) -> dict[str, str]:
    """What to call things in this transcript; empty when it is left as it is."""
    if draw.random() >= RENAMED:
        return {}
    if task.family == "records":
        theme = records.make(task.seed, task.split).question.theme
        names = [theme.kind, *theme.kinds, *theme.numbers, theme.many]
    else:
        names = [*THINGS, *(lookup_words.FIELDS["train"] if task.family == "lookup" else ())]
    others: dict[str, str] = {}
    taken: set[str] = set(names)
    for name in names:
        new = draw.choice(words) if draw.random() < 0.6 else invented(draw, "train")
        # A stranger named twice would be one thing.
        if draw.random() < _EACH and new not in taken and new + "s" not in taken:
            others[name] = new
            taken |= {new, new + "s"}
    if task.family == "records" and theme.many in others:
        others[theme.one] = others[theme.many]
        others[theme.many] += "s"
    return others


def rename(text: str, others: dict[str, str]) -> str:
    """The text with the names changed wherever they stand as whole words."""
    return _WORD.sub(lambda found: others.get(found[0], found[0]), text) if others else text
