"""OTLP over HTTP: what the real exporter of the real SDK sends is read, in both encodings, to the nanosecond."""

import asyncio
import contextlib
import gzip
import json
import time
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tithe.core import Anchor, Span
from tithe.core.errors import InvalidRequest, TooLarge
from tithe.net.scripted import Reply, ScriptedServer
from tithe.trace.merging import merge, merged
from tithe.trace.otel import OtelSpan
from tithe.trace.otlp import JSON, LIMIT, PROTOBUF, Traces, decode_traces, encode_response, on_clock

TRACE, SPAN = bytes(range(16)), bytes(range(8, 16))
START = 1_790_000_000_123_456_789


def request(**fields: Any) -> ExportTraceServiceRequest:
    """An export of one span."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "agent"
    scoped = group.scope_spans.add()
    scoped.scope.name = "an.instrumentation"
    given = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "name": "chat m",
        "start_time_unix_nano": START,
        "end_time_unix_nano": START + 1,
    }
    scoped.spans.add(**(given | fields))
    return made


def as_json(made: ExportTraceServiceRequest) -> bytes:
    """OTLP's JSON: protobuf's own, but for ids in hex and enums as numbers."""
    told = MessageToDict(made, use_integers_for_enums=True)
    for group in told["resourceSpans"]:
        for scoped in group["scopeSpans"]:
            for span, whole in zip(scoped["spans"], made.resource_spans[0].scope_spans[0].spans, strict=True):
                span["traceId"], span["spanId"] = whole.trace_id.hex(), whole.span_id.hex().upper()
                if whole.parent_span_id:
                    span["parentSpanId"] = whole.parent_span_id.hex()
    return json.dumps(told).encode()


def both(made: ExportTraceServiceRequest) -> Traces:
    """What is read of an export, after seeing that both encodings say the same."""
    one = decode_traces(made.SerializeToString(), PROTOBUF)
    other = decode_traces(as_json(made), f"{JSON}; charset=utf-8")
    assert one == other
    return one


def test_a_span_is_read_whole() -> None:
    made = request(parent_span_id=b"12345678", status={"code": 2, "message": "secret"})
    span = made.resource_spans[0].scope_spans[0].spans[0]
    for key, value in (
        ("text", AnyValue(string_value="ü")),
        ("yes", AnyValue(bool_value=False)),
        ("whole", AnyValue(int_value=-(2**62))),
        ("real", AnyValue(double_value=0.25)),
        ("bytes", AnyValue(bytes_value=b"\0\1")),
        (
            "list",
            AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="a"), AnyValue(int_value=1)])),
        ),
        (
            "map",
            AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(int_value=2))])),
        ),
    ):
        span.attributes.add(key=key, value=value)
    event = span.events.add(name="first token", time_unix_nano=START + 5)
    event.attributes.add(key="n").value.int_value = 3
    [read] = both(made).spans
    assert read.trace_id == TRACE.hex()
    assert read.span_id == SPAN.hex()
    assert read.parent_id == b"12345678".hex()
    assert (read.name, read.scope, read.failed) == ("chat m", "an.instrumentation", True)
    assert (read.start_ns, read.end_ns) == (START, START + 1)
    assert read.resource == {"service.name": "agent"}
    assert read.attributes == {
        "text": "ü",
        "yes": False,
        "whole": -(2**62),
        "real": 0.25,
        "bytes": b"\0\1",
        "list": ["a", 1],
        "map": {"k": 2},
    }
    assert [(event.name, event.at_ns, event.attributes) for event in read.events] == [
        ("first token", START + 5, {"n": 3})
    ]
    assert "secret" not in repr(read)


def test_a_root_that_has_not_ended_has_neither_parent_nor_end() -> None:
    [read] = both(request(end_time_unix_nano=0)).spans
    assert (read.parent_id, read.end_ns, read.failed) == (None, None, False)


@pytest.mark.parametrize(
    "wrong", [{"trace_id": b""}, {"span_id": b"short"}, {"trace_id": bytes(16)}, {"start_time_unix_nano": 0}]
)
def test_what_is_no_span_is_counted_and_told(wrong: dict[str, Any]) -> None:
    made = request(**wrong)
    made.resource_spans[0].scope_spans[0].spans.add(
        trace_id=TRACE, span_id=SPAN, name="good", start_time_unix_nano=START
    )
    read = both(made)
    assert [span.name for span in read.spans] == ["good"]
    assert read.refused == 1
    body, kind = encode_response(PROTOBUF, read)
    told = ExportTraceServiceResponse.FromString(body).partial_success
    assert (told.rejected_spans, kind) == (1, PROTOBUF)
    assert "without a" in told.error_message
    body, kind = encode_response(f"{JSON};charset=utf-8", read)
    assert (json.loads(body)["partialSuccess"]["rejectedSpans"], kind) == ("1", JSON)


def test_when_nothing_was_refused_the_answer_is_empty() -> None:
    assert encode_response(PROTOBUF, Traces(())) == (b"", PROTOBUF)
    assert encode_response(JSON, Traces(())) == (b"{}", JSON)


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), (" GZIP ", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_body_is_unpacked(encoding: str, pack: Any) -> None:
    plain = request().SerializeToString()
    assert decode_traces(pack(plain), PROTOBUF, encoding) == decode_traces(plain, PROTOBUF)


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "message"),
    [
        (b"", "text/plain", None, "text/plain: send OTLP/HTTP"),
        (b"", None, None, "of no type"),
        (b"", PROTOBUF, "br", "packed with br"),
        (b"plain", PROTOBUF, "gzip", "say that they are gzip, and are not"),
        (gzip.compress(b"x" * 1000)[:-9], PROTOBUF, "gzip", "cut short"),
        (b"\xff\xff\xff", PROTOBUF, None, "not an OTLP ExportTraceServiceRequest"),
        (b"{", JSON, None, "not OTLP JSON"),
        (b"[]", JSON, None, "not OTLP JSON"),
        (b'{"resourceSpans": 1}', JSON, None, "not OTLP JSON"),
        (b'{"resourceSpans": "\xff"}', JSON, None, "not OTLP JSON"),
        (
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"soon"}]}]}]}',
            JSON,
            None,
            "not OTLP JSON",
        ),
        (
            b'{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":'
            + b'{"arrayValue":{"values":[' * 5000
            + b"]}}" * 5000
            + b"}]}}]}",
            JSON,
            None,
            "not OTLP JSON",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    body: bytes, kind: str | None, encoding: str | None, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        decode_traces(body, kind, encoding)


def test_a_body_that_unpacks_without_end_is_refused() -> None:
    with pytest.raises(TooLarge, match="64 MiB"):
        decode_traces(gzip.compress(bytes(LIMIT + 1)), PROTOBUF, "gzip")
    with pytest.raises(TooLarge):
        decode_traces(bytes(LIMIT + 1), PROTOBUF)


@given(st.binary(max_size=200), st.sampled_from([PROTOBUF, JSON]), st.sampled_from([None, "gzip", "deflate"]))
def test_no_bytes_do_anything_but_be_read_or_refused(body: bytes, kind: str, encoding: str | None) -> None:
    with contextlib.suppress(InvalidRequest):
        decode_traces(body, kind, encoding)


# One clock.


@given(st.integers(0, 10**12), st.integers(0, 10**10))
def test_times_keep_their_nanoseconds(after_ns: int, length_ns: int) -> None:
    anchor = Anchor(monotonic=1000.0, unix=1_790_000_000.25)
    start = 1_790_000_000_250_000_000 + after_ns
    otel = OtelSpan(trace_id="1" * 32, span_id="2" * 16, start_ns=start, end_ns=start + length_ns)
    [span] = on_clock([otel], anchor, received=1e9)
    assert span.end is not None
    assert span.start == 1000.0 + after_ns / 1e9
    assert abs(span.end - span.start - length_ns / 1e9) < 1e-12 * max(1000, after_ns / 1e9)
    assert span.attributes == {"tithe.source": "otlp"}


def test_a_clock_that_was_set_is_noted() -> None:
    anchor = Anchor(monotonic=0.0, unix=1_790_000_000.0)
    start = 1_790_000_000_000_000_000

    def skew(start_ns: int, end_ns: int | None, received: float) -> tuple[float | None, Any]:
        otel = OtelSpan(trace_id="1" * 32, span_id="2" * 16, start_ns=start_ns, end_ns=end_ns)
        [span] = on_clock([otel], anchor, received)
        return span.end, span.attributes.get("tithe.clock_skew_s")

    assert skew(start, start + 2_000_000_000, received=2.5) == (2.0, None)
    assert skew(start, start + 3_000_000_000, received=2.5) == (3.0, 0.5)
    assert skew(start + 2_000_000_000, start + 1_000_000_000, received=2.5) == (2.0, 1.0)
    assert skew(start, None, received=2.5) == (None, None)


# The real SDK, exporter and instrumentations, and a real client.

USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 3,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 4},
}
TOOL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}


def whole(response: str) -> Reply:
    """An answer in one piece, which asks for a tool."""
    message = {"role": "assistant", "content": None, "tool_calls": [TOOL]}
    answer = {
        "id": response,
        "object": "chat.completion",
        "created": 1,
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": USAGE,
    }
    return Reply(chunks=[(0.01, json.dumps(answer).encode())], headers={"content-type": "application/json"})


def streamed(response: str) -> Reply:
    head = {"id": response, "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({"tool_calls": [{"index": 0, **TOOL}]}, None),
        ({}, "tool_calls"),
    ]
    chunks: list[dict[str, Any]] = [
        head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in deltas
    ]
    chunks.append(head | {"choices": [], "usage": USAGE})
    lines = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return Reply(chunks=[*((0.005, line) for line in lines), (0.0, b"data: [DONE]\n\n")])


class Receiver:
    """A server as the proxy's: it decodes what is posted, and keeps it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.encodings: list[str | None] = []
        self.anchor = Anchor.take(time.perf_counter())
        self.url = ""

    async def post(self, asked: web.Request) -> web.Response:
        encoding, kind = asked.headers.get("content-encoding"), asked.headers.get("content-type")
        traces = decode_traces(await asked.read(), kind, encoding)
        self.encodings.append(encoding)
        self.spans += on_clock(traces.spans, self.anchor, time.perf_counter())
        body, kind = encode_response(kind, traces)
        return web.Response(body=body, content_type=kind)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/otlp/v1/traces", made.post)
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/otlp/v1/traces"
    yield made
    await runner.cleanup()


async def run_agent(receiver: Receiver, compression: Compression, *instrumentors: Any) -> None:
    """An agent of two calls, one streamed, under its own span."""
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=receiver.url, compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "the secret"}]}
    try:
        async with (
            ScriptedServer(whole("resp-1"), streamed("resp-2")) as server,
            AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client,
        ):
            named = {"gen_ai.operation.name": "invoke_agent"}
            with provider.get_tracer("an agent").start_as_current_span("agent", attributes=named):
                await client.chat.completions.create(**asked)
                options = {"include_usage": True}
                async for _ in await client.chat.completions.create(
                    **asked, stream=True, stream_options=options
                ):
                    pass
        await asyncio.to_thread(provider.force_flush)
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
        await asyncio.to_thread(provider.shutdown)


def openinference() -> Any:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    return OpenAIInstrumentor()


def opentelemetry() -> Any:
    # Its 2.4b0 imports httpx, which it does not require, and a module that opentelemetry-util-genai has up to 1.0b0.
    instrumentation = pytest.importorskip(
        "opentelemetry.instrumentation.openai_v2", exc_type=ImportError, reason="it cannot be imported"
    )
    return instrumentation.OpenAIInstrumentor()


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("instrumentation", [openinference, opentelemetry])
async def test_an_instrumented_client_s_calls_are_read(
    receiver: Receiver, instrumentation: Callable[[], Any], compression: Compression
) -> None:
    before = time.perf_counter()
    await run_agent(receiver, compression, instrumentation())
    assert {encoding or "none" for encoding in receiver.encodings} == {compression.value}
    [agent] = [span for span in receiver.spans if span.kind == "task"]
    calls = [span for span in receiver.spans if span.kind == "call"]
    assert len(calls) == 2
    assert all(call.parent == agent.id and call.trace == agent.trace for call in calls)
    assert [call.attributes["gen_ai.usage.input_tokens"] for call in calls] == [10, 10]
    # The wall clock is read at another instant than the machine's, so they agree to what lies between.
    slack = 0.05
    for span in receiver.spans:
        assert span.end is not None
        assert before - slack <= span.start <= span.end <= time.perf_counter() + slack
    assert calls[1].end is not None
    assert calls[1].end - calls[1].start >= 0.015


async def test_attempts_and_two_instrumentations_of_the_same_calls_are_one_run(receiver: Receiver) -> None:
    await run_agent(receiver, Compression.Gzip, opentelemetry(), openinference())
    [agent] = [span for span in receiver.spans if span.kind == "task"]
    attempts = [
        Span(
            id=f"attempt-{response}",
            trace="proxied",
            kind="attempt",
            name="m",
            start=call.start + 0.001,
            end=call.end,
            parent=f"call-{response}",
            attributes={"tithe.source": "proxy", "gen_ai.response.id": response},
        )
        for call in receiver.spans
        if (response := call.attributes.get("gen_ai.response.id"))
    ]
    assert len(attempts) == 2
    spans = [*receiver.spans, *attempts]
    outcome = merge(spans)
    after = {span.id: span for span in merged(spans, outcome)}
    standing = [
        span for span in after.values() if span.kind == "call" and "tithe.duplicate_of" not in span.attributes
    ]
    assert len(standing) == 2
    assert {span.attributes["gen_ai.response.id"] for span in standing} == {"resp-1", "resp-2"}
    # One of the two tells the response's id, the other the cached tokens.
    assert {span.attributes["gen_ai.usage.cache_read.input_tokens"] for span in standing} == {4}
    assert outcome.linked == {"response": 2}
    for attempt in attempts:
        call = after[after[attempt.id].parent or ""]
        assert call in standing
        assert call.attributes["gen_ai.response.id"] == attempt.attributes["gen_ai.response.id"]
        assert call.parent == agent.id
        assert after[attempt.id].trace == agent.trace
