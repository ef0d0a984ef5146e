"""Bugs: one line replaced by a wrong one. Each kind belongs to one split.

Most kinds are written out with the shapes. A *slip* is drawn: some word, number or sign of a line gives
way to another. There are far more slips than anyone could learn, so that a line has to be read to be
replaced; what a held-out bug writes is never drawn. They come up as often as six kinds.
"""

import random
import re

import msgspec

from tithe.world.task import Split

SLIP = "slip"

BUG_KINDS: dict[Split, tuple[str, ...]] = {
    "train": (
        "starts one high",
        "minus for plus",
        "plus for minus",
        "plus for times",
        "comparison turned",
        "range ends early",
        "arguments swapped",
        "returns too early",
        "wrong end",
        "wrong name",
        "default of one",
        "part left out",
        *(SLIP,) * 6,
    ),
    "held_out": (
        "starts one low",
        "times for plus",
        "times for minus",
        "minus for times",
        "boundary of comparison",
        "range begins late",
        "range ends late",
        "return missing",
        "index off by one",
        "default missing",
        "wrong constant",
        "equality for order",
    ),
}


class Bug(msgspec.Struct, frozen=True):
    """A kind of bug, the line it is in (0 is the `def`), and the wrong line."""

    kind: str
    line: int
    wrong: str


# Not what a loop names, which is where its other lines have the name from; and not what is appended to,
# since a list that grows while it is walked has no end.
_PIECES = re.compile(r"(?<!for )\b[A-Za-z_]+\b(?!\.)|\d+|[<>=!]=|[-+*%<>]|[()\[\]:]")
_NUMBERS = ("0", "1", "2", "3", "4", "5", "7", "9", "10", "-2", "-3", "-5")
_SIGNS = ("+", "-", "*", "%", "//")
_ORDERS = ("<", ">", "<=", ">=", "==", "!=")
# Rewriting these would leave no Python, or nothing that a slip of the hand makes.
_FIXED = frozenset({"def", "for", "in", "if", "return", "range", "(", ")", "[", "]", ":", "append", "get"})


def slip(draw: random.Random, line: str, words: tuple[str, ...]) -> str:
    """The line with one piece of it changed: a word to one of `words`, a number or a sign to another."""
    pieces = [found for found in _PIECES.finditer(line) if found[0] not in _FIXED]
    if not pieces:
        return line
    found = draw.choice(pieces)
    pool = next(
        (pool for pool in (_NUMBERS, _SIGNS, _ORDERS) if found[0] in pool),
        words if found[0][0].isalpha() else _NUMBERS,
    )
    others = [other for other in pool if other != found[0]]
    return line[: found.start()] + draw.choice(others) + line[found.end() :] if others else line
