"""Tool runs that were reported outside of any task, and the task that each is part of.

A `@tool` without a `with task(...)` around it, and an `execute_tool` span without an `invoke_agent`, is the root of a trace
of its own: a *stray*. Its time is in the record twice then, as that trace and as the gap between two calls that the proxy saw. The calls
tell whose it is. A stray is of the one task that has two calls, one after the other in their line, between which it ran, if
the first asked for a tool of its name; where what was asked for is not reported, the time must do. After a line's last call
it is that line's only if the call asked for such a tool and no other task has it between two. One that several tasks could
have, or none, stays what it is.

Pure, and of the spans of one recording: what other processes did at that time is nothing to it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from math import inf
from typing import NamedTuple

from tithe.core import attributes as at
from tithe.core.span import Span, SpanKind
from tithe.trace.duplicates import ancestors, text_of

TOLERANCE_S = 0.002  # between the stamps of two processes that mean one instant; links.py has the same

# What may stand in a stray: a sub-agent in one has calls, and is a task for what it was.
_OF_A_TOOL: frozenset[SpanKind] = frozenset(("tool", "validation", "user", "other"))

Strays = dict[str, list[Span]]


class _Call(NamedTuple):
    """A call as its attempts tell it. `asked`: id and name of the tools that its answer asks for; None: not reported."""

    start: float
    end: float | None
    asked: tuple[tuple[str, str], ...] | None


class _Gap(NamedTuple):
    """The time after a call until its line's next one, or for ever."""

    trace: str
    begin: float
    end: float
    asked: tuple[tuple[str, str], ...] | None

    def has(self, stray: Span) -> bool:
        """Whether the stray ran in it, and was asked for as far as that is known."""
        last = stray.end if stray.end is not None else stray.start
        if stray.start < self.begin - TOLERANCE_S or last > self.end + TOLERANCE_S:
            return False
        return self.asked is None or text_of(stray, at.TOOL_NAME) in {name for _, name in self.asked}


def strays_of(spans: Mapping[str, Span]) -> Strays:
    """The strays with all that stands in them, by the id of each's root, as far as some task could have them."""
    families: Strays = defaultdict(list)
    for span in spans.values():
        if span.attributes.get(at.SOURCE) in ("proxy", "server"):
            continue
        top = span
        for top in ancestors(span, spans):  # noqa: B007 - the last is meant
            pass
        if top.kind == "tool" and top.parent not in spans:
            families[top.id].append(span)
    tools = {root: family for root, family in families.items() if _is_tools(family)}
    homes = _homes(spans.values(), tools)
    return {root: family for root, family in tools.items() if homes[root]}


def adopt(strays: Strays, spans: dict[str, Span]) -> tuple[dict[str, str], int]:
    """The task of each stray that has one, by the id of each span that goes there; and how many strays could be of several.

    A stray whose trace holds anything but strays is at home there already.
    """
    inside = {span.id for family in strays.values() for span in family}
    homely = {span.trace for span in spans.values() if span.id not in inside}
    homes = _homes(spans.values(), strays)
    found: dict[str, str] = {}
    several = 0
    for root, family in strays.items():
        if spans[root].trace in homely:
            continue
        tasks = homes[root]
        several += len(tasks) > 1
        if len(tasks) == 1:
            found.update((span.id, min(tasks)) for span in family)
    return found, several


def _is_tools(family: Iterable[Span]) -> bool:
    return all(span.kind in _OF_A_TOOL for span in family)


def _homes(spans: Iterable[Span], strays: Strays) -> dict[str, set[str]]:
    """The tasks that could have each stray, by its root's id. One sweep through time."""
    inside = {span.id for family in strays.values() for span in family}
    by_id = {span.id: span for span in spans}
    between: list[_Gap] = []
    last: dict[str | None, list[_Gap]] = defaultdict(
        list
    )  # those after a line's last call, by what it asked for
    for gap in _gaps({id_: span for id_, span in by_id.items() if id_ not in inside}):
        if gap.end < inf:
            between.append(gap)
        for name in {name for _, name in gap.asked or ()} if gap.end == inf else ():
            last[name].append(gap)
    between.sort(key=lambda gap: gap.begin)
    open_now: list[_Gap] = []
    taken = 0
    found: dict[str, set[str]] = {}
    for stray in sorted((by_id[root] for root in strays), key=lambda span: span.start):
        while taken < len(between) and between[taken].begin <= stray.start + TOLERANCE_S:
            open_now.append(between[taken])
            taken += 1
        open_now = [gap for gap in open_now if gap.end + TOLERANCE_S >= stray.start]
        fits = [gap for gap in open_now if gap.has(stray)] or [
            gap for gap in last[text_of(stray, at.TOOL_NAME)] if gap.has(stray)
        ]
        wanted = text_of(stray, at.TOOL_CALL_ID)
        by_call = [gap for gap in fits if wanted and wanted in {id_ for id_, _ in gap.asked or ()}]
        found[stray.id] = {gap.trace for gap in by_call or fits}
    return found


def _gaps(spans: Mapping[str, Span]) -> Iterator[_Gap]:
    for (trace, _), calls in _lines(spans).items():
        calls.sort(key=lambda call: (call.start, call.end or inf, call.asked or ()))
        for before, after in pairwise(calls):
            if before.end is not None and before.end < after.start:
                yield _Gap(trace, before.end, after.start, before.asked)
        if calls[-1].end is not None:
            yield _Gap(trace, calls[-1].end, inf, calls[-1].asked)


def _lines(spans: Mapping[str, Span]) -> dict[tuple[str, str | None], list[_Call]]:
    """The calls of each task's own line and of each branch."""
    groups: dict[str, list[Span]] = defaultdict(list)
    for span in spans.values():
        if at.DUPLICATE_OF in span.attributes:
            continue
        if span.kind == "call":
            groups[span.id].append(span)
        elif span.kind == "attempt":
            above = spans.get(span.parent or "")
            own = span.parent if span.parent and (above is None or above.kind == "call") else span.id
            groups[own].append(span)
    lines: dict[tuple[str, str | None], list[_Call]] = defaultdict(list)
    for group in groups.values():
        group.sort(key=lambda span: (span.start, span.id))
        lines[group[0].trace, _branch_of(group, spans)].append(_call(group))
    return lines


def _branch_of(group: list[Span], spans: Mapping[str, Span]) -> str | None:
    for span in group:
        for each in (span, *ancestors(span, spans)):
            if each.kind == "branch":
                return each.id
    return next((one for span in group if (one := text_of(span, at.BRANCH)) is not None), None)


def _call(group: list[Span]) -> _Call:
    attempts = [span for span in group if span.kind == "attempt"] or group
    last = max(attempts, key=lambda span: (span.error is None, span.start, span.id))
    asked = last.attributes.get(at.ASKED_TOOLS)
    token, end = last.attributes.get(at.LAST_TOKEN), last.end
    return _Call(
        start=min(span.start for span in group),
        # Who reads a stream has its last token before it has its end.
        end=end if end is None or token is None else min(end, last.start + token),
        asked=None if asked is None else tuple((str(id_), str(name)) for id_, name in asked),
    )
