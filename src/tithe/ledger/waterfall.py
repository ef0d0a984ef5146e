"""A task's spans as rows: what ran when, what was on the critical path, and how much slack the rest had."""

from collections import defaultdict
from collections.abc import Iterator

from tithe.core import attributes as at
from tithe.ledger.account import Bar, Slice
from tithe.ledger.attribution import Attribution
from tithe.ledger.retime import slack
from tithe.ledger.tables import model_name, tool_name
from tithe.trace.node import LINES, Node, answer_of, teller
from tithe.trace.outside import told_together

_TOLD = (
    ("model", at.REQUEST_MODEL),
    ("answered by", at.RESPONSE_MODEL),
    ("prompt tokens", at.INPUT_TOKENS),
    ("of them cached", at.CACHE_READ_TOKENS),
    ("output tokens", at.OUTPUT_TOKENS),
    ("of them reasoning", at.REASONING_TOKENS),
    ("finish reasons", at.FINISH_REASONS),
    ("HTTP status", at.STATUS),
    ("history", at.RELATION),
    ("tool call", at.TOOL_CALL_ID),
    ("source", at.SOURCE),
)


def bars(attribution: Attribution, steps: dict[int, int]) -> tuple[Bar, ...]:
    """A row for each span, in the order of a reader: parents first, then by start. `steps`: numbers by `id()` of a node."""
    return tuple(_Rows(attribution, steps).of(attribution.root))


class _Rows:
    def __init__(self, attribution: Attribution, steps: dict[int, int]) -> None:
        self._attribution = attribution
        self._steps = steps
        self._zero = attribution.root.start
        self._slack = slack(attribution)
        self._critical: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for start, end, _, _, node in attribution.path:
            if node is not None:
                self._extend(self._critical[id(node)], start, end)
        # Which of them was waited for is not seen.
        for group in told_together(attribution.nodes):
            shared = [one for node in group for one in self._critical.get(id(node), ())]
            for node in group if shared else ():
                self._critical[id(node)] = shared

    @staticmethod
    def _extend(stretches: list[tuple[float, float]], start: float, end: float) -> None:
        if stretches and stretches[-1][1] == start:
            start = stretches.pop()[0]
        stretches.append((start, end))

    def of(self, root: Node) -> Iterator[Bar]:
        stack: list[tuple[Node, int, int | None]] = [(root, 0, None)]
        while stack:
            node, depth, step = stack.pop()
            step = self._steps.get(id(node), step)
            yield self._bar(node, depth, step)
            children = [child for child in node.children if node.kind != "call" or len(node.children) > 1]
            children.sort(key=lambda child: (child.start, child.end))
            stack += [(child, depth + 1, step) for child in reversed(children)]

    def _bar(self, node: Node, depth: int, step: int | None) -> Bar:
        told = node.attributes
        first = told.get(at.FIRST_TOKEN) if node.kind in ("call", "attempt") else None
        # A call's offsets count from the start of the attempt that tells them.
        began = teller(node).start if node.kind == "call" else node.start
        return Bar(
            id=node.span.id,
            kind=node.kind,
            name=_name(node),
            depth=depth,
            start_s=node.start - self._zero,
            end_s=node.end - self._zero,
            slices=self._slices(node),
            critical=tuple((a - self._zero, b - self._zero) for a, b in self._critical.get(id(node), ())),
            slack_s=self._slack.get(id(node)),
            first_token_s=began + first - self._zero if first is not None else None,
            outside=at.SEEN in node.span.attributes,
            error=_error(node),
            unended=not node.made and node.span.end is None,
            step=step,
            told=tuple((name, _words(told[key])) for name, key in _TOLD if key in told),
        )

    def _slices(self, node: Node) -> tuple[Slice, ...]:
        if node.kind in LINES:
            return ()
        return tuple(
            Slice(start - self._zero, end - self._zero, bucket, detail, node.span.id)
            for start, end, bucket, detail in self._attribution.own(node)
        )


def _name(node: Node) -> str:
    if node.kind == "call":
        return model_name(node.attributes)
    if node.kind == "attempt":
        return f"attempt, {node.span.error}" if node.span.error else "attempt"
    return tool_name(node) if node.kind == "tool" else node.span.name


def _error(node: Node) -> str | None:
    """What went wrong: of a call without an answer also what its last attempt says, which has no row where it is alone."""
    if node.kind == "call" and node.span.error is None and answer_of(node) is None:
        return teller(node).span.error
    return node.span.error


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return f"{value:,}" if isinstance(value, int) else str(value)
