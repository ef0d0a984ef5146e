"""A task by step, by tool and by model."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

from tithe.core import attributes as at
from tithe.ledger.account import Entry, ModelRow, StepRow, ToolRow
from tithe.ledger.attribution import Attribution, Cut
from tithe.ledger.retime import saving, without_spans
from tithe.trace.buckets import Bucket
from tithe.trace.node import Node, answer_of, steps_of, walk
from tithe.trace.outside import told_together

UNNAMED = "not reported"


def step_rows(attribution: Attribution) -> tuple[StepRow, ...]:
    """The steps of the task's own line, then those of each branch.

    A step that was reported is one; elsewhere each call begins one. It reaches to the next of its line, so that
    the steps of a line tile it; what of the critical path lies in that time, and in that branch, is the step's. Its tools
    are those of its line that began in that time, whether they were waited for or not.
    """
    rows: list[StepRow] = []
    root = attribution.root
    branches = [node for node in walk(root) if node.kind == "branch"]
    for line in (root, *branches):
        within = None if line is root else {id(node) for node in walk(line)}
        path = [
            cut for cut in attribution.path if within is None or (cut[4] is not None and id(cut[4]) in within)
        ]
        begins = steps_of(line)
        tools = _tools_of(line)
        place = 0
        for number, step in enumerate(begins, start=1):
            end = begins[number].start if number < len(begins) else max(line.end, step.end)
            cuts: list[Cut] = []
            while place < len(path) and path[place][0] < end:
                if path[place][1] > step.start:
                    cuts.append(path[place])
                if path[place][1] > end:
                    break
                place += 1
            name = None if line is root else line.span.name
            ran = list[Node]()
            while tools and (tools[-1].start < end or number == len(begins)):
                ran.append(tools.pop())
            rows.append(_step(number, name, step, end, cuts, ran, root.start))
    return tuple(rows)


def _tools_of(line: Node) -> list[Node]:
    """The tools of a line and of all in it but its branches, the last to begin first: to be taken from the end."""
    found: list[Node] = []
    stack = [line]
    while stack:
        node = stack.pop()
        if node.kind == "tool":
            found.append(node)
        stack += [child for child in reversed(node.children) if child.kind != "branch"]
    return sorted(found, key=lambda tool: tool.start)[::-1]


def _step(
    number: int,
    line: str | None,
    step: Node,
    end: float,
    cuts: list[Cut],
    ran: list[Node],
    zero: float,
) -> StepRow:
    inside = list(walk(step)) if step.kind == "step" else [step, *step.children]
    calls = [node for node in inside if node.kind == "call"]
    told = calls[0].attributes if calls else {}
    clipped: list[Cut] = [
        (max(start, step.start), min(until, end), bucket, detail, node)
        for start, until, bucket, detail, node in cuts
    ]
    return StepRow(
        number=number,
        line=line,
        start_s=step.start - zero,
        length_s=end - step.start,
        wall_s=sum(until - start for start, until, _, _, _ in clipped),
        entries=_entries(clipped),
        model=model_name(told) if calls else None,
        ttft_s=_ttft(told),
        input_tokens=total(call.attributes.get(at.INPUT_TOKENS) for call in calls),
        cached_tokens=total(call.attributes.get(at.CACHE_READ_TOKENS) for call in calls),
        output_tokens=total(call.attributes.get(at.OUTPUT_TOKENS) for call in calls),
        attempts=sum(attempts(call) for call in calls),
        tools=tuple(dict.fromkeys(tool_name(tool) for tool in ran)),
        error=next((call.span.error for call in calls if failed(call)), None),
        name=_own_name(step, number),
    )


def _own_name(step: Node, number: int) -> str | None:
    """What the agent calls a step, where that says more than that it is one."""
    if step.kind != "step" or step.span.name in ("step", f"step {number}"):
        return None
    return step.span.name


def _entries(cuts: Iterable[Cut]) -> tuple[Entry, ...]:
    sums: dict[tuple[Bucket, str | None], float] = defaultdict(float)
    outside: set[tuple[Bucket, str | None]] = set()
    for start, end, bucket, detail, node in cuts:
        sums[bucket, detail] += end - start
        if node is not None and at.SEEN in node.span.attributes:
            outside.add((bucket, detail))
    return tuple(
        Entry(
            bucket=bucket, detail=detail, wall_s=seconds, busy_s=seconds, outside=(bucket, detail) in outside
        )
        for (bucket, detail), seconds in sums.items()
    )


def tool_rows(attribution: Attribution) -> tuple[ToolRow, ...]:
    """A row for each tool, those that take most of the wall clock first.

    Of tools that were told together from outside one may have had all of that time and the others none; nobody saw which. So
    each has all of it as its bound: on the wall clock what any of them has there, and saved what is saved without them all.
    """
    runs: dict[str, list[Node]] = defaultdict(list)
    for node in attribution.nodes:
        if node.kind == "tool":
            runs[tool_name(node)].append(node)
    beside = {
        id(node): frozenset(map(id, group)) for group in told_together(attribution.nodes) for node in group
    }
    wall = _wall(attribution)
    rows: list[ToolRow] = []
    for name, nodes in runs.items():
        bounds = frozenset[int]().union(*(beside.get(id(node), (id(node),)) for node in nodes))
        rows.append(
            ToolRow(
                name=name,
                runs=len(nodes),
                errors=sum(node.span.error is not None for node in nodes),
                outside=sum(at.SEEN in node.span.attributes for node in nodes),
                together=sum(id(node) in beside for node in nodes),
                wall_s=sum(wall.get(one, 0.0) for one in bounds),
                busy_s=sum(node.length for node in nodes),
                saves_s=saving(attribution, without_spans(bounds)),
                p50_s=median(node.length for node in nodes),
                longest_s=max(node.length for node in nodes),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.wall_s, -row.busy_s)))


def model_rows(attribution: Attribution) -> tuple[ModelRow, ...]:
    """A row for each model, those that take most of the wall clock first."""
    calls: dict[str, list[Node]] = defaultdict(list)
    for node in attribution.nodes:
        if node.kind == "call":
            calls[model_name(node.attributes)].append(node)
    wall = _wall(attribution)
    rows = [_model(name, nodes, wall, attribution) for name, nodes in calls.items()]
    return tuple(sorted(rows, key=lambda row: (-row.wall_s, -row.busy_s)))


def _model(name: str, nodes: list[Node], wall: dict[int, float], attribution: Attribution) -> ModelRow:
    told = [node.attributes for node in nodes]
    ttfts = [ttft for one in told if (ttft := _ttft(one)) is not None]
    rates = [rate for one in told if (rate := _decode_rate(one)) is not None]
    return ModelRow(
        name=name,
        calls=len(nodes),
        attempts=sum(attempts(node) for node in nodes),
        failed=sum(failed(node) for node in nodes),
        wall_s=sum(wall.get(id(node), 0.0) for node in nodes),
        busy_s=sum(node.length for node in nodes),
        saves_s=saving(attribution, without_spans(frozenset(id(node) for node in nodes))),
        input_tokens=total(one.get(at.INPUT_TOKENS) for one in told),
        cached_tokens=total(one.get(at.CACHE_READ_TOKENS) for one in told),
        output_tokens=total(one.get(at.OUTPUT_TOKENS) for one in told),
        ttft_p50_s=median(ttfts) if ttfts else None,
        decode_tokens_per_s=median(rates) if rates else None,
    )


def _wall(attribution: Attribution) -> dict[int, float]:
    sums: dict[int, float] = defaultdict(float)
    for start, end, _, _, node in attribution.path:
        if node is not None:
            sums[id(node)] += end - start
    return sums


def model_name(told: dict[str, Any]) -> str:
    """The model that answered, or else that was asked for."""
    return told.get(at.RESPONSE_MODEL) or told.get(at.REQUEST_MODEL) or UNNAMED


def tool_name(tool: Node) -> str:
    """The tool's name, or else its span's."""
    return tool.span.attributes.get(at.TOOL_NAME) or tool.span.name


def attempts(call: Node) -> int:
    """How many attempts a call had; one where none were told apart."""
    return len(call.attempts) or 1


def failed(call: Node) -> bool:
    """Whether a call ended without an answer."""
    return answer_of(call) is None


def _ttft(told: dict[str, Any]) -> float | None:
    first, sent = told.get(at.FIRST_TOKEN), told.get(at.SENT)
    if first is None:
        return told.get(at.TIME_TO_FIRST_CHUNK)
    return first - (sent or 0.0)


def _decode_rate(told: dict[str, Any]) -> float | None:
    first, last, tokens = told.get(at.FIRST_TOKEN), told.get(at.LAST_TOKEN), told.get(at.OUTPUT_TOKENS)
    if first is None or last is None or tokens is None or tokens < 2 or last <= first:
        return None
    return (tokens - 1) / (last - first)


def total(values: Iterable[int | None]) -> int | None:
    """The sum of what was reported; None where nothing was."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
