"""Which span of the agent's a thing that was seen from elsewhere belongs under. Pure; decided by the first that tells:

1. *traceparent*: the request carried the id of the span that it was made in. If that is no call, the call is looked for in
   it, by 2 and 6.
2. *response*: a call of the agent's and an attempt have the same response id, and overlap.
3. *parent*: it stands in a call of the agent's already.
4. *tools*: a tool run that the agent tells of has an id that the attempt asked for, or brought the result of.
5. *session*: the same conversation id.
6. *time*: it lies within a span of the agent's, on the one clock, give or take `TOLERANCE_S`; in a call only if the models,
   where both are known, are the same, and so are the response ids.

1 to 3 tell the span. 4 and 5 tell the task (of several, they narrow), if that was going on at the time; the span in it
is then found by 6. Where the innermost spans around it are several (steps that go on at once), the span is not
decided, and the task only if they are all of one. What is not decided is left as it is.
"""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from tithe.core.attributes import (
    ASKED_TOOLS,
    CONVERSATION,
    REQUEST_MODEL,
    RESPONSE_ID,
    TOOL_CALL_ID,
    TOOL_RESULTS,
    TRACE_PARENT,
)
from tithe.core.span import Span, SpanKind
from tithe.trace.duplicates import ancestors, text_of

TOLERANCE_S = 0.002  # between the stamps of two processes that mean one instant

# What a call may be found to stand under, or to be.
OWNERS: frozenset[SpanKind] = frozenset({"task", "branch", "step", "call", "tool"})

By = Literal["traceparent", "response", "parent", "tools", "session", "time", "conversation"]


class Link(NamedTuple):
    """Where something belongs. `trace` None: not decided; `owner` None: in the task, and where in it is not decided.

    `by` is the evidence that decided, and None where there is none. `ambiguous`: there was evidence for several. `sure` is
    what remains if `owner`, a call in it, turns out to be another's.
    """

    trace: str | None = None
    owner: Span | None = None
    by: By | None = None
    ambiguous: bool = False
    sure: Span | None = None


class Seen(NamedTuple):
    """Something to be placed, and the ids by which it may be known."""

    span: Span
    sessions: frozenset[str]
    tools: frozenset[str]


def attempt_seen(span: Span) -> Seen:
    """An attempt that a proxy saw: the tools are those that it asked for or brings results of."""
    asked = [pair[0] for pair in span.attributes.get(ASKED_TOOLS, ())]
    return seen(span, [span], [*asked, *span.attributes.get(TOOL_RESULTS, ())])


def seen(span: Span, telling: Iterable[Span], tools: Iterable[str] = ()) -> Seen:
    """`span`, with what is told by it and by others that go where it goes."""
    sessions, ids = set[str](), set(tools)
    for each in telling:
        sessions.add(text_of(each, CONVERSATION) or "")
        ids.add(text_of(each, TOOL_CALL_ID) or "")
    return Seen(span, frozenset(sessions - {""}), frozenset(ids - {""}))


class Field:
    """The agent's own spans, to find things' places among. `duplicates` are left out; what names one means the first."""

    def __init__(self, spans: Iterable[Span], duplicates: Mapping[str, str]) -> None:
        self._by_id = {span.id: span for span in spans}
        self._duplicates = duplicates
        self._extents: dict[str, tuple[float, float]] = {}
        self._calls: dict[str, list[Span]] = {}
        self._sessions: dict[str, set[str]] = {}
        self._tools: dict[str, set[str]] = {}
        for span in self._by_id.values():
            start, end = self._extents.get(span.trace, (span.start, span.start))
            self._extents[span.trace] = (min(start, span.start), max(end, _end(span)))
            if session := text_of(span, CONVERSATION):
                self._sessions.setdefault(session, set()).add(span.trace)
            if span.kind == "tool" and (tool := text_of(span, TOOL_CALL_ID)):
                self._tools.setdefault(tool, set()).add(span.trace)
            if span.kind == "call" and span.id not in duplicates:
                if response := text_of(span, RESPONSE_ID):
                    self._calls.setdefault(response, []).append(span)

    def has(self, trace: str) -> bool:
        """Whether it is a task of the agent's."""
        return trace in self._extents

    def goes_on(self, trace: str, span: Span) -> bool:
        """Whether the task went on at the time of `span`."""
        return trace in self._extents and _within(span, *self._extents[trace])

    def named(self, span_id: str) -> Span | None:
        """The span of that id, or the nearest above it, that something can stand under."""
        span = self._by_id.get(self._duplicates.get(span_id, span_id))
        if span is None:
            return None
        for each in (span, *ancestors(span, self._by_id)):
            if each.kind in OWNERS and each.id not in self._duplicates:
                return each
        return None

    def trace_of(self, span_id: str) -> str | None:
        span = self._by_id.get(span_id)
        return span.trace if span is not None else None

    def call_of(self, attempt: Span) -> Span | None:
        """The one call with the attempt's response id that went on at its time."""
        calls = [
            call
            for call in self._calls.get(text_of(attempt, RESPONSE_ID) or "", ())
            if call.start <= _end(attempt) + TOLERANCE_S and attempt.start <= _end(call) + TOLERANCE_S
        ]
        return calls[0] if len(calls) == 1 else None

    def tasks_with(self, known: Seen) -> tuple[set[str], set[str]]:
        """The tasks, going on at the time, that share a tool call id with it, and those that share a session."""
        tools = {trace for tool in known.tools for trace in self._tools.get(tool, ())}
        sessions = {trace for session in known.sessions for trace in self._sessions.get(session, ())}
        return (
            {trace for trace in tools if self.goes_on(trace, known.span)},
            {trace for trace in sessions if self.goes_on(trace, known.span)},
        )

    def around(self, spans: Iterable[Span]) -> dict[str, list[Span]]:
        """Of each span, all of the agent's that it lies within. One sweep through time."""
        owners = sorted(
            (
                span
                for span in self._by_id.values()
                if span.kind in OWNERS and span.id not in self._duplicates
            ),
            key=lambda span: span.start,
        )
        starts = [span.start for span in owners]
        open_now: list[Span] = []
        found: dict[str, list[Span]] = {}
        taken = 0
        for span in sorted(spans, key=lambda span: span.start):
            upto = bisect.bisect_right(starts, span.start + TOLERANCE_S)
            open_now += owners[taken:upto]
            taken = max(taken, upto)
            open_now = [owner for owner in open_now if _end(owner) + TOLERANCE_S >= span.start]
            found[span.id] = [
                owner
                for owner in open_now
                if owner.id != span.id and _within(span, owner.start, _end(owner)) and _fits(span, owner)
            ]
        return found

    def is_in(self, span: Span, other: Span) -> bool:
        """Whether `span` stands, at whatever depth, under `other`."""
        return any(each.id == other.id for each in ancestors(span, self._by_id))

    def innermost(self, spans: Iterable[Span]) -> list[Span]:
        """Those that are above no other of them."""
        by_id = {span.id: span for span in spans}
        above = {each.id for span in by_id.values() for each in ancestors(span, self._by_id)}
        return [span for span in by_id.values() if span.id not in above]


def _call_in(owner: Span, span: Span, field: Field, around: Sequence[Span]) -> Link:
    """The call of the agent's that the span is of, in the one that it says it was made in; else that one."""
    if owner.kind == "call":
        return Link(owner.trace, owner, "traceparent")
    call = field.call_of(span)
    if call is not None and field.is_in(call, owner):
        return Link(owner.trace, call, "traceparent")
    inner = field.innermost(each for each in around if field.is_in(each, owner))
    if len(inner) == 1 and inner[0].kind == "call":
        return Link(owner.trace, inner[0], "time", sure=owner)
    return Link(owner.trace, owner, "traceparent")


def decide(known: Seen, field: Field, around: Sequence[Span]) -> Link:
    """Where something belongs, `around` being the agent's spans that it lies within."""
    span = known.span
    narrowed: set[str] | None = None
    by: By | None = None
    # Of an attempt alone: what came from elsewhere may have anything under that name.
    if span.kind == "attempt" and (carried := span.attributes.get(TRACE_PARENT)):
        trace, span_id = carried
        owner = field.named(span_id)
        if owner is not None:
            return _call_in(owner, span, field, around)
        told = field.trace_of(span_id) or (trace if field.has(trace) else None)
        if told is not None:
            narrowed, by = {told}, "traceparent"
    call = field.call_of(span)
    if call is not None and (narrowed is None or call.trace in narrowed):
        return Link(call.trace, call, "response")
    above = field.named(span.parent) if span.kind == "attempt" and span.parent is not None else None
    if above is not None and above.kind == "call":
        return Link(above.trace, above, "parent")
    if narrowed is None and field.has(span.trace):
        narrowed = {span.trace}
    tools, sessions = field.tasks_with(known)
    told_by: tuple[tuple[set[str], By], ...] = ((tools, "tools"), (sessions, "session"))
    for tasks, how in told_by:
        both = tasks if narrowed is None else tasks & narrowed
        if both:
            by = by or how
            narrowed = both
    inner = field.innermost(each for each in around if narrowed is None or each.trace in narrowed)
    tasks = {each.trace for each in inner} or narrowed or set[str]()
    if len(tasks) != 1:
        return Link(ambiguous=bool(tasks))
    return Link(min(tasks), inner[0] if len(inner) == 1 else None, by or "time", len(inner) > 1)


def _end(span: Span) -> float:
    return span.end if span.end is not None else float("inf")


def _within(span: Span, start: float, end: float) -> bool:
    # Of a span whose end is not known, its start must do.
    last = span.end if span.end is not None else span.start
    return start - TOLERANCE_S <= span.start and last <= end + TOLERANCE_S


def _fits(span: Span, owner: Span) -> bool:
    """Whether what both tell agrees, if `owner` is a call, and so would be the same call."""
    if owner.kind != "call":
        return True
    for name in (REQUEST_MODEL, RESPONSE_ID):
        told = {text_of(span, name), text_of(owner, name)} - {None}
        if len(told) > 1:
            return False
    return True
