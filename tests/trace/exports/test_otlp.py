"""OTLP/JSON: OpenTelemetry's own parser takes it, GenAI readers find what they look for, and nothing recorded is lost."""

import base64
import json
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tithe.core import Span
from tithe.trace import TaskRecord
from tithe.trace.exports import to_otlp


def parsed(*records: TaskRecord) -> TracesData:
    """As OpenTelemetry reads it. Its ids are hex where Protobuf's JSON has base64: that alone is put right first."""
    written = json.loads(b"".join(to_otlp(records)))
    for resource in written["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json_format.ParseDict(written, TracesData())


def only(data: TracesData) -> list[WireSpan]:
    [resource] = data.resource_spans
    [scope] = resource.scope_spans
    return list(scope.spans)


def value(any_value: Any) -> Any:
    match any_value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [value(one) for one in any_value.array_value.values]
        case "kvlist_value":
            return {one.key: value(one.value) for one in any_value.kvlist_value.values}
        case kind:
            return getattr(any_value, kind)


def attributes(span: WireSpan) -> dict[str, Any]:
    return {one.key: value(one.value) for one in span.attributes}


def test_a_task_is_one_trace_under_one_agent_with_its_calls_and_their_attempts(record) -> None:
    spans = only(parsed(record))
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    assert {span.trace_id.hex() for span in spans} == {record.id}

    def path(span: WireSpan) -> str:
        names = [span.name]
        while span.parent_span_id:
            span = by_id[span.parent_span_id]
            names.insert(0, span.name)
        return " / ".join(names)

    assert sorted(path(span) for span in spans) == [
        "invoke_agent",
        "invoke_agent / =HYPERLINK(1)",
        "invoke_agent / chat nano",
        "invoke_agent / chat nano",
        "invoke_agent / chat nano / tithe.attempt",
        "invoke_agent / chat nano / tithe.attempt",
        "invoke_agent / chat nano / tithe.attempt",
        "invoke_agent / execute_tool search",
        "invoke_agent / invoke_agent",
        "invoke_agent / invoke_agent / chat nano",
        "invoke_agent / invoke_agent / chat nano / tithe.attempt",
        "invoke_agent / tithe.validation",
    ]


def test_who_adds_up_tokens_by_the_conventions_counts_them_once(record) -> None:
    spans = only(parsed(record))
    assert sum(attributes(span).get("gen_ai.usage.input_tokens", 0) for span in spans) == 1200
    [call] = [span for span in spans if "gen_ai.usage.input_tokens" in attributes(span)]
    told = attributes(call)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert told["tithe.phases"] == [["arguments", 0.5, 1.25]]
    assert call.status.code == 0  # its first attempt failed, and it did not
    assert call.kind == WireSpan.SPAN_KIND_CLIENT


def test_failures_are_told_and_stamps_are_exact_to_the_nanosecond(record) -> None:
    by_id = {span.span_id.hex(): span for span in only(parsed(record))}
    failed, answered = by_id["00f067aa0ba902b7"], by_id["00f067aa0ba902b8"]
    assert failed.status.code == 2
    assert attributes(failed)["error.type"] == "http_500"
    assert failed.start_time_unix_nano == 1_790_000_000_250_000_000
    assert answered.end_time_unix_nano - answered.start_time_unix_nano == 1_500_000_001


def recorded(data: TracesData, record: TaskRecord) -> set[tuple[str, str, float, float | None]]:
    """Kind, name, start and end of what was recorded, as an import that heeds the marks has them back."""
    found: set[tuple[str, str, float, float | None]] = set()
    for span in only(data):
        told = attributes(span)
        if told.get("tithe.made"):
            continue
        start, end = (
            record.anchor.monotonic + (stamp - record.unix_ns(record.anchor.monotonic)) / 1e9
            for stamp in (span.start_time_unix_nano, span.end_time_unix_nano)
        )
        name = told.get("tithe.name", span.name)
        found.add(
            (told["tithe.kind"], name, round(start, 9), None if told.get("tithe.open") else round(end, 9))
        )
    return found


def test_an_import_can_have_back_what_was_recorded(record) -> None:
    assert recorded(parsed(record), record) == {
        (span.kind, span.name, round(span.start, 9), None if span.end is None else round(span.end, 9))
        for span in record.spans
    }
    told = {attributes(span).get("tithe.kind"): attributes(span) for span in only(parsed(record))}
    assert told["attempt"]["tithe.attempt.gen_ai.request.model"] == "nano"


def test_ids_are_the_same_each_time_and_of_two_tasks_different(record) -> None:
    other = TaskRecord(
        id="import/7",
        anchor=record.anchor,
        source="import:weka",
        name=None,
        session=None,
        spans=(Span(id="r0", trace="import/7", kind="call", name="request", start=1000.0, end=1001.0),),
    )
    both = parsed(record, other)
    assert both == parsed(record, other)
    traces = [resource.scope_spans[0].spans[0].trace_id for resource in both.resource_spans]
    assert len(set(traces)) == 2
    assert {len(trace) for trace in traces} == {16}


def test_every_type_of_attribute_is_written_as_its_own(record) -> None:
    odd = {
        "a": True, "b": -(2**63), "c": 0.5, "d": "x", "e": None, "f": b"\xff", "g": [1, ["y", None]],
        "h": {"i": {"j": 2}}, "k": 2**63, "m": float("inf"), "n": "</script>",
    }  # fmt: skip
    one = Span(id="a", trace="t", kind="other", name="odd", start=1000.0, end=1001.0, attributes=odd)
    task = TaskRecord(id="t", anchor=record.anchor, source="api", name=None, session=None, spans=(one,))
    [span] = [span for span in only(parsed(task)) if span.name == "odd"]
    told = attributes(span)
    assert {key: told[key] for key in odd} == odd | {"k": str(2**63)}


def test_no_tasks_are_an_empty_document() -> None:
    assert len(parsed().resource_spans) == 0
