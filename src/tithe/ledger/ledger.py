"""A task's ledger whole, and its short form."""

from collections import defaultdict
from collections.abc import Iterable

from tithe.core import attributes as at
from tithe.ledger.account import Account, Entry, Ledger, Slice
from tithe.ledger.attribution import Attribution
from tithe.ledger.breaks import Diagnosis
from tithe.ledger.outcome import outcome_of
from tithe.ledger.retime import Removal, saving, without
from tithe.ledger.tables import attempts as attempts_of
from tithe.ledger.tables import failed, model_rows, step_rows, tool_rows, total
from tithe.ledger.tax import Tax
from tithe.ledger.waterfall import bars
from tithe.trace.buckets import BUCKETS, Bucket
from tithe.trace.node import LINES, Node, steps_of, walk
from tithe.trace.records import TaskRecord
from tithe.trace.timing import is_leaf
from tithe.trace.tree import build_tree

Kind = tuple[Bucket, str | None]


def make_ledger(record: TaskRecord, diagnosis: Diagnosis | None = None) -> Ledger:
    """The ledger of a task. With the doctor's findings on it, lost prefixes are part of the tax.

    Raises `ValueError` for a record without a single stamped span.
    """
    tree = build_tree(record.spans)
    attribution = Attribution(tree)
    root, zero = tree.root, tree.root.start
    tax = Tax(attribution, diagnosis.breaks if diagnosis is not None else ())
    entries = _entries(attribution)
    buckets = {entry.bucket for entry in entries}
    return Ledger(
        task=record.id,
        name=_name(record, root),
        source=record.source,
        session=record.session,
        started=record.anchor.unix + (zero - record.anchor.monotonic) if record.anchor.unix else None,
        finished=tree.finished,
        wall_s=root.length,
        slices=tuple(
            Slice(start - zero, end - zero, bucket, detail, node.span.id if node is not None else None)
            for start, end, bucket, detail, node in attribution.path
        ),
        entries=entries,
        saves_s={bucket: saving(attribution, without(bucket)) for bucket in BUCKETS if bucket in buckets},
        tax=tax.items,
        tax_s=tax.seconds,
        work_s=root.length - tax.seconds,
        unchecked=tax.unchecked,
        steps=step_rows(attribution),
        tools=tool_rows(attribution),
        models=model_rows(attribution),
        bars=bars(attribution, _numbers(root)),
        outcome=outcome_of(record, attribution),
        notes=tree.notes,
    )


def make_account(record: TaskRecord) -> Account:
    """The short form: seconds by bucket and counts. Raises as `make_ledger` does."""
    tree = build_tree(record.spans)
    attribution = Attribution(tree)
    wall: dict[Bucket, float] = defaultdict(float)
    for start, end, bucket, _, _ in attribution.path:
        wall[bucket] += end - start
    calls = [node for node in attribution.nodes if node.kind == "call"]
    told = [call.attributes for call in calls]
    return Account(
        task=record.id,
        name=_name(record, tree.root),
        started=record.anchor.unix + (tree.root.start - record.anchor.monotonic)
        if record.anchor.unix
        else None,
        wall_s=tree.root.length,
        wall=dict(wall),
        busy=_by_bucket(_busy(attribution)),
        steps=len(_numbers(tree.root)),
        calls=len(calls),
        retries=sum(attempts_of(call) - 1 for call in calls),
        tools=sum(node.kind == "tool" for node in attribution.nodes),
        input_tokens=total(one.get(at.INPUT_TOKENS) for one in told),
        cached_tokens=total(one.get(at.CACHE_READ_TOKENS) for one in told),
        output_tokens=total(one.get(at.OUTPUT_TOKENS) for one in told),
        failed=sum(failed(call) for call in calls),
        outside=tuple({bucket: None for bucket, _ in _seen_from_outside(attribution)}),
        outcome=outcome_of(record, attribution),
    )


def _name(record: TaskRecord, root: Node) -> str:
    return record.name or (root.span.name if not root.made else None) or record.session or record.id[:8]


def _numbers(root: Node) -> dict[int, int]:
    """The steps' numbers, along each line, by `id()` of the step or of the call that is one."""
    found: dict[int, int] = {}
    for line in walk(root):
        if line.kind in ("task", "branch"):
            found.update((id(step), number) for number, step in enumerate(steps_of(line), start=1))
    return found


def _entries(attribution: Attribution) -> tuple[Entry, ...]:
    """One for each kind in each bucket, in the buckets' order, and within one the most seconds first."""
    wall: dict[Kind, float] = defaultdict(float)
    for start, end, bucket, detail, _ in attribution.path:
        wall[bucket, detail] += end - start
    busy = _busy(attribution)
    outside = _seen_from_outside(attribution)
    kinds = sorted(
        {*wall, *busy}, key=lambda kind: (BUCKETS.index(kind[0]), -wall.get(kind, 0.0), kind[1] or "")
    )
    return tuple(
        Entry(
            bucket=bucket,
            detail=detail,
            wall_s=wall.get((bucket, detail), 0.0),
            busy_s=busy.get((bucket, detail), 0.0),
            saves_s=saving(attribution, _without_kind(bucket, detail)),
            outside=(bucket, detail) in outside,
        )
        for bucket, detail in kinds
    )


def _seen_from_outside(attribution: Attribution) -> set[Kind]:
    return {
        (bucket, detail)
        for node in attribution.nodes
        if at.SEEN in node.span.attributes
        for _, _, bucket, detail in attribution.own(node)
    }


def _without_kind(bucket: Bucket, detail: str | None) -> Removal:
    return lambda one, kind, _node: 0.0 if one == bucket and kind == detail else 1.0


def _busy(attribution: Attribution) -> dict[Kind, float]:
    """All work in full: every span's own time, and of the gaps those that the path has."""
    sums: dict[Kind, float] = defaultdict(float)
    for start, end, bucket, detail, node in attribution.path:
        if node is None:
            sums[bucket, detail] += end - start
    stack = [attribution.root]
    while stack:
        node = stack.pop()
        whole = is_leaf(node)
        if not whole:
            stack += node.children
        if node.kind in LINES and not whole:
            continue
        inside = 0.0 if whole else _covered(node)
        for start, end, bucket, detail in attribution.own(node):
            sums[bucket, detail] += max(0.0, end - start - inside)
    return sums


def _covered(node: Node) -> float:
    """Seconds of a span in which something inside it ran."""
    covered, until = 0.0, node.start
    for child in sorted(node.children, key=lambda child: child.start):
        if child.end > until:
            covered += child.end - max(child.start, until)
            until = child.end
    return covered


def _by_bucket(kinds: dict[Kind, float]) -> dict[Bucket, float]:
    sums: dict[Bucket, float] = defaultdict(float)
    for (bucket, _), seconds in kinds.items():
        sums[bucket] += seconds
    return dict(sums)


def accounts(records: Iterable[TaskRecord]) -> Iterable[Account]:
    """The short forms of many tasks, one after the other; those without a stamped span have none."""
    return (make_account(record) for record in records if record.spans)
