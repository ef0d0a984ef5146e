"""The OpenAI Agents SDK's traces, as its processors export them: objects of two kinds, in lines, an array, or `data`.

    {"object": "trace", "id", "workflow_name", "group_id"}
    {"object": "trace.span", "id", "trace_id", "parent_id", "started_at", "ended_at", "error", "span_data": {"type", ...}}

| `span_data.type` | is |
|---|---|
| generation, response | a call |
| function | a tool |
| agent | a branch: a handoff or an agent used as a tool goes on in another |
| guardrail | a validation |
| custom, with `sdk_span_type` task or turn | the task, if it is the trace's only run, or a branch; a step |
| anything else | other |
"""

from typing import Any

from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.core.span import SpanKind
from tithe.trace.formats.imported import Draft, Imported, ImportedTask, span_id, task_id, task_of
from tithe.trace.formats.source import Source, count, fields, instant, left_out, objects, reported, text
from tithe.trace.message_parts import message_parts

NAME = "openai-agents"
SAYS = "OpenAI Agents SDK traces (.json, .jsonl)"
_KINDS: dict[str, SpanKind] = {
    "generation": "call",
    "response": "call",
    "function": "tool",
    "agent": "branch",
    "guardrail": "validation",
    "task": "branch",
    "turn": "step",
}
LACKS = "not reported: the first token; retries"


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return record.get("object") == "trace.span" or (
        record.get("object") == "trace" and "workflow_name" in record
    )


def read(source: Source) -> Imported:
    """One task a trace. Raises `UsageError` when there is no span."""
    about: dict[str, dict[str, Any]] = {}
    traces: dict[str, list[dict[str, Any]]] = {}
    bad: list[int] = []
    for record in source.records:
        told = record.value
        trace, own = text(told.get("trace_id")), text(told.get("id"))
        if told.get("object") == "trace" and own is not None:
            about[own] = told
        elif trace is None or own is None or instant(told.get("started_at")) is None:
            bad.append(record.line)
        else:
            traces.setdefault(trace, []).append(told)
    if not traces:
        raise UsageError(
            f"{source.name} has no span of the OpenAI Agents SDK: `trace_id` and `started_at` were expected."
        )
    tasks: list[ImportedTask] = []
    for trace, spans in traces.items():
        told = about.get(trace, {})
        runs = [one for one in spans if _type(fields(one.get("span_data"))) == "task"]
        whole = runs[0] if len(runs) == 1 and runs[0].get("parent_id") is None else None
        drafts = [_draft(trace, one, whole=one is whole) for one in spans]
        tasks.append(
            task_of(
                task_id(NAME, trace),
                drafts,
                source=f"import:{NAME}",
                name=text(told.get("workflow_name")),
                session=text(told.get("group_id")),
            )
        )
    notes = [LACKS, *source.notes()]
    if bad:
        notes.append(left_out("record", "that is no span with a start", bad))
    return Imported(tasks=tuple(tasks), notes=tuple(notes))


def _type(data: dict[str, Any]) -> str:
    """A span's type; the SDK's own spans beyond those that its service knows are exported as custom ones."""
    own = text(fields(data.get("data")).get("sdk_span_type")) if data.get("type") == "custom" else None
    return own or text(data.get("type")) or ""


def _draft(trace: str, told: dict[str, Any], *, whole: bool) -> Draft:
    data = fields(told.get("span_data"))
    type_ = _type(data)
    kind: SpanKind = "task" if whole else _KINDS.get(type_, "other")
    parent = text(told.get("parent_id"))
    inner = fields(data.get("data"))
    name = text(data.get("model")) or text(data.get("name")) or type_ or "span"
    kept: dict[str, Any] = {}
    if kind == "call":
        kept = _call(data)
    elif kind == "tool":
        kept[at.TOOL_NAME] = name
    elif type_ == "agent":
        kept[at.AGENT_NAME] = name
    elif type_ == "task":
        name = text(inner.get("name")) or name
    elif type_ == "turn":
        name = f"turn {inner.get('turn')}" if count(inner.get("turn")) is not None else name
    return Draft(
        id=span_id(NAME, trace, str(told["id"])),
        kind=kind,
        name=name,
        start=instant(told["started_at"]) or 0,
        end=instant(told.get("ended_at")),
        parent=None if parent is None else span_id(NAME, trace, parent),
        error="error" if told.get("error") else None,  # it has a message only
        attributes=kept,
        prompt=message_parts(data.get("input")) if kind == "call" else (),
    )


def _call(data: dict[str, Any]) -> dict[str, Any]:
    usage = fields(data.get("usage"))
    inputs = fields(usage.get("input_tokens_details")) or fields(usage.get("prompt_tokens_details"))
    outputs = fields(usage.get("output_tokens_details")) or fields(usage.get("completion_tokens_details"))
    asked = [
        [text(call.get("id")) or "", name]
        for message in objects(data.get("output"))
        for call in objects(message.get("tool_calls"))
        if (name := text(fields(call.get("function")).get("name"))) is not None
    ]
    kept: dict[str, Any] = {
        at.REQUEST_MODEL: text(data.get("model")),
        at.RESPONSE_ID: text(data.get("response_id")),
        at.INPUT_TOKENS: _either(usage, "input_tokens", "prompt_tokens"),
        at.OUTPUT_TOKENS: _either(usage, "output_tokens", "completion_tokens"),
        at.CACHE_READ_TOKENS: count(inputs.get("cached_tokens")),
        at.REASONING_TOKENS: count(outputs.get("reasoning_tokens")),
        at.ASKED_TOOLS: asked or None,
    }
    return reported(kept)


def _either(told: dict[str, Any], newer: str, older: str) -> int | None:
    found = count(told.get(newer))
    return count(told.get(older)) if found is None else found
