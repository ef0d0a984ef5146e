"""One record of a run out of what several saw of it: the proxy its attempts, the agent its own spans, an exporter its.

Done on the spans of one recording, on one clock, when it is over or at any time before. Nothing is dropped or
made twice, no parents go in a circle, and merging what is merged changes nothing. Each thing keeps its own stamps.

1. Spans that came by OTLP go under the span of the agent's API that they lie within, and all that is below them goes
   along: they become part of its task. A task so placed is a sub-agent's, and becomes a branch.
2. What was told twice is marked (`duplicates.py`).
3. Each attempt goes under the agent's span that it was made in (`links.py` says how that is decided). If that is a call,
   the attempt is one of its attempts. If not, the call that the proxy only had an id for becomes a span, so that its
   retries stay together and it stands where it was made.
   An attempt that the agent told of itself is marked as told twice where the proxy saw it: the proxy stamped it on the socket.
4. The other attempts of a call, and the rest of a proxied conversation, follow those that were placed, if these agree and the
   task was going on. Branches that the proxy saw stay branches, and their `tithe.branch_of` follows the call.
5. Tool runs that were reported outside of any task go to the task between whose calls they ran (`adopting.py`). Nothing is put
   into them by its time: a call that was made meanwhile is of its own conversation.

An answered attempt is never put into a call that has another answered one by better evidence; where two have equal
claim, neither is. What is left undecided stays where it was, and is counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tithe.core.attributes import BRANCH, BRANCH_OF, DUPLICATE_OF, REQUEST_MODEL, SOURCE
from tithe.core.part import digest
from tithe.core.span import Span
from tithe.trace.adopting import adopt, strays_of
from tithe.trace.duplicates import ancestors, text_of, united
from tithe.trace.links import By, Field, Link, Seen, attempt_seen, decide, seen


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done to a recording's spans.

    `places`: trace and parent of each span that moves, by its id, as `Store.place` takes them. `spans`: those that are new
    (calls) or otherwise changed, whole and in their place, as `Store.add` takes them. `linked`: how many attempts
    were placed, by the evidence that decided. `ambiguous`: how many of attempts and exported roots had several places, and so were
    left where they were, or where they were in their task. `alone`: how many attempts nothing was found for. `adopted`: how
    many tool runs outside of any task were put into one.
    """

    places: dict[str, tuple[str, str | None]]
    spans: tuple[Span, ...]
    linked: dict[By, int]
    ambiguous: int
    alone: int
    adopted: int = 0


def merge(spans: Iterable[Span]) -> Merged:
    """Join what the sources of one recording saw. Pure; `merged(spans, merge(spans))` is the outcome."""
    before = {span.id: span for span in spans}
    after = dict(before)
    ambiguous = _place_exported(after)
    told = united(_agent(after.values()))
    after |= told
    first = {span.id: of for span in told.values() if (of := text_of(span, DUPLICATE_OF)) is not None}
    attempts = [span for span in after.values() if span.kind == "attempt" and _source(span) == "proxy"]
    strays = strays_of(after)
    aside = {span.id for family in strays.values() for span in family}
    told_inside = [span for span in told.values() if span.id not in aside and span.kind != "attempt"]
    links = _links(attempts, Field(told_inside, first))
    _place_attempts(attempts, links, after)
    _mark_told_twice(attempts, after)
    adopted, several = adopt(strays, after)
    for id_, task in adopted.items():
        after[id_] = msgspec.structs.replace(after[id_], trace=task)
    places: dict[str, tuple[str, str | None]] = {}
    changed: list[Span] = []
    for span in after.values():
        was = before.get(span.id)
        if was is None or (was.kind, was.start, was.end, was.attributes) != (
            span.kind,
            span.start,
            span.end,
            span.attributes,
        ):
            changed.append(span)
        if was is not None and (was.trace, was.parent) != (span.trace, span.parent):
            places[span.id] = (span.trace, span.parent)
    return Merged(
        places=places,
        spans=tuple(changed),
        linked=dict(Counter(link.by for link in links.values() if link.trace and link.by)),
        ambiguous=ambiguous + several + sum(link.ambiguous for link in links.values()),
        alone=sum(link.trace is None and not link.ambiguous for link in links.values()),
        adopted=sum(root in adopted for root in strays),
    )


def merged(spans: Iterable[Span], outcome: Merged) -> list[Span]:
    """The spans with the outcome of `merge` done to them."""
    by_id = {span.id: span for span in spans} | {span.id: span for span in outcome.spans}
    return [
        msgspec.structs.replace(span, trace=outcome.places[span.id][0], parent=outcome.places[span.id][1])
        if span.id in outcome.places
        else span
        for span in by_id.values()
    ]


def _source(span: Span) -> Any:
    return span.attributes.get(SOURCE)


def _agent(spans: Iterable[Span]) -> list[Span]:
    """What was told from inside the agent."""
    return [span for span in spans if _source(span) not in ("proxy", "server")]


def _marked(span: Span, told: Mapping[str, Any]) -> Span:
    return msgspec.structs.replace(span, attributes={**span.attributes, **told})


def _place_exported(after: dict[str, Span]) -> int:
    """Place what was exported under the API's spans; how many roots were undecided."""
    api = [span for span in after.values() if _source(span) == "api"]
    exported = {span.id: span for span in _agent(after.values()) if _source(span) != "api"}
    if not api or not exported:
        return 0
    field = Field(api, {})
    families: dict[str, list[Span]] = {}
    for span in exported.values():
        root = _root(span, exported)
        if root is not None and root.parent not in after:
            families.setdefault(root.id, []).append(span)
    around = field.around(exported[root] for root in families)
    links: dict[str, Link] = {
        root: decide(seen(exported[root], family), field, around[root]) for root, family in families.items()
    }
    _follow([Seen(exported[root], frozenset(), frozenset()) for root in families], links, field)
    moving = set(exported)
    for root, link in links.items():
        if link.trace is None:
            continue
        # Nothing goes under what says it stands under something that moves itself: that could become a circle.
        owner = link.owner if link.owner is not None and not moving & _above(link.owner, after) else None
        for span in families[root]:
            parent = owner.id if span.id == root and owner is not None else span.parent
            after[span.id] = msgspec.structs.replace(
                span, trace=link.trace, parent=parent, kind="branch" if span.kind == "task" else span.kind
            )
    return sum(link.ambiguous for link in links.values())


def _root(span: Span, by_id: Mapping[str, Span]) -> Span | None:
    """The span at the top of `span`'s line; None where its parents go in a circle."""
    top = span
    for top in ancestors(span, by_id):  # noqa: B007 - the last is meant
        pass
    return top if top.parent not in by_id else None


def _follow(items: Iterable[Seen], links: dict[str, Link], field: Field) -> None:
    """Let what is undecided follow the others of its trace, where these agree and their task was going on."""
    tasks: dict[str, set[str]] = {}
    waiting: list[Span] = []
    for item in items:
        link = links[item.span.id]
        if link.trace is not None:
            tasks.setdefault(item.span.trace, set()).add(link.trace)
        else:
            waiting.append(item.span)
    for span in waiting:
        agreed = tasks.get(span.trace, set())
        if len(agreed) == 1 and field.goes_on(task := min(agreed), span):
            links[span.id] = Link(task, None, "conversation", links[span.id].ambiguous)


def _links(attempts: Sequence[Span], field: Field) -> dict[str, Link]:
    """Where each attempt belongs."""
    around = field.around(attempts)
    items = [attempt_seen(attempt) for attempt in attempts]
    links = {item.span.id: decide(item, field, around[item.span.id]) for item in items}
    _settle_claims(attempts, links)
    by_call: dict[str, list[Span]] = {}
    for attempt in attempts:
        by_call.setdefault(attempt.parent or attempt.id, []).append(attempt)
    for group in by_call.values():
        calls = {
            link.owner.id: link
            for attempt in group
            if (link := links[attempt.id]).owner is not None and link.owner.kind == "call"
        }
        if len(calls) == 1:
            [one] = calls.values()
            for attempt in group:
                if attempt.error is not None and links[attempt.id].owner is None and one.trace is not None:
                    links[attempt.id] = Link(one.trace, one.owner, one.by)
    _follow(items, links, field)
    for item in items:
        link = links[item.span.id]
        if link.by == "conversation":
            # Its task is known now, which may tell its place in it.
            known = msgspec.structs.replace(item.span, trace=link.trace or item.span.trace)
            found = decide(item._replace(span=known), field, around[item.span.id])
            if found.trace == link.trace and found.owner is not None:
                links[item.span.id] = found._replace(by="conversation")
    _settle_claims(attempts, links)
    return links


def _settle_claims(attempts: Sequence[Span], links: dict[str, Link]) -> None:
    """Leave at most one answered attempt in a call: the one of better evidence, or none."""
    order: tuple[By, ...] = ("traceparent", "response", "parent", "tools", "session", "time", "conversation")
    claims: dict[str, list[tuple[int, Span]]] = {}
    for attempt in attempts:
        link = links[attempt.id]
        if attempt.error is None and link.owner is not None and link.owner.kind == "call" and link.by:
            claims.setdefault(link.owner.id, []).append((order.index(link.by), attempt))
    for group in claims.values():
        best = min(rank for rank, _ in group)
        # What carries the call's own id is of it, however many say so.
        several = best > 1 and sum(rank == best for rank, _ in group) > 1
        for rank, attempt in group:
            if rank > best or several:
                link = links[attempt.id]
                if link.by in ("traceparent", "response"):
                    continue
                sure = link.sure
                links[attempt.id] = (
                    Link(sure.trace, sure, "traceparent")
                    if sure is not None
                    else Link(link.trace, None, link.by, ambiguous=True)  # of that task it is in any case
                )


def _place_attempts(attempts: Sequence[Span], links: Mapping[str, Link], after: dict[str, Span]) -> None:
    """Put each attempt where its link says, and make spans of the calls that need one."""
    moving = {attempt.id for attempt in attempts} | {
        attempt.parent
        for attempt in attempts
        if attempt.parent is not None
        and (attempt.parent not in after or _source(after[attempt.parent]) == "proxy")
    }
    moved_calls: dict[str, set[str | None]] = {}
    made: dict[tuple[str, str], list[tuple[Span, Link]]] = {}
    for attempt in attempts:
        link = links[attempt.id]
        call = attempt.parent or attempt.id
        into = link.owner.id if link.owner is not None and link.owner.kind == "call" else None
        moved_calls.setdefault(call, set()).add(into)
        if link.trace is None:
            continue
        if link.owner is not None and moving & _above(link.owner, after):
            continue  # it stands, by whatever mistake, under something that moves itself: that could become a circle
        if into is None and link.owner is not None and _makes_call(attempt, link.owner, after):
            made.setdefault((call, link.trace), []).append((attempt, link))
        elif into is not None or not _is_agents_call(after.get(call)):
            after[attempt.id] = msgspec.structs.replace(
                attempt, trace=link.trace, parent=into or attempt.parent
            )
    used: set[str] = set()
    for (call, trace), group in made.items():
        _make_call(call, trace, group, first=call not in used, after=after)
        used.add(call)
    gone = {
        call: each
        for call, into in moved_calls.items()
        if len(into) == 1
        for each in into
        if each is not None
    }
    for span in list(after.values()):
        if _source(span) != "proxy":
            continue
        branch_of = span.attributes.get(BRANCH_OF)
        if branch_of in gone and gone[branch_of] != branch_of:
            after[span.id] = _marked(span, {BRANCH_OF: gone[branch_of]})
        if span.kind == "call" and span.id in gone and gone[span.id] != span.id:
            after[span.id] = _marked(span, {DUPLICATE_OF: gone[span.id]})


def _mark_told_twice(attempts: Sequence[Span], after: dict[str, Span]) -> None:
    """Mark the agent's own attempts of a call that the proxy saw too: each as that which it shares most time with."""
    proxied: dict[str, list[Span]] = {}
    for attempt in attempts:
        placed = after[attempt.id]
        if placed.parent is not None:
            proxied.setdefault(placed.parent, []).append(placed)
    for span in list(after.values()):
        if span.kind != "attempt" or _source(span) == "proxy" or span.parent not in proxied:
            continue
        shared = {other.id: _shared(span, other) for other in proxied[span.parent]}
        most = max(shared, key=lambda other: shared[other])
        if shared[most] > 0:
            after[span.id] = _marked(span, {DUPLICATE_OF: most})


def _shared(one: Span, other: Span) -> float:
    """Seconds in which both went on."""
    ends = [span.end for span in (one, other) if span.end is not None]
    return min(ends, default=float("inf")) - max(one.start, other.start)


def _makes_call(attempt: Span, owner: Span, after: Mapping[str, Span]) -> bool:
    """Whether the attempt's call is to be a span of its own under `owner`.

    Not where it is one of the agent's already; nor in a branch that only the proxy knows, in which it stays.
    """
    if _is_agents_call(after.get(attempt.parent or "")):
        return False
    told = (owner, *ancestors(owner, after))
    return BRANCH not in attempt.attributes or any(each.kind == "branch" for each in told)


def _is_agents_call(span: Span | None) -> bool:
    return span is not None and span.kind == "call" and _source(span) != "proxy"


def _above(span: Span, after: Mapping[str, Span]) -> set[str]:
    """The ids of `span` and of all that it says it stands under, seen or not."""
    line = (span, *ancestors(span, after))
    return {each.id for each in line} | {each.parent for each in line if each.parent is not None}


def _make_call(
    call: str, trace: str, group: Sequence[tuple[Span, Link]], *, first: bool, after: dict[str, Span]
) -> None:
    """A span for a call of the proxy's, under the owner of its earliest attempt."""
    attempts = sorted((attempt for attempt, _ in group), key=lambda attempt: (attempt.start, attempt.id))
    owner = next(link.owner for attempt, link in group if attempt is attempts[0])
    assert owner is not None
    earliest, latest = attempts[0], attempts[-1]
    ends = [attempt.end for attempt in attempts]
    # An attempt without a parent stands for its call; and a call cannot be in two tasks.
    own = earliest.parent is not None and first and (call not in after or after[call].kind == "call")
    name = call if own else digest(f"call {call} {trace}")
    told = {SOURCE: "proxy"}
    if REQUEST_MODEL in earliest.attributes:
        told[REQUEST_MODEL] = earliest.attributes[REQUEST_MODEL]
    after[name] = Span(
        id=name,
        trace=trace,
        kind="call",
        name=latest.name,
        start=earliest.start,
        end=max(end for end in ends if end is not None) if None not in ends else None,
        parent=owner.id,
        error=latest.error,
        attributes=told,
    )
    for attempt in attempts:
        after[attempt.id] = msgspec.structs.replace(after[attempt.id], trace=trace, parent=name)
