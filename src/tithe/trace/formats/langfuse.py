"""Langfuse's observations: an export (array or JSON lines), the API's answer (`{"data": [...]}`), or a trace with its
`observations`.

    {"id", "traceId", "parentObservationId", "type", "name", "startTime", "completionStartTime", "endTime", "model",
     "usage": {"input", "output"}, "usageDetails": {"input", "input_cached_tokens", "output", ...}, "level"}

`completionStartTime` is when the first chunk came. Of `usageDetails`, every key with "input" in it is a part of the
prompt, and the parts add up; so do the "output" ones. A trace is a task; an AGENT, CHAIN or SPAN that is alone at its
top is the task's own span. An EVENT is a moment.
"""

from typing import Any

from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.core.part import Part
from tithe.core.span import SpanKind
from tithe.trace.formats.imported import Draft, Imported, ImportedTask, span_id, task_id, task_of
from tithe.trace.formats.source import Source, count, fields, instant, left_out, objects, reported, text
from tithe.trace.message_parts import message_parts

NAME = "langfuse"
SAYS = "Langfuse observations (.json, .jsonl)"
LACKS = None
_KINDS: dict[str, SpanKind] = {
    "GENERATION": "call",
    "TOOL": "tool",
    "RETRIEVER": "tool",
    "AGENT": "branch",
    "EVALUATOR": "validation",
    "GUARDRAIL": "validation",
}
_AROUND = ("AGENT", "CHAIN", "SPAN")
_CACHE_READ = ("input_cached_tokens", "cache_read_input_tokens", "input_cache_read")
_CACHE_WRITE = ("cache_creation_input_tokens", "input_cache_creation", "input_cache_write")
_REASONING = ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens")


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return _is_observation(record) or any(map(_is_observation, objects(record.get("observations"))))


def _is_observation(record: dict[str, Any]) -> bool:
    return (
        "startTime" in record
        and "type" in record
        and ("traceId" in record or "parentObservationId" in record)
    )


def read(source: Source) -> Imported:
    """One task a trace. Raises `UsageError` when there is no observation."""
    traces: dict[str, list[dict[str, Any]]] = {}
    about: dict[str, dict[str, Any]] = {}
    bad: list[int] = []
    for record in source.records:
        told = record.value
        observations = objects(told.get("observations")) if not _is_observation(told) else [told]
        if observations and observations[0] is not told:
            about[text(told.get("id")) or ""] = told
        usable = [
            one for one in observations if text(one.get("id")) and instant(one.get("startTime")) is not None
        ]
        if not observations or len(usable) < len(observations):
            bad.append(record.line)
        for one in usable:
            trace = text(one.get("traceId")) or text(told.get("id")) or source.name
            traces.setdefault(trace, []).append(one)
    if not traces:
        raise UsageError(
            f"{source.name} has no Langfuse observation: `id`, `type`, `traceId` and `startTime` were expected."
        )
    tasks: list[ImportedTask] = []
    notes = source.notes()
    calls = without = 0
    for trace, observations in traces.items():
        drafts = _drafts(trace, observations)
        told = about.get(trace, {})
        session = text(told.get("sessionId")) or next(
            (name for one in observations if (name := text(one.get("sessionId")))), None
        )
        name = text(told.get("name")) or next(
            (name for one in observations if (name := text(one.get("traceName")))), None
        )
        name = name or next((draft.name for draft in drafts if draft.kind == "task"), None)
        tasks.append(
            task_of(task_id(NAME, trace), drafts, source=f"import:{NAME}", name=name, session=session)
        )
        calls += sum(draft.kind == "call" for draft in drafts)
        without += sum(draft.kind == "call" and at.FIRST_TOKEN not in draft.attributes for draft in drafts)
    if without:
        notes.insert(0, f"not reported: the first token of {without:,} of {calls:,} calls")
    if bad:
        notes.append(left_out("record", "without an id and a start in each observation", bad))
    return Imported(tasks=tuple(tasks), notes=tuple(notes))


def _drafts(trace: str, observations: list[dict[str, Any]]) -> list[Draft]:
    ids = {text(one.get("id")) for one in observations}
    tops = [one for one in observations if text(one.get("parentObservationId")) not in ids]
    whole = tops[0] if len(tops) == 1 and tops[0].get("type") in _AROUND else None
    return [_draft(trace, one, whole=one is whole) for one in observations]


def _draft(trace: str, told: dict[str, Any], *, whole: bool) -> Draft:
    type_ = text(told.get("type")) or ""
    kind: SpanKind = "task" if whole else _KINDS.get(type_, "other")
    start = instant(told["startTime"]) or 0
    end = instant(told.get("endTime"))
    name = text(told.get("name")) or type_.lower()
    kept: dict[str, Any] = {}
    if kind == "call":
        kept = _call(told, start)
    elif kind == "tool":
        kept[at.TOOL_NAME] = name
    elif type_ == "AGENT":
        kept[at.AGENT_NAME] = name
    parent = text(told.get("parentObservationId"))
    return Draft(
        id=span_id(NAME, trace, str(told["id"])),
        kind=kind,
        name=name,
        start=start,
        end=start if end is None and type_ == "EVENT" else end,
        parent=None if parent is None or whole else span_id(NAME, trace, parent),
        error="error" if told.get("level") == "ERROR" else None,
        attributes=kept,
        prompt=_prompt(told.get("input")) if kind == "call" else (),
    )


def _prompt(given: Any) -> tuple[Part, ...]:
    """What was sent, where it is messages: by themselves, or with the tools beside them."""
    told = fields(given)
    return message_parts(told.get("messages"), tools=told.get("tools")) if told else message_parts(given)


def _call(told: dict[str, Any], start: int) -> dict[str, Any]:
    first = instant(told.get("completionStartTime"))
    parameters = fields(told.get("modelParameters"))
    kept: dict[str, Any] = {
        at.REQUEST_MODEL: text(told.get("model")) or text(told.get("providedModelName")),
        at.MAX_TOKENS: count(parameters.get("max_tokens")),
        at.FIRST_TOKEN: None if first is None else (first - start) / 1e9,
        at.TTFT_FROM: None if first is None else "chunk",
        **_tokens(fields(told.get("usageDetails")), fields(told.get("usage"))),
    }
    return reported(kept)


def _tokens(details: dict[str, Any], usage: dict[str, Any]) -> dict[str, int | None]:
    if (text(usage.get("unit")) or "TOKENS").upper() != "TOKENS":
        usage = {}
    prompt, answer = _sum(details, "input", "prompt_tokens"), _sum(details, "output", "completion_tokens")
    if prompt is None:
        prompt = _first(usage, "input", "promptTokens", "inputTokens")
    if answer is None:
        answer = _first(usage, "output", "completionTokens", "outputTokens")
    return {
        at.INPUT_TOKENS: prompt,
        at.OUTPUT_TOKENS: answer,
        at.CACHE_READ_TOKENS: _first(details, *_CACHE_READ),
        at.CACHE_WRITE_TOKENS: _first(details, *_CACHE_WRITE),
        at.REASONING_TOKENS: _first(details, *_REASONING),
    }


def _sum(details: dict[str, Any], word: str, older: str) -> int | None:
    parts = [found for key, value in details.items() if word in key and (found := count(value)) is not None]
    return sum(parts) if parts else count(details.get(older))


def _first(told: dict[str, Any], *names: str) -> int | None:
    return next((found for name in names if (found := count(told.get(name))) is not None), None)
