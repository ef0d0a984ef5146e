"""What an importer gives: tasks as spans of the record, and what could not be told or read."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tithe.core import attributes as at
from tithe.core.part import Part, digest
from tithe.core.span import Span, SpanKind

NS = 1_000_000_000


class ImportedTask(msgspec.Struct, frozen=True, kw_only=True):
    """One task of a file. Its spans' stamps are seconds from the first instant that the file tells of it.

    `began` is the date of that instant, in seconds since the epoch; None where the format has no dates. `prompts` are
    fingerprints, by span, where the file has what was sent.
    """

    id: str
    name: str | None
    session: str | None
    began: float | None
    spans: tuple[Span, ...]
    prompts: dict[str, tuple[Part, ...]] = {}


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of a file. `notes`: what its format does not tell ("not reported: ..."), and what was left out, counted."""

    tasks: tuple[ImportedTask, ...]
    notes: tuple[str, ...] = ()


class Draft(msgspec.Struct, kw_only=True):
    """A span that is being put together, with stamps in nanoseconds since whatever the format counts from."""

    id: str
    kind: SpanKind
    name: str
    start: int
    end: int | None = None
    parent: str | None = None
    error: str | None = None
    attributes: dict[str, Any] = {}
    prompt: tuple[Part, ...] = ()


def task_of(
    own: str,
    drafts: Sequence[Draft],
    *,
    source: str,
    name: str | None,
    session: str | None,
    dated: bool = True,
) -> ImportedTask:
    """The task that `drafts` are, of which there is at least one. `dated`: they count from the epoch."""
    first = min(draft.start for draft in drafts)
    kept = {at.SOURCE: source} if session is None else {at.SOURCE: source, at.CONVERSATION: session}
    return ImportedTask(
        id=own,
        name=name,
        session=session,
        began=first / NS if dated else None,
        spans=tuple(
            Span(
                id=draft.id,
                trace=own,
                kind=draft.kind,
                name=draft.name,
                # Subtracted as integers: a float of seconds since 1970 is good to a quarter of a microsecond only.
                start=(draft.start - first) / NS,
                end=None if draft.end is None else (draft.end - first) / NS,
                parent=draft.parent,
                error=draft.error,
                attributes=draft.attributes | kept,
            )
            for draft in drafts
        ),
        prompts={draft.id: draft.prompt for draft in drafts if draft.prompt},
    )


def span_id(*own: str) -> str:
    """The id of a span, from what its format calls it: the same each time, so that a second import doubles nothing."""
    return digest("\0".join(own))


def task_id(*own: str) -> str:
    """The id of a task, likewise."""
    return digest("\0".join(own), 16)


def runs(ids: Iterable[int]) -> list[list[int]]:
    """Ids as [first, count] of each run of consecutive ones. Prompts' blocks are mostly such."""
    found: list[list[int]] = []
    for one in ids:
        if found and one == found[-1][0] + found[-1][1]:
            found[-1][1] += 1
        else:
            found.append([one, 1])
    return found
