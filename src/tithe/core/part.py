"""A prompt, part by part, as fingerprints: enough to tell why a prefix was lost, and none of the text.

A prompt is its parts in the order in which a model reads them: tool definitions, system, messages. Two prompts share
a prefix as far as the digests of their parts agree. Where they part, the other fingerprints say what kind of change it
was: `canonical` agrees where only the order of JSON keys or white space changed, `masked` where only times, ids or
numbers did, `bare` where only reasoning is gone; and `pieces` say in which run of `PIECE` characters it begins.

An agent sends all that it sent before with every step, so what costs (masking above all) is remembered for texts
lately seen, by their digest: a step costs its new parts.

Digests are BLAKE2b, 64 bits, in hex (pieces: 32 bits). They identify; they do not protect: who guesses a text can
check the guess.
"""

import hashlib
import re
import threading
from typing import Any, Literal, NamedTuple

import msgspec

PIECE = 256  # characters

PartRole = Literal["tool_definition", "system", "developer", "user", "assistant", "tool"]

# What changes from run to run though the text means the same. Order matters: the first that matches names it. An id
# with a prefix (`call_8f3aB...`) has digits, or letters of both cases in no word's order; `my_configuration` is none.
# The look-aheads change nothing but the time it takes: most characters begin none of it.
_VOLATILE = re.compile(
    r"(?=[0-9A-Za-z])(?:"
    r"(?P<uuid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
    r"|(?P<timestamp>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?"
    r"|(?=[MTWFSJAOND\d])(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?(?:\d{1,2} )?"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d{1,2}(?:st|nd|rd|th)?,? \d{4})"
    r"|(?P<id>\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"
    r"|\b[A-Za-z]+_(?=[A-Za-z]*\d|[a-z]+[A-Z]|[A-Z]+[a-z]+[A-Z])[A-Za-z0-9]{12,}\b)"
    r"|(?P<number>\d+(?:\.\d+)?))"
)


class Part(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One part of a prompt. `place` is where the payload has it: `tools[3]`, `system`, `messages[7]`.

    Every digest is of the role and the text. `bare` is empty where nothing but reasoning is in it. `size` is its length
    in characters; `volatile` lists (kind, offset, length) of the times, ids and uuids in it
    (numbers are masked and not listed). `calls` are the ids of the tool calls that it asks for or answers.
    """

    place: str
    role: PartRole
    name: str | None
    digest: str
    canonical: str
    masked: str
    bare: str
    size: int
    pieces: tuple[str, ...] = ()
    volatile: tuple[tuple[str, int, int], ...] = ()
    calls: tuple[str, ...] = ()


def fingerprint(
    text: str,
    *,
    place: str,
    role: PartRole,
    name: str | None = None,
    canonical: Any = None,
    bare: str | None = None,
    calls: tuple[str, ...] = (),
) -> Part:
    """The part that `text` is.

    Args:
        text: what the model reads of it, or the nearest thing to that which the payload has.
        canonical: the decoded JSON that the text stands for, if it does, or a function that gives it and is asked
            only for a text that was not seen lately; its keys' order is then ignored.
        bare: the text without its reasoning, if it has any; empty where it has nothing else.
    """
    exact = digest(f"{role}\n{text}")
    key = (exact, canonical is not None)
    marks = _remembered.get(key)
    if marks is None:
        marks = _marks(text, role, canonical)
        _remembered.keep(key, marks)
    return Part(
        place=place,
        role=role,
        name=name,
        digest=exact,
        canonical=marks.canonical,
        masked=marks.masked,
        bare=exact if bare is None else digest(f"{role}\n{bare}") if bare else "",
        size=len(text),
        pieces=marks.pieces,
        volatile=marks.volatile,
        calls=calls,
    )


def digest(text: str, size: int = 8) -> str:
    """`size` bytes of BLAKE2b, in hex."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


class _Marks(NamedTuple):
    """The fingerprints of a text that cost more than its digest."""

    canonical: str
    masked: str
    pieces: tuple[str, ...]
    volatile: tuple[tuple[str, int, int], ...]


class _Remembered:
    """The marks of the texts lately seen, as many as have `most` pieces and volatile places between them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._marks: dict[tuple[str, bool], _Marks] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[str, bool]) -> _Marks | None:
        with self._lock:
            found = self._marks.pop(key, None)
            if found is not None:
                self._marks[key] = found  # the latest stands last
            return found

    def keep(self, key: tuple[str, bool], marks: _Marks) -> None:
        with self._lock:
            if key not in self._marks:
                self._marks[key] = marks
                self._size += _size(marks)
            while self._size > self._most:
                self._size -= _size(self._marks.pop(next(iter(self._marks))))


_remembered = _Remembered(most=200_000)  # some 20 MB at most


def _size(marks: _Marks) -> int:
    return 4 + len(marks.pieces) + len(marks.volatile)


def _marks(text: str, role: PartRole, canonical: Any) -> _Marks:
    volatile: list[tuple[str, int, int]] = []

    def mask(found: re.Match[str]) -> str:
        kind = found.lastgroup or "number"
        if kind != "number":
            volatile.append((kind, found.start(), found.end() - found.start()))
        return "\0"

    masked = _VOLATILE.sub(mask, text)
    if canonical is None:
        ordered = " ".join(text.split())
    else:
        meant: object = canonical() if callable(canonical) else canonical
        ordered = msgspec.json.encode(meant, order="deterministic").decode()
    return _Marks(
        canonical=digest(f"{role}\n{ordered}"),
        masked=digest(f"{role}\n{masked}"),
        pieces=tuple(digest(text[at : at + PIECE], 4) for at in range(0, len(text), PIECE)),
        volatile=tuple(volatile),
    )
