"""OTLP over HTTP, the reading of it: the bodies that an OpenTelemetry exporter posts, protobuf or JSON, as spans.

The format is opentelemetry.io/docs/specs/otlp (1.x). In its JSON, unlike protobuf's own, ids are hex and enums numbers;
names are lowerCamelCase, 64-bit integers may be strings, and what is not known is to be ignored.

OTLP's times are nanoseconds of the wall clock. They are compared with the recording's anchor as integers, and become
seconds only then: a float of seconds since 1970 has no room for nanoseconds. Where the wall clock was set during the
recording, spans lie as much aside. One that ends after it was received, or before its own start, says by how much in
`tithe.clock_skew_s`; it is left where it is, with no length in the second case.
"""

import base64
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tithe.core.attributes import CLOCK_SKEW, SOURCE
from tithe.core.errors import InvalidRequest, TooLarge
from tithe.core.span import Anchor, Span
from tithe.trace.gen_ai import to_span
from tithe.trace.otel import OtelEvent, OtelSpan

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
LIMIT = 64 * 1024 * 1024  # bytes of a body, unpacked
NS = 1_000_000_000


class Traces(NamedTuple):
    """What a body held. `refused` counts the spans that are none (no id, or no start), and `reason` is of the last."""

    spans: tuple[OtelSpan, ...]
    refused: int = 0
    reason: str = ""


def decode_traces(body: bytes, content_type: str | None, content_encoding: str | None = None) -> Traces:
    """The spans of an export request.

    Args:
        content_type: the header; protobuf or JSON.
        content_encoding: the header; gzip, deflate, or none.

    Raises:
        InvalidRequest: it is of another type or encoding, or malformed.
        TooLarge: it unpacks to more than `LIMIT` bytes.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in (PROTOBUF, JSON):
        raise InvalidRequest(
            f"The traces are {kind or 'of no type'}: send OTLP/HTTP as {PROTOBUF} or {JSON}.",
            param="content-type",
        )
    plain = _unpacked(body, (content_encoding or "identity").strip().lower())
    return _of_protobuf(plain) if kind == PROTOBUF else _of_json(plain)


def encode_response(content_type: str | None, traces: Traces) -> tuple[bytes, str]:
    """The answer to an export request that was read, and its type: the request's. It tells what was refused."""
    if (content_type or "").partition(";")[0].strip().lower() == JSON:
        told = {"rejectedSpans": str(traces.refused), "errorMessage": traces.reason}
        return msgspec.json.encode({"partialSuccess": told} if traces.refused else {}), JSON
    answer = ExportTraceServiceResponse()
    if traces.refused:
        answer.partial_success.CopyFrom(
            ExportTracePartialSuccess(rejected_spans=traces.refused, error_message=traces.reason)
        )
    return answer.SerializeToString(), PROTOBUF


def on_clock(otel: Iterable[OtelSpan], anchor: Anchor, received: float) -> list[Span]:
    """Spans of the record, on its clock, each with the source `otlp`.

    Args:
        anchor: the recording's.
        received: when they came, in seconds of the recording's clock.
    """
    numerator, denominator = anchor.unix.as_integer_ratio()
    unix_ns = numerator * NS // denominator  # exact; a product of floats is 100 ns off
    spans: list[Span] = []
    for each in otel:
        span = to_span(each)
        start = anchor.monotonic + (each.start_ns - unix_ns) / NS
        told = {**span.attributes, SOURCE: "otlp"}
        end = None
        if each.end_ns is not None:
            # From its own start, so that a length is as exact as it was told.
            end = start + max(0, each.end_ns - each.start_ns) / NS
            skew = max(end - received, (each.start_ns - each.end_ns) / NS)
            if skew > 0:
                told[CLOCK_SKEW] = skew
        spans.append(msgspec.structs.replace(span, start=start, end=end, attributes=told))
    return spans


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "identity":
        if len(body) > LIMIT:
            raise _too_large()
        return body
    if encoding not in ("gzip", "deflate"):
        raise InvalidRequest(
            f"The traces are packed with {encoding}: use gzip, deflate, or nothing.", param="content-encoding"
        )
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(body, LIMIT + 1)
    except zlib.error as error:
        raise InvalidRequest(f"The traces say that they are {encoding}, and are not: {error}.") from error
    if len(plain) > LIMIT:
        raise _too_large()
    if not unpacker.eof:
        raise InvalidRequest(f"The traces' {encoding} ends in the middle: the body was cut short.")
    return plain


def _too_large() -> TooLarge:
    return TooLarge(f"The traces are over {LIMIT >> 20} MiB: export smaller batches.")


class _Reading:
    """Collects spans, and counts those that are none."""

    def __init__(self) -> None:
        self.spans: list[OtelSpan] = []
        self.refused = 0
        self.reason = ""

    def take(self, span: OtelSpan) -> None:
        if not _is_id(span.trace_id, 32) or not _is_id(span.span_id, 16):
            self._refuse(f"a span ({span.name!r}) without a trace id of 16 bytes and a span id of 8")
        elif span.start_ns <= 0:
            self._refuse(f"a span ({span.name!r}) without a start")
        else:
            self.spans.append(span)

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        self.reason = reason

    def done(self) -> Traces:
        return Traces(tuple(self.spans), self.refused, self.reason)


def _is_id(text: str, digits: int) -> bool:
    return len(text) == digits and not set(text) - set("0123456789abcdef") and bool(text.strip("0"))


def _of_protobuf(plain: bytes) -> Traces:
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(plain)
    except DecodeError as error:
        raise InvalidRequest(f"The traces are not an OTLP ExportTraceServiceRequest: {error}.") from error
    reading = _Reading()
    for group in request.resource_spans:
        resource = _pairs(group.resource.attributes)
        for scoped in group.scope_spans:
            for span in scoped.spans:
                reading.take(_span(span, scoped.scope.name, resource))
    return reading.done()


def _span(span: trace_pb2.Span, scope: str, resource: dict[str, Any]) -> OtelSpan:
    return OtelSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() or None,
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano or None,  # 0 is OTLP's word for none
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        attributes=_pairs(span.attributes),
        events=tuple(
            OtelEvent(name=event.name, at_ns=event.time_unix_nano, attributes=_pairs(event.attributes))
            for event in span.events
        ),
        scope=scope,
        resource=resource,
    )


def _pairs(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return _pairs(value.kvlist_value.values)
        case None:
            return None
        case plain:
            return getattr(value, plain)


class _JsonValue(msgspec.Struct, frozen=True, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: "_JsonArray | None" = None
    kvlist_value: "_JsonList | None" = None


class _JsonArray(msgspec.Struct, frozen=True):
    values: list[_JsonValue] = []


class _JsonPair(msgspec.Struct, frozen=True):
    key: str = ""
    value: _JsonValue | None = None


class _JsonList(msgspec.Struct, frozen=True):
    values: list[_JsonPair] = []


class _JsonEvent(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    time_unix_nano: int | str = 0
    attributes: list[_JsonPair] = []


class _JsonStatus(msgspec.Struct, frozen=True):
    code: int | str = 0


class _JsonSpan(msgspec.Struct, frozen=True, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[_JsonPair] = []
    events: list[_JsonEvent] = []
    status: _JsonStatus | None = None


class _JsonScope(msgspec.Struct, frozen=True):
    name: str = ""


class _JsonScoped(msgspec.Struct, frozen=True):
    scope: _JsonScope | None = None
    spans: list[_JsonSpan] = []


class _JsonResource(msgspec.Struct, frozen=True):
    attributes: list[_JsonPair] = []


class _JsonGroup(msgspec.Struct, frozen=True, rename="camel"):
    resource: _JsonResource | None = None
    scope_spans: list[_JsonScoped] = []


class _JsonTraces(msgspec.Struct, frozen=True, rename="camel"):
    resource_spans: list[_JsonGroup] = []


def _of_json(plain: bytes) -> Traces:
    reading = _Reading()
    try:
        request = msgspec.json.decode(plain, type=_JsonTraces)
        for group in request.resource_spans:
            resource = _json_pairs(group.resource.attributes) if group.resource is not None else {}
            for scoped in group.scope_spans:
                scope = scoped.scope.name if scoped.scope is not None else ""
                for span in scoped.spans:
                    reading.take(_json_span(span, scope, resource))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"The traces are not OTLP JSON: {error}.") from error
    return reading.done()


def _json_span(span: _JsonSpan, scope: str, resource: dict[str, Any]) -> OtelSpan:
    return OtelSpan(
        trace_id=span.trace_id.lower(),
        span_id=span.span_id.lower(),
        parent_id=span.parent_span_id.lower() or None,
        name=span.name,
        start_ns=int(span.start_time_unix_nano),
        end_ns=int(span.end_time_unix_nano) or None,
        # Some write the enum's name, as protobuf's own JSON does.
        failed=span.status is not None and span.status.code in (2, "STATUS_CODE_ERROR"),
        attributes=_json_pairs(span.attributes),
        events=tuple(
            OtelEvent(
                name=event.name, at_ns=int(event.time_unix_nano), attributes=_json_pairs(event.attributes)
            )
            for event in span.events
        ),
        scope=scope,
        resource=resource,
    )


def _json_pairs(pairs: Sequence[_JsonPair]) -> dict[str, Any]:
    return {pair.key: _json_value(pair.value) for pair in pairs}


def _json_value(value: _JsonValue | None) -> Any:
    if value is None:
        return None
    if value.array_value is not None:
        return [_json_value(each) for each in value.array_value.values]
    if value.kvlist_value is not None:
        return _json_pairs(value.kvlist_value.values)
    if value.int_value is not None:
        return int(value.int_value)
    if value.double_value is not None:
        return float(value.double_value)  # "NaN" and "Infinity" are strings
    if value.bytes_value is not None:
        return base64.b64decode(value.bytes_value, validate=True)
    return value.string_value if value.string_value is not None else value.bool_value
