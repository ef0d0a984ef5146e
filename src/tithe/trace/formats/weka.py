"""WEKA's KV cache tester traces: one JSON object a session, recorded from Claude Code.

    {"id", "block_size": 64, "tool_tokens", "system_tokens", "requests": [
        {"t", "type": "s" | "n", "model", "in", "out", "hash_ids", "stop", "api_time", "think_time", "ttft"?},
        {"t", "type": "subagent", "agent_id", "duration_ms", "requests": [...]}]}

Seconds, from the session's start. What the real files show, and the importer goes by:

- `t` is when a request was sent, cut to whole seconds, and `think_time` the time *before* it, likewise: `t` is the
  last request's `t + api_time`, plus this one's `think_time`, give or take a second. So a call is from `t` to
  `t + api_time`, and `think_time` tells nothing new. It mixes tools and people: those gaps stay unattributed.
- A sub-agent's `t` is when it *ended*: it began at `t - duration_ms`, milliseconds after the answer that asked for it, and
  several that one answer asked for began together. Its requests' `t` count from its own beginning.
- `hash_ids` are the whole blocks of the prompt and hash the prefix: equal ids in one file, equal prefixes.
"""

from typing import Any

from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.trace.formats.imported import Draft, Imported, ImportedTask, runs, span_id, task_id, task_of
from tithe.trace.formats.source import (
    Source,
    count,
    fields,
    ids,
    left_out,
    nanoseconds,
    number,
    objects,
    reported,
    text,
)

NAME = "weka"
SAYS = "WEKA KV cache tester traces (.json)"
_SOURCE = f"import:{NAME}"
LACKS = (
    "not reported: dates; tools and pauses (think_time mixes them; those gaps stay unattributed); cached tokens; "
    "start times to better than a second"
)


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return "block_size" in record and isinstance(record.get("requests"), list)


def read(source: Source) -> Imported:
    """One task a session. Raises `UsageError` when there is none."""
    tasks: list[ImportedTask] = []
    notes = source.notes()
    without_ttft = 0
    for record in source.records:
        if not recognizes(record.value):
            notes.append(left_out("object", "that is no session", [record.line]))
            continue
        session = _Session(record.value, source.name)
        session.line(objects(record.value["requests"]), session.task, 0)
        if session.drafts:
            tasks.append(
                task_of(
                    session.own,
                    [session.whole(), *session.drafts],
                    source=_SOURCE,
                    name=session.name,
                    session=session.name,
                    dated=False,
                )
            )
        if session.bad:
            notes.append(f"left out: {session.bad:,} requests without a time or a duration")
        without_ttft += session.without_ttft
    if not tasks:
        raise UsageError(
            f"{source.name} has no requests of a {NAME} session: an object with `requests` was expected."
        )
    notes.insert(0, LACKS)
    if without_ttft:
        notes.insert(1, f"not reported: the first token of {without_ttft:,} calls (type n)")
    return Imported(tasks=tuple(tasks), notes=tuple(notes))


class _Session:
    """The spans of one session, as they are found."""

    def __init__(self, told: dict[str, Any], file: str) -> None:
        self.name = text(told.get("id")) or file
        self.own = task_id(NAME, self.name)
        self.task = span_id(NAME, self.name)
        self.drafts: list[Draft] = []
        self.bad = self.without_ttft = 0
        self._block = count(told.get("block_size"))

    def whole(self) -> Draft:
        return Draft(
            id=self.task,
            kind="task",
            name=self.name,
            start=0,
            end=max(draft.start if draft.end is None else draft.end for draft in self.drafts),
        )

    def line(self, requests: list[dict[str, Any]], parent: str, since: int, inside: str = "") -> None:
        """The requests of the session, or of a sub-agent of it; `since`: what their times count from."""
        for place, told in enumerate(requests):
            own = span_id(NAME, self.name, inside, str(place))
            at_ = number(told.get("t"))
            if at_ is None:
                self.bad += 1
            elif told.get("type") == "subagent":
                self._branch(told, own, parent, since + nanoseconds(at_), f"{inside}/{place}")
            elif (took := number(told.get("api_time"))) is None:
                self.bad += 1
            else:
                self._call(told, own, parent, since + nanoseconds(at_), nanoseconds(took))

    def _call(self, told: dict[str, Any], own: str, parent: str, start: int, took: int) -> None:
        model = text(told.get("model"))
        first, stop, blocks = number(told.get("ttft")), text(told.get("stop")), ids(told.get("hash_ids"))
        blocked = blocks is not None and bool(self._block)
        self.without_ttft += first is None
        kept = {
            at.REQUEST_STREAM: told.get("type") == "s",
            at.REQUEST_MODEL: model,
            at.INPUT_TOKENS: count(told.get("in")),
            at.OUTPUT_TOKENS: count(told.get("out")),
            at.FINISH_REASONS: None if stop is None else [stop],
            at.FIRST_TOKEN: first,
            at.TTFT_FROM: None if first is None else "chunk",
            at.BLOCKS: runs(blocks) if blocks is not None and blocked else None,
            at.BLOCK_TOKENS: self._block if blocked else None,
        }
        self.drafts.append(
            Draft(
                id=own,
                kind="call",
                name=model or "call",
                start=start,
                end=start + took,
                parent=parent,
                attributes=reported(kept),
            )
        )

    def _branch(self, told: dict[str, Any], own: str, parent: str, ended: int, inside: str) -> None:
        took = number(told.get("duration_ms"))
        began = ended if took is None else ended - round(took * 1_000_000)
        asked = max(
            (
                one
                for one in self.drafts
                if one.kind == "call" and one.parent == parent and (one.end or 0) <= began
            ),
            key=lambda one: one.end or 0,
            default=None,
        )
        kept = {} if asked is None else {at.BRANCH_OF: asked.id}
        name = text(told.get("subagent_type")) or "sub-agent"
        self.drafts.append(
            Draft(
                id=own,
                kind="branch",
                name=name,
                start=began,
                end=None if took is None else ended,
                parent=parent,
                attributes=kept | ({at.AGENT_NAME: name} if name != "sub-agent" else {}),
            )
        )
        self.line(objects(fields(told).get("requests")), own, began, inside)
