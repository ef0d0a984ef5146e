"""Mooncake's traces of an inference service: a JSON line a request.

    {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, ...]}

Milliseconds, when the request arrived; blocks of 512 tokens, whose ids hash the prefix. Who sent a request, to which
model, and how long the answer took is not told: a file is one task, whose calls are untimed.
"""

from typing import Any

from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.core.part import digest
from tithe.trace.formats.imported import Draft, Imported, runs, span_id, task_id, task_of
from tithe.trace.formats.source import Source, count, ids, left_out, number, reported

NAME = "mooncake"
SAYS = "Mooncake request traces (.jsonl)"
_BLOCK = 512  # tokens
LACKS = "not reported: dates, how long calls took, the first token, models, sessions (one task for the file)"


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return "timestamp" in record and "input_length" in record and "hash_ids" in record


def read(source: Source) -> Imported:
    """One task for the file. Raises `UsageError` when there is no request."""
    drafts: list[Draft] = []
    bad: list[int] = []
    # The file's own id is its first requests': it may be called anything, and it may grow.
    own = task_id(NAME, digest(repr([record.value for record in source.records[:10]])))
    for place, record in enumerate(source.records):
        told = record.value
        arrived = number(told.get("timestamp"))
        if arrived is None or not recognizes(told):
            bad.append(record.line)
            continue
        stamp = round(arrived * 1_000_000)
        blocks = ids(told["hash_ids"])
        kept = {
            at.UNTIMED: True,
            at.INPUT_TOKENS: count(told["input_length"]),
            at.OUTPUT_TOKENS: count(told.get("output_length")),
            at.BLOCKS: runs(blocks) if blocks is not None else None,
            at.BLOCK_TOKENS: _BLOCK if blocks is not None else None,
        }
        drafts.append(
            Draft(
                id=span_id(own, str(place)),
                kind="call",
                name="call",
                start=stamp,
                end=stamp,
                attributes=reported(kept),
            )
        )
    if not drafts:
        raise UsageError(
            f"{source.name} has no Mooncake request: `timestamp`, `input_length` and `hash_ids` were expected."
        )
    notes = [LACKS, *source.notes()]
    if bad:
        notes.append(left_out("line", "that is no request", bad))
    task = task_of(own, drafts, source=f"import:{NAME}", name=source.name, session=None, dated=False)
    return Imported(tasks=(task,), notes=tuple(notes))
