"""A prompt, part by part, as fingerprints: enough to tell why a prefix was lost, and none of the text.

A prompt is its parts in the order in which a model reads them: tool definitions, system, messages. Two prompts share
a prefix as far as the digests of their parts agree. Where they part, the other fingerprints say what kind of change it
was: `canonical` agrees where only the order of JSON keys or white space changed, `masked` where only times, ids or
numbers did, `bare` where only reasoning is gone; and `pieces` say in which run of `PIECE` characters it begins.

Digests are BLAKE2b, 64 bits, in hex (pieces: 32 bits). They identify; they do not protect: who guesses a text can
check the guess.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

PIECE = 256  # characters

PartRole = Literal["tool_definition", "system", "developer", "user", "assistant", "tool"]

# What changes from run to run though the text means the same. Order matters: the first that matches names it.
_VOLATILE = re.compile(
    r"(?P<uuid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
    r"|(?P<timestamp>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?"
    r"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?(?:\d{1,2} )?"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d{1,2}(?:st|nd|rd|th)?,? \d{4})"
    r"|(?P<id>\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b|\b[A-Za-z]+_[A-Za-z0-9]{12,}\b)"
    r"|(?P<number>\d+(?:\.\d+)?)"
)


class Part(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One part of a prompt. `place` is where the payload has it: `tools[3]`, `system`, `messages[7]`.

    `size` is its length in characters; `volatile` lists (kind, offset, length) of the times, ids and uuids in it
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
        canonical: the decoded JSON that the text stands for, if it does; its keys' order is then ignored.
        bare: the text without its reasoning, if it has any.
    """
    volatile: list[tuple[str, int, int]] = []

    def mask(found: re.Match[str]) -> str:
        kind = found.lastgroup or "number"
        if kind != "number":
            volatile.append((kind, found.start(), found.end() - found.start()))
        return "\0"

    masked = _VOLATILE.sub(mask, text)
    ordered = (
        msgspec.json.encode(canonical, order="deterministic").decode() if canonical is not None else None
    )
    exact = digest(text)
    return Part(
        place=place,
        role=role,
        name=name,
        digest=exact,
        canonical=digest(ordered) if ordered is not None else digest(" ".join(text.split())),
        masked=digest(masked),
        bare=digest(bare) if bare is not None else exact,
        size=len(text),
        pieces=tuple(_pieces(text)),
        volatile=tuple(volatile),
        calls=calls,
    )


def digest(text: str, size: int = 8) -> str:
    """`size` bytes of BLAKE2b, in hex."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def _pieces(text: str) -> Iterator[str]:
    return (digest(text[at : at + PIECE], 4) for at in range(0, len(text), PIECE))
