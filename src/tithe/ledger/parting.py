"""Two prompts side by side: where the later one leaves the earlier, and what after that both still have.

A part has kin in the other prompt if it is there, or is there but for the order of its JSON keys, its white space, its
times, ids and numbers, or its reasoning. Kin behind the first difference is what was paid for and is computed again.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from itertools import takewhile

from tithe.core.part import PIECE, Part
from tithe.ledger.prefix import PromptedCall, Reach

_LEADING = ("tool_definition", "system", "developer")


class Parting:
    """A call beside an earlier one. `at`: the first part of `now`, the later prompt, that `before` has not at its place.

    `before` is the earlier prompt and its answer, which begins at `answer_at`.
    """

    def __init__(self, earlier: PromptedCall, later: PromptedCall) -> None:
        self.earlier = earlier
        self.later = later
        self.before = (*earlier.parts, *earlier.answer)
        self.answer_at = len(earlier.parts)
        self.now = later.parts
        pairs = zip(self.before, self.now, strict=False)
        self.at = sum(1 for _ in takewhile(lambda pair: pair[0].digest == pair[1].digest, pairs))

    @property
    def extends(self) -> bool:
        """The later prompt goes on where the earlier one ended, or ends in it: nothing was changed."""
        return self.at in (len(self.before), len(self.now))

    @property
    def old(self) -> Part:
        """The part that stood where the prompts differ."""
        return self.before[self.at]

    @property
    def new(self) -> Part:
        """The part that stands there now."""
        return self.now[self.at]

    @cached_property
    def same_history(self) -> bool:
        """Both tell the same conversation: they share a message, or a later one of the earlier prompt is still there."""
        shared = self.now[: self.at]
        kept = [self.now[i] for i in self.kin]
        return any(part.role not in _LEADING for part in (*shared, *kept))

    @cached_property
    def kin(self) -> tuple[int, ...]:
        """Which parts of `now`, from the difference on, have kin in `before`, from there on."""
        if self.extends:
            return ()
        rest = self.before[self.at :]
        exact = Counter(part.digest for part in rest)
        alike = {mark for part in rest for mark in marks(part)}
        found: list[int] = []
        for place in range(self.at, len(self.now)):
            part = self.now[place]
            if exact[part.digest]:
                exact[part.digest] -= 1
                found.append(place)
            elif part.digest not in exact and any(mark in alike for mark in marks(part)):
                found.append(place)
        return tuple(found)

    @property
    def rewritten(self) -> bool:
        """The difference is in the answer that was given."""
        return self.at >= self.answer_at and not self.extends and self.new.role == "assistant"

    @property
    def shorter(self) -> bool:
        """Of the history that the earlier prompt has from there on, the later one has less than half the characters."""
        return 2 * _sizes(self.now[self.at :]) < _sizes(self.before[self.at :])

    @property
    def score(self) -> int:
        """Characters that the later prompt has from the earlier one, wherever they stand."""
        return _sizes(self.now[: self.at]) + sum(self.now[i].size for i in self.kin)

    def lost(self, covered: Reach, *, all_of_it: bool = False) -> int:
        """Characters that were paid for and are computed again: those with kin beyond what is `covered`.

        Args:
            all_of_it: everything beyond counts, since it stands for what was there.
        """
        places = set(range(self.at, len(self.now)) if all_of_it else self.kin)
        if self.rewritten:
            places.add(self.at)
        lost = sum(self.now[i].size for i in places if i >= covered.parts)
        if covered.parts in places:
            lost -= covered.size - _sizes(self.now[: covered.parts])
        return max(lost, 0)


def marks(part: Part) -> Iterator[tuple[str, str, str]]:
    """What a part is recognised by although it was changed."""
    yield part.role, "canonical", part.canonical
    yield part.role, "masked", part.masked
    if part.bare:
        yield part.role, "bare", part.bare


def leading(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Tools and system prompt: what every conversation of an agent begins with."""
    return tuple(takewhile(lambda part: part.role in _LEADING, parts))


def first_piece(old: Part, new: Part) -> int | None:
    """The first run of characters in which two parts differ; None where no runs are known."""
    if not old.pieces or not new.pieces:
        return None
    same = takewhile(lambda pair: pair[0] == pair[1], zip(old.pieces, new.pieces, strict=False))
    return sum(1 for _ in same)


def offset(old: Part, new: Part) -> int | None:
    """The character from which on two parts differ, to within a piece."""
    piece = first_piece(old, new)
    return None if piece is None else min(piece * PIECE, old.size, new.size)


def _sizes(parts: tuple[Part, ...]) -> int:
    return sum(part.size for part in parts)
