"""A task's calls with their prompts, as the doctor looks at them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tithe.core import attributes as at
from tithe.core.part import Part
from tithe.ledger.prefix import PromptedCall
from tithe.trace.node import Node, answer_of, steps_of, teller, walk
from tithe.trace.records import TaskRecord
from tithe.trace.tree import build_tree


def prompted_calls(record: TaskRecord, prompts: Mapping[str, Sequence[Part]]) -> list[PromptedCall]:
    """The calls of a task in the order of their starts, those without a known prompt too.

    Args:
        prompts: parts by the id of the span that has them, an attempt or a call.

    Stamps are seconds since the epoch, or on the record's own clock where that has no date. Raises `ValueError` for a
    record without a stamped span.
    """
    offset = record.anchor.unix - record.anchor.monotonic if record.anchor.unix else 0.0
    found: list[PromptedCall] = []
    root = build_tree(record.spans).root
    for line in walk(root):
        if line.kind not in ("task", "branch"):
            continue
        for number, step in enumerate(steps_of(line), start=1):
            calls = [one for one in walk(step) if one.kind == "call"] if step.kind == "step" else [step]
            name = None if line is root else line.span.id
            found += [_call(call, record.id, number, name, offset, prompts) for call in calls]
    return sorted(found, key=lambda call: call.started)


def _call(
    call: Node, task: str, step: int, line: str | None, offset: float, prompts: Mapping[str, Sequence[Part]]
) -> PromptedCall:
    shown, told = teller(call), call.attributes
    parts = next((tuple(prompts[id_]) for id_ in (shown.span.id, call.span.id) if id_ in prompts), ())
    first = told.get(at.FIRST_TOKEN)
    return PromptedCall(
        id=call.span.id,
        task=task,
        step=step,
        line=line,
        started=shown.start + offset,
        first_token_at=shown.start + first + offset if first is not None else None,
        ended=shown.end + offset,
        model=told.get(at.REQUEST_MODEL) or told.get(at.RESPONSE_MODEL),
        server=told.get(at.SERVER),
        parts=parts,
        answer=_answer(told),
        blocks=tuple((first_id, count) for first_id, count in told.get(at.BLOCKS) or ()),
        block_size=told.get(at.BLOCK_TOKENS),
        input_tokens=told.get(at.INPUT_TOKENS),
        cached_tokens=told.get(at.CACHE_READ_TOKENS),
        output_tokens=told.get(at.OUTPUT_TOKENS),
        ttft_s=_ttft(told),
        failed=answer_of(call) is None,
        relation=told.get(at.RELATION),
    )


def _answer(told: dict[str, Any]) -> tuple[Part, ...]:
    return tuple(
        Part(
            place="answer",
            role=role,
            name=None,
            digest=digest,
            canonical=canonical,
            masked=masked,
            bare=bare,
            size=size,
        )
        for role, digest, canonical, masked, bare, size in told.get(at.ANSWER) or ()
    )


def _ttft(told: dict[str, Any]) -> float | None:
    first = told.get(at.FIRST_TOKEN)
    if first is None or told.get(at.TTFT_FROM) is not None:
        return None
    return max(0.0, first - (told.get(at.SENT) or 0.0) - (told.get(at.QUEUE) or 0.0))
