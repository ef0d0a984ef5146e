"""The tax: what of a task's wall clock was avoidable.

    retries       failed attempts that a further one of the same call followed, and backoff; without them the task still has the
                  last attempt. That one's failure is no retry: it is how the call ended (outcome.py)
    queueing      waiting that the endpoint reports; on an idle endpoint there is none
    serial tools  an answer asked for several tools, and they ran one after the other; since one answer asked for all, none of them
                  was asked for because of another's result, so the longest alone would have had to be waited for. Where it is
                  not known when each of them ran, that is said
    lost prefix   prompt tokens that had been paid for and were computed again, at the endpoint's own seconds a token
    speculation   work that was thrown away, where it held something up

No moment is in two of them, since each is of a bucket or of spans of its own. What each saves is the task timed again without it
(retime.py); together they may save more or less than one by one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tithe.ledger.account import TaxItem, Unchecked
from tithe.ledger.attribution import Attribution
from tithe.ledger.breaks import Break
from tithe.ledger.retime import Removal, saving, without, without_spans
from tithe.trace.asking import askings
from tithe.trace.buckets import Bucket
from tithe.trace.node import Node, answer_of, failures
from tithe.trace.timing import series


class Tax:
    """The avoidable parts of one task, and what removing all of them saves."""

    def __init__(self, attribution: Attribution, breaks: Iterable[Break]) -> None:
        self._attribution = attribution
        removals: list[Removal] = []
        items: list[TaxItem] = []
        for found in (
            self._retries(),
            self._queueing(),
            self._serial(),
            self._lost(breaks),
            self._speculation(),
        ):
            if found is not None:
                item, removal = found
                items.append(item)
                removals.append(removal)
        self.items = tuple(sorted(items, key=lambda item: -item.saves_s))
        self.seconds = saving(attribution, _all_of(removals)) if removals else 0.0
        self.unchecked = tuple(_unchecked(attribution))

    def _retries(self) -> tuple[TaxItem, Removal] | None:
        calls = [node for node in self._nodes() if node.kind == "call"]
        last = {
            id(call): max(one.start for one in call.attempts or [call])
            for call in calls
            if answer_of(call) is None
        }
        causes: dict[str, list[float]] = defaultdict(list)
        for start, end, bucket, detail, node in self._attribution.path:
            if bucket == "retry" and not (node is not None and start >= last.get(id(node), end)):
                causes[detail or "abandoned"].append(end - start)
        if not causes:
            return None
        removal = self._without_retries(calls, last)
        failed = sum(failures(call) - (id(call) in last) for call in calls)
        return self._item("retries", causes, failed, removal), removal

    def _without_retries(self, calls: Iterable[Node], last: Mapping[int, float]) -> Removal:
        """Everything but what a further attempt followed. `last`: of each call that failed for good its last attempt's start."""
        kept: dict[tuple[int, str | None], float] = {}
        for call in calls:
            if id(call) not in last:
                continue
            whole: dict[str | None, float] = defaultdict(float)
            final: dict[str | None, float] = defaultdict(float)
            for start, end, bucket, detail in self._attribution.own(call):
                if bucket == "retry":
                    whole[detail] += end - start
                    final[detail] += end - start if start >= last[id(call)] else 0.0
            kept.update({(id(call), detail): final[detail] / whole[detail] for detail in whole})

        def removal(bucket: Bucket, detail: str | None, node: Node | None) -> float:
            return kept.get((id(node), detail), 0.0) if bucket == "retry" else 1.0

        return removal

    def _queueing(self) -> tuple[TaxItem, Removal] | None:
        waits = [end - start for start, end, bucket, _, _ in self._attribution.path if bucket == "queue"]
        if not waits:
            return None
        removal = without("queue")
        return self._item("queueing", {"waiting at the endpoint": waits}, len(waits), removal), removal

    def _speculation(self) -> tuple[TaxItem, Removal] | None:
        waste: dict[str, list[float]] = defaultdict(list)
        for start, end, bucket, _, node in self._attribution.path:
            if bucket == "speculation" and node is not None:
                waste[node.span.name].append(end - start)
        if not waste:
            return None
        removal = without("speculation")
        return self._item("speculation", waste, sum(map(len, waste.values())), removal), removal

    def _serial(self) -> tuple[TaxItem, Removal] | None:
        gone: list[Node] = []
        groups = 0
        for group in series(self._attribution.root):
            groups += 1
            longest = max(group, key=lambda tool: tool.length)
            gone += [tool for tool in group if tool is not longest]
        if not gone:
            return None
        ids = frozenset(id(tool) for tool in gone)
        causes: dict[str, list[float]] = defaultdict(list)
        for start, end, bucket, _, node in self._attribution.path:
            if bucket == "tool" and node is not None and id(node) in ids:
                causes[node.span.name].append(end - start)
        removal = without_spans(ids)
        return (self._item("serial tools", causes, groups, removal), removal) if causes else None

    def _lost(self, breaks: Iterable[Break]) -> tuple[TaxItem, Removal] | None:
        priced = {one.call: one for one in breaks if one.cost_s}
        if not priced:
            return None
        shares: dict[int, float] = {}
        causes: dict[str, list[float]] = defaultdict(list)
        for node in self._nodes():
            found = (
                next((priced[id_] for id_ in _ids(node) if id_ in priced), None)
                if node.kind == "call"
                else None
            )
            if found is None or found.cost_s is None:
                continue
            prefill = sum(
                end - start for start, end, bucket, _ in self._attribution.own(node) if bucket == "prefill"
            )
            if prefill > 0:
                shares[id(node)] = min(1.0, found.cost_s / prefill)
                on_path = sum(
                    end - start
                    for start, end, bucket, _, of in self._attribution.path
                    if of is node and bucket == "prefill"
                )
                causes[found.cause].append(on_path * shares[id(node)])
        if not shares:
            return None

        def removal(bucket: Bucket, _detail: str | None, node: Node | None) -> float:
            return 1.0 - shares.get(id(node), 0.0) if bucket == "prefill" else 1.0

        return self._item("lost prefix", causes, len(shares), removal), removal

    def _item(self, kind: str, causes: dict[str, list[float]], count: int, removal: Removal) -> TaxItem:
        told = sorted(
            ((name, len(times), sum(times)) for name, times in causes.items()), key=lambda one: -one[2]
        )
        return TaxItem(
            kind=kind,  # pyright: ignore[reportArgumentType] - one of TaxKind, each written out above
            wall_s=sum(seconds for _, _, seconds in told),
            saves_s=saving(self._attribution, removal),
            count=count,
            causes=tuple(told),
        )

    def _nodes(self) -> Iterable[Node]:
        return self._attribution.nodes


def _unchecked(attribution: Attribution) -> Iterator[Unchecked]:
    """Answers that asked for several tools of which it is not known when each ran."""
    untold = [asking for asking in askings(attribution.root) if not asking.told]
    outside = sum(asking.outside for asking in untold)
    for count, why in (
        (outside, "whether those ran at once is not seen from outside"),
        (len(untold) - outside, "no two of them were reported by the ids or names asked for"),
    ):
        if count:
            yield Unchecked(kind="serial tools", count=count, why=why)


def _ids(call: Node) -> Iterator[str]:
    yield call.span.id
    for child in call.children:
        yield child.span.id


def _all_of(removals: list[Removal]) -> Removal:
    def removal(bucket: Bucket, detail: str | None, node: Node | None) -> float:
        kept = 1.0
        for one in removals:
            kept *= one(bucket, detail, node)
        return kept

    return removal
