"""Why two prompts part: from the fingerprints of the part where they do, a cause, what happened, and what to do.

A list of questions, asked in order, of which the first that has an answer gives the cause. Each looks at the part that
stands at the first difference (`new`) and at what stood there before (`old`).
"""

from collections import Counter
from collections.abc import Callable

import msgspec

from tithe.core.part import PIECE, Part
from tithe.ledger.breaks import Cause
from tithe.ledger.parting import Parting, first_piece, leading, offset

_CHANGING: dict[str, Cause] = {"timestamp": "timestamp", "uuid": "id", "id": "id"}
_MOVE_IT = "Leave it out, or move it behind what stays the same: to the end of the last message."
_WORDS: dict[Cause, str] = {"timestamp": "a time", "id": "an id", "number": "a number"}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A cause with its words. `whole`: everything from there on was paid for under another form, and counts as lost."""

    cause: Cause
    offset: int | None
    sentence: str
    fix: str
    whole: bool = False


def why(parting: Parting, relation: str | None) -> Found:
    """Why the later prompt leaves the earlier one. `relation` is what the proxy said of the later request."""
    for question in _QUESTIONS:
        found = question(parting, relation)
        if found is not None:
            return found
    return Found(
        cause="unknown",
        offset=offset(parting.old, parting.new),
        sentence=f"{spoken(parting.new)} is not what it was, and its fingerprint does not tell how.",
        fix="Record with --content and compare the two requests.",
    )


def spoken(part: Part) -> str:
    """A part as a sentence begins with it."""
    if part.role == "tool_definition":
        return f"The definition of the tool {part.name or part.place}"
    if part.role in ("system", "developer"):
        return f"The {part.role} prompt"
    return f"{part.place}, {_article(part.role)} message,"


def _article(role: str) -> str:
    return f"an {role}" if role == "assistant" else f"a {role}"


def _tools(parting: Parting, _relation: str | None) -> Found | None:
    """The tools stand in another order, or are others."""
    old, new = parting.old, parting.new
    if "tool_definition" not in (old.role, new.role):
        return None
    before, now = _definitions(parting.before), _definitions(parting.now)
    if Counter(part.digest for part in before) == Counter(part.digest for part in now):
        return Found(
            cause="tools reordered",
            offset=None,
            sentence=f"The same {len(now)} tools are sent in another order, from {new.place} on.",
            fix="Send the tools in one fixed order, by name for instance.",
        )
    names = {part.name for part in before}
    if new.role == "tool_definition" and new.name in names and old.name == new.name:
        return None  # the same tool, described otherwise: the questions below say how
    added = sorted(str(name) for name in {part.name for part in now} - names)
    gone = sorted(str(name) for name in names - {part.name for part in now})
    told = [f"{', '.join(added)} added"] * bool(added) + [f"{', '.join(gone)} left out"] * bool(gone)
    return Found(
        cause="tools changed",
        offset=None,
        sentence=f"Other tools are sent than before: {'; '.join(told) or 'some are defined otherwise'}.",
        fix="Send all tools always, and say in a message, or by tool_choice, which may be used now.",
    )


def _changing(parting: Parting, _relation: str | None) -> Found | None:
    """Only times, ids or numbers differ."""
    old, new = parting.old, parting.new
    if old.masked != new.masked or old.role != new.role:
        return None
    kind, place = _volatile(old, new)
    at = f" from character {place} on" if place is not None else ""
    return Found(
        cause=kind,
        offset=place,
        sentence=f"{spoken(new)} differs{at}, where {_WORDS[kind]} stands; all else in it is the same.",
        fix=_MOVE_IT,
    )


def _volatile(old: Part, new: Part) -> tuple[Cause, int | None]:
    """What it is that changed, and the character at which it stands."""
    piece = first_piece(old, new)
    if piece is None:
        kinds: set[Cause] = {_CHANGING[one] for one, _, _ in new.volatile}
        return (next(iter(kinds)), None) if len(kinds) == 1 else ("number", None)
    begin, end = piece * PIECE, (piece + 1) * PIECE
    for kind, place, length in new.volatile:
        if place + length > begin and place < end:
            return _CHANGING[kind], place
    return "number", min(begin, new.size)


def _reasoning(parting: Parting, _relation: str | None) -> Found | None:
    """An answer stands in the history without its reasoning."""
    old, new = parting.old, parting.new
    thought = old.bare != old.digest or new.bare != new.digest
    if new.role != "assistant" or not thought:
        return None
    same = old.bare == new.bare or (old.bare == "" and _follows(parting))
    if not same:
        return None
    return Found(
        cause="reasoning stripped",
        offset=offset(old, new),
        sentence=f"{spoken(new)} stands in the history without the reasoning it was given with.",
        fix="Send the reasoning back as it came, or use a template that leaves it out of the cache as well.",
    )


def _follows(parting: Parting) -> bool:
    """Whether what stands here now is what stood one further on."""
    rest = parting.before[parting.at + 1 :]
    return bool(rest) and rest[0].digest == parting.new.digest


def _answer(parting: Parting, _relation: str | None) -> Found | None:
    """An answer stands in the history otherwise than it was given."""
    if not parting.rewritten:
        return None
    only = parting.old.canonical == parting.new.canonical
    how = "written anew: the same JSON, other white space or order" if only else "otherwise than it was given"
    return Found(
        cause="answer rewritten",
        offset=offset(parting.old, parting.new),
        sentence=f"{spoken(parting.new)} stands in the history {how}.",
        fix="Keep the text of answers and of their tool calls' arguments as it came; parse a copy.",
    )


def _form(parting: Parting, _relation: str | None) -> Found | None:
    """The same data in another form."""
    old, new = parting.old, parting.new
    if old.canonical != new.canonical or old.role != new.role:
        return None
    data = new.role in ("tool_definition", "tool")
    return Found(
        cause="JSON keys reordered" if data else "white space",
        offset=offset(old, new),
        sentence=f"{spoken(new)} says the same in another {'order of keys or white space' if data else 'white space'}.",
        fix="Write JSON with sorted keys and fixed separators, once, and keep the text."
        if data
        else "Build the prompt once, and send the same text again.",
    )


def _compacted(parting: Parting, relation: str | None) -> Found | None:
    """The history was replaced by something shorter."""
    if parting.new.role in ("tool_definition", "system", "developer"):
        return None
    if relation != "compacted" and not (parting.same_history and parting.shorter):
        return None
    return Found(
        cause="compaction",
        offset=offset(parting.old, parting.new),
        sentence=f"From {parting.new.place} on the history was replaced by something shorter.",
        fix="Compact seldom and in large steps, and keep what stands before the summary byte for byte.",
        whole=True,
    )


def _system(parting: Parting, _relation: str | None) -> Found | None:
    if parting.new.role not in ("system", "developer"):
        return None
    at = offset(parting.old, parting.new)
    where = f" from character {at} on" if at else ""
    return Found(
        cause="system changed",
        offset=at,
        sentence=f"{spoken(parting.new)} is another one{where}.",
        fix="Keep the system prompt the same throughout a task; put what changes into the last message.",
    )


def _edited(parting: Parting, _relation: str | None) -> Found | None:
    """A message in the midst of the history is gone, or another."""
    if not parting.kin and not parting.same_history:
        return None
    gone = any(part.digest == parting.new.digest for part in parting.before[parting.at + 1 :])
    what = (
        f"{spoken(parting.old)} was taken out of the history"
        if gone
        else f"{spoken(parting.new)} was changed in the history"
    )
    return Found(
        cause="history edited",
        offset=None if gone else offset(parting.old, parting.new),
        sentence=f"{what}.",
        fix="Only append to the history; trim it seldom, and from the end of what is kept.",
    )


_QUESTIONS: tuple[Callable[[Parting, str | None], Found | None], ...] = (
    _tools,
    _reasoning,
    _answer,
    _form,
    _changing,
    _compacted,
    _system,
    _edited,
)


def _definitions(parts: tuple[Part, ...]) -> list[Part]:
    return [part for part in leading(parts) if part.role == "tool_definition"]
