"""Spans of OpenTelemetry's as spans of the record: the GenAI conventions, old names and new, and OpenInference's.

What a span is, by the first of these that it has:

| attribute | call | tool | validation | task at a trace's root, else branch | task at the root, else other |
|---|---|---|---|---|---|
| `tithe.kind` | as it says | | | | |
| `gen_ai.operation.name` | chat, text_completion, generate_content | execute_tool, retrieval | | invoke_agent | invoke_workflow |
| `openinference.span.kind` | LLM | TOOL, RETRIEVER | GUARDRAIL, EVALUATOR | AGENT | CHAIN |
| `traceloop.span.kind` | | tool | | agent | workflow |
| `llm.request.type` | chat, completion | | | | |

and `other` where it has none. The conventions' call covers its retries, of which an HTTP instrumentation may tell:
`with_attempts` finds them once a whole trace is there.

Only what is listed here is taken over: attributes may hold prompts, answers, arguments and keys. Of an exception its
class is kept. Sources: opentelemetry.io/docs/specs/semconv/gen-ai, the OpenInference specification (semantic
conventions), OpenLLMetry's conventions, and vLLM's request spans (`gen_ai.latency.*`).
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from tithe.core import attributes as at
from tithe.core.span import Span, SpanKind
from tithe.trace.gen_ai_tools import asked_tools, finish_reasons, tool_results
from tithe.trace.otel import OtelSpan

NS = 1_000_000_000
_METHOD = "http.request.method"  # of a span that is an HTTP request

# Ours, and the names that others have or had for it, the newest first.
_TEXTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (at.OPERATION, (at.OPERATION,)),
    (at.PROVIDER, (at.PROVIDER, "gen_ai.system", "llm.provider", "llm.system")),
    (at.CONVERSATION, (at.CONVERSATION, "session.id", "traceloop.association.properties.session_id")),
    (at.AGENT_NAME, (at.AGENT_NAME, "agent.name")),
    (at.REQUEST_MODEL, (at.REQUEST_MODEL, "llm.request.model_name", "llm.request.model", "llm.model_name")),
    (at.RESPONSE_MODEL, (at.RESPONSE_MODEL, "llm.response.model_name", "llm.response.model")),
    (at.RESPONSE_ID, (at.RESPONSE_ID, "gen_ai.response_id")),
    (at.TOOL_NAME, (at.TOOL_NAME, "tool.name")),
    (at.TOOL_TYPE, (at.TOOL_TYPE,)),
    (at.TOOL_CALL_ID, (at.TOOL_CALL_ID, "tool_call.id", "tool.id")),
    (at.SERVER, (at.SERVER, "net.peer.name")),
    (_METHOD, (_METHOD, "http.method")),
)
_COUNTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        at.INPUT_TOKENS,
        (
            at.INPUT_TOKENS,
            "gen_ai.usage.prompt_tokens",
            "llm.usage.prompt_tokens",
            "llm.token_count.prompt",
        ),
    ),
    (
        at.OUTPUT_TOKENS,
        (
            at.OUTPUT_TOKENS,
            "gen_ai.usage.completion_tokens",
            "llm.usage.completion_tokens",
            "llm.token_count.completion",
        ),
    ),
    (
        at.CACHE_READ_TOKENS,
        (
            at.CACHE_READ_TOKENS,
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "llm.token_count.prompt_details.cache_read",
        ),
    ),
    (
        at.CACHE_WRITE_TOKENS,
        (
            at.CACHE_WRITE_TOKENS,
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "llm.token_count.prompt_details.cache_write",
        ),
    ),
    (
        at.REASONING_TOKENS,
        (
            at.REASONING_TOKENS,
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
        ),
    ),
    (at.MAX_TOKENS, (at.MAX_TOKENS, "llm.request.max_tokens")),
    (at.CHOICES, (at.CHOICES,)),
    (at.STATUS, (at.STATUS, "http.status_code")),
)
_SECONDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (at.TEMPERATURE, (at.TEMPERATURE, "llm.request.temperature")),
    (at.TIME_TO_FIRST_CHUNK, (at.TIME_TO_FIRST_CHUNK,)),
    (at.FIRST_TOKEN, ("gen_ai.latency.time_to_first_token",)),
    (at.QUEUE, ("gen_ai.latency.time_in_queue",)),
    (at.PREFILL, ("gen_ai.latency.time_in_model_prefill",)),
    (at.DECODE, ("gen_ai.latency.time_in_model_decode",)),
)
_FIRST_CHUNK_EVENTS = frozenset(
    ("First Token Stream Event", "llm.content.completion.chunk", "ai.stream.firstChunk")
)

_KINDS: dict[str, dict[str, SpanKind]] = {
    at.OPERATION: {
        "chat": "call",
        "text_completion": "call",
        "generate_content": "call",
        "completion": "call",
        "execute_tool": "tool",
        "retrieval": "tool",
        "invoke_agent": "branch",
        "invoke_workflow": "other",
    },
    "openinference.span.kind": {
        "LLM": "call",
        "TOOL": "tool",
        "RETRIEVER": "tool",
        "GUARDRAIL": "validation",
        "EVALUATOR": "validation",
        "AGENT": "branch",
        "CHAIN": "other",
    },
    "traceloop.span.kind": {"tool": "tool", "agent": "branch", "workflow": "other"},
    "llm.request.type": {"chat": "call", "completion": "call"},
}
_ROOTS = frozenset(("invoke_agent", "invoke_workflow", "AGENT", "CHAIN", "agent", "workflow"))
_OURS: frozenset[str] = frozenset(SpanKind.__args__)
_CLASS = re.compile(r"[\w.:$/<>-]{1,120}")


def to_span(otel: OtelSpan, origin_ns: int | None = None) -> Span:
    """The span of the record that one of OpenTelemetry's is, with the ids that it has there.

    Args:
        origin_ns: what its stamps are told from, in nanoseconds since the epoch; its own start if none is given.

    Its `tithe.*` attributes come back as our export wrote them. One that has `tithe.made` was never recorded: whoever
    reads leaves it out. Raises nothing.
    """
    origin = otel.start_ns if origin_ns is None else origin_ns
    told = otel.attributes
    kind = _kind(otel)
    kept = _kept(told)
    name = kept.pop(at.NAME, None)
    ours = kept.pop(at.KIND, None) is not None
    is_open = kept.pop(at.RUNS_OUT, None) is True
    if not ours:
        _derive(otel, kind, kept)
    start = (
        otel.start_ns - origin
    ) / NS  # subtracted as integers: a float of seconds since 1970 is not exact
    end = None if otel.end_ns is None or is_open else (otel.end_ns - origin) / NS
    return Span(
        id=otel.span_id,
        trace=otel.trace_id,
        kind=kind,
        name=name if isinstance(name, str) else _name(otel, kind, kept),
        start=start,
        end=end,
        parent=otel.parent_id,
        error=_error(otel),
        attributes=kept,
    )


def with_attempts(spans: Iterable[Span]) -> list[Span]:
    """The spans of whole traces, with the HTTP requests directly under a call as its attempts where one of them failed.

    An HTTP span may end with the response's headers, long before the last token. So the request that answered reaches to its
    call's end, and has the call's first token. Where none failed they tell nothing that the call does not, and stay.
    """
    spans = list(spans)
    calls = {span.id: span for span in spans if span.kind == "call"}
    requests: dict[str, list[Span]] = {}
    for span in spans:
        if span.parent in calls and span.kind == "other" and _METHOD in span.attributes:
            requests.setdefault(span.parent, []).append(span)
    changed: dict[str, Span] = {}
    for parent, tried in requests.items():
        if all(span.error is None for span in tried):
            continue
        call = calls[parent]
        last = max(tried, key=lambda span: span.start)
        for span in tried:
            changed[span.id] = msgspec.structs.replace(span, kind="attempt")
        if last.error is None and call.error is None:
            changed[last.id] = _answering(last, call)
    return [changed.get(span.id, span) for span in spans]


def _answering(request: Span, call: Span) -> Span:
    told = dict(request.attributes)
    first = call.attributes.get(at.FIRST_TOKEN)
    if first is not None:
        told[at.FIRST_TOKEN] = max(0.0, first - (request.start - call.start))
        if at.TTFT_FROM in call.attributes:
            told[at.TTFT_FROM] = call.attributes[at.TTFT_FROM]
    return msgspec.structs.replace(request, kind="attempt", end=call.end, attributes=told)


def _kind(otel: OtelSpan) -> SpanKind:
    told = otel.attributes
    own = told.get(at.KIND)
    if isinstance(own, str) and own in _OURS:
        return cast("SpanKind", own)
    for attribute, kinds in _KINDS.items():
        value = told.get(attribute)
        if not isinstance(value, str):
            continue
        if value in _ROOTS and otel.parent_id is None:
            return "task"
        if value in kinds:
            return kinds[value]
    return "other"


def _kept(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is taken over of a span's attributes, under our names."""
    kept: dict[str, Any] = {}
    for ours, theirs in _TEXTS:
        value = next((told[one] for one in theirs if isinstance(told.get(one), str) and told[one]), None)
        if value is not None:
            kept[ours] = value
    for ours, theirs in _COUNTS:
        value = next((count for one in theirs if (count := _count(told.get(one))) is not None), None)
        if value is not None:
            kept[ours] = value
    for ours, theirs in _SECONDS:
        value = next((number for one in theirs if (number := _number(told.get(one))) is not None), None)
        if value is not None:
            kept[ours] = value
    if isinstance(told.get(at.REQUEST_STREAM), bool):
        kept[at.REQUEST_STREAM] = told[at.REQUEST_STREAM]
    for name, value in told.items():
        if name.startswith(at.OF_ATTEMPT):
            kept[name.removeprefix(at.OF_ATTEMPT)] = value
        elif name.startswith("tithe."):
            kept[name] = value
    return kept


def _derive(otel: OtelSpan, kind: SpanKind, kept: dict[str, Any]) -> None:
    """What others tell in messages and events: tools asked for and answered, why it ended, the first chunk."""
    if kind != "call":
        return
    told, events = otel.attributes, otel.events
    found = {
        at.FINISH_REASONS: finish_reasons(told, events),
        at.ASKED_TOOLS: asked_tools(told, events),
        at.TOOL_RESULTS: tool_results(told),
    }
    kept |= {name: value for name, value in found.items() if value}
    if at.FIRST_TOKEN in kept:
        return
    chunk = kept.get(at.TIME_TO_FIRST_CHUNK)
    if chunk is None:
        firsts = [event.at_ns for event in events if event.name in _FIRST_CHUNK_EVENTS]
        chunk = (min(firsts) - otel.start_ns) / NS if firsts else None
    if chunk is not None:
        kept[at.FIRST_TOKEN] = chunk
        kept[at.TTFT_FROM] = "chunk"


def _name(otel: OtelSpan, kind: SpanKind, kept: Mapping[str, Any]) -> str:
    if kind == "tool":
        return kept.get(at.TOOL_NAME) or otel.name.removeprefix("execute_tool ")
    if kind in ("task", "branch"):
        return kept.get(at.AGENT_NAME) or otel.name.removeprefix("invoke_agent ")
    return otel.name


def _error(otel: OtelSpan) -> str | None:
    """The class or code of what went wrong; messages are left where they are."""
    told = otel.attributes
    status = _count(told.get(at.STATUS, told.get("http.status_code")))
    kinds = [told.get(at.ERROR)]
    if not otel.failed and kinds == [None] and (status is None or status < 400):
        return None
    kinds += [
        event.attributes.get("exception.type") for event in reversed(otel.events) if event.name == "exception"
    ]
    if status is not None and status >= 400:
        kinds.append(str(status))
    return next((kind for kind in kinds if isinstance(kind, str) and _CLASS.fullmatch(kind)), "error")


def _count(value: Any) -> int | None:
    """A count that may be told as a float or a string."""
    number = _number(value)
    return int(number) if number is not None and 0 <= number < 2**63 else None


def _number(value: Any) -> float | int | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None
