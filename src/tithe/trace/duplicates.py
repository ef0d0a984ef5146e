"""The same thing told twice: two instrumentations of one client, or the agent's own span beside one of theirs.

The rule: of the spans that tell of one thing, the one that began first is it (of those, the longest, then the smallest
id). It is the outermost, so it covers what the others cover, and their children lie within it. Every other is
marked with `tithe.duplicate_of`, and readers leave it out. Spans tell of one thing when they overlap and

- are calls with the same response id,
- are tool runs with the same tool call id, or
- one is a call inside the other, a call too, and the only one in it; unless both tell response ids, and different ones.

What the others tell and it does not (one instrumentation knows of cached tokens, another of the response's id) it takes
over from them; instants are moved to its own start.

Spans that do not overlap are two things, whatever their ids: a cache answers twice with one response.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from tithe.core.attributes import (
    ASKED_TOOLS,
    CACHE_READ_TOKENS,
    CACHE_WRITE_TOKENS,
    DUPLICATE_OF,
    FINISH_REASONS,
    FIRST_TOKEN,
    FIRST_VISIBLE,
    INPUT_TOKENS,
    LAST_TOKEN,
    OUTPUT_TOKENS,
    REASONING_TOKENS,
    REQUEST_MODEL,
    RESPONSE_ID,
    RESPONSE_MODEL,
    TOOL_CALL_ID,
    TTFT_FROM,
)
from tithe.core.span import Span

_FACTS = (
    *(REQUEST_MODEL, RESPONSE_MODEL, RESPONSE_ID, FINISH_REASONS, ASKED_TOOLS, TOOL_CALL_ID),
    *(INPUT_TOKENS, OUTPUT_TOKENS, CACHE_READ_TOKENS, CACHE_WRITE_TOKENS, REASONING_TOKENS),
)
_INSTANTS = (FIRST_TOKEN, FIRST_VISIBLE, LAST_TOKEN)


def united(spans: Iterable[Span]) -> dict[str, Span]:
    """The spans by their ids, duplicates marked, and what they tell taken over."""
    by_id = {span.id: span for span in spans}
    while True:
        found = duplicates(by_id.values())
        before = dict(by_id)
        for span_id in sorted(found, key=lambda each: _rank(by_id[each])):
            first = by_id[found[span_id]]
            by_id[first.id] = _taking_over(first, by_id[span_id])
            by_id[span_id] = msgspec.structs.replace(
                by_id[span_id], attributes={**by_id[span_id].attributes, DUPLICATE_OF: first.id}
            )
        # A response's id that was taken over may show a further duplicate. Attributes are only added, so this ends.
        if by_id == before:
            return by_id


def counted_once(spans: Iterable[Span]) -> list[Span]:
    """The spans without those that are marked, and what stood under one under that which stands for it.

    A mark that leads to no span here is not believed: nothing is left out that is not told elsewhere.
    """
    by_id = {span.id: span for span in spans}
    stands: dict[str, str] = {}
    for span in by_id.values():
        first, walked = span, {span.id}
        while (of := text_of(first, DUPLICATE_OF)) in by_id and of not in walked:
            walked.add(of)
            first = by_id[of]
        if first is not span and text_of(first, DUPLICATE_OF) is None:
            stands[span.id] = first.id
    return [
        msgspec.structs.replace(span, parent=stands[span.parent]) if span.parent in stands else span
        for span in by_id.values()
        if span.id not in stands
    ]


def _taking_over(first: Span, other: Span) -> Span:
    had, told = first.attributes, other.attributes
    taken = {name: told[name] for name in _FACTS if name in told and name not in had}
    if not any(name in had for name in _INSTANTS):
        later = other.start - first.start
        taken |= {name: at + later for name in _INSTANTS if isinstance(at := told.get(name), int | float)}
        if TTFT_FROM in told:
            taken[TTFT_FROM] = told[TTFT_FROM]
    return msgspec.structs.replace(first, attributes={**had, **taken}) if taken else first


def duplicates(spans: Iterable[Span]) -> dict[str, str]:
    """The ids of the spans that were told before, each with the id of the span that stands for it."""
    by_id = {span.id: span for span in spans}
    ranked = sorted(by_id.values(), key=_rank)
    found: dict[str, str] = {}
    for kind, name in (("call", RESPONSE_ID), ("tool", TOOL_CALL_ID)):
        told: dict[str, list[Span]] = {}
        for span in ranked:
            key = text_of(span, name)
            if span.kind == kind and key is not None:
                told.setdefault(key, []).append(span)
        for group in told.values():
            found.update(_overlapping(group))
    found.update((inner, outer) for inner, outer in _nested(ranked, by_id) if inner not in found)
    return {duplicate: _standing(first, found) for duplicate, first in found.items()}


def _rank(span: Span) -> tuple[float, float, str]:
    return span.start, -(span.end if span.end is not None else float("inf")), span.id


def _overlapping(ranked: Sequence[Span]) -> Iterator[tuple[str, str]]:
    first = ranked[0]
    for span in ranked[1:]:
        if first.end is None or span.start < first.end:
            yield span.id, first.id
        else:
            first = span


def _nested(ranked: Iterable[Span], by_id: Mapping[str, Span]) -> Iterator[tuple[str, str]]:
    inside: dict[str, list[Span]] = {}
    for span in ranked:
        if span.kind == "call":
            for above in ancestors(span, by_id):
                if above.kind == "call":
                    inside.setdefault(above.id, []).append(span)
                    break
    for outer, inner in inside.items():
        if len(inner) == 1:
            both = {text_of(by_id[outer], RESPONSE_ID), text_of(inner[0], RESPONSE_ID)} - {None}
            # A span is marked by one that ranks before it, so that marks never go in a circle.
            if len(both) < 2 and _rank(by_id[outer]) < _rank(inner[0]):
                yield inner[0].id, outer


def _standing(span: str, found: Mapping[str, str]) -> str:
    while span in found:
        span = found[span]
    return span


def text_of(span: Span, name: str) -> str | None:
    """An attribute that is a text; None for anything else, which an exporter may have put there."""
    value = span.attributes.get(name)
    return value if isinstance(value, str) and value else None


def ancestors(span: Span, by_id: Mapping[str, Span]) -> Iterator[Span]:
    """The spans above `span`, nearest first. A circle of parents ends where it would begin again."""
    seen = {span.id}
    parent = span.parent
    while parent is not None and parent in by_id and parent not in seen:
        seen.add(parent)
        yield by_id[parent]
        parent = by_id[parent].parent
