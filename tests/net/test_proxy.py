"""The proxy between real clients and a scripted server, written to a real store."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

import anthropic
import openai
import pytest

from tithe.core import Span
from tithe.net.proxy import Receipt
from tithe.net.scripted import Received, Reply
from tithe.net.upstream import Upstream
from tithe.trace import Store

KEY = "sk-a-key-that-is-in-no-file"
GOAL = "a goal that is in no file: mend the parser's tests"
JSON = {"content-type": "application/json"}
Until = Callable[[Callable[[], bool]], Coroutine[Any, Any, None]]


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 3,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 8},
}
TOOL_CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "look", "arguments": '{"at":1}'},
}


def stream(*deltas: dict[str, Any], finish: str = "stop", gap: float = 0.0) -> Reply:
    usage = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [],
        "usage": USAGE,
    }
    last = chunk({}, finish) + b"data: " + json.dumps(usage).encode() + b"\n\ndata: [DONE]\n\n"
    chunks = [(gap, chunk({"role": "assistant", "content": ""})), *((gap, chunk(delta)) for delta in deltas)]
    return Reply(chunks=[*chunks, (gap, last)])


def error(status: int, headers: Mapping[str, str] | None = None) -> Reply:
    body = {"error": {"message": f"refused: {GOAL}", "type": "t", "param": None, "code": "the_code"}}
    return Reply(
        status=status, chunks=[(0.0, json.dumps(body).encode())], headers={**JSON, **(headers or {})}
    )


Start = Callable[..., Coroutine[Any, Any, Any]]


@pytest.fixture
async def client() -> AsyncIterator[Callable[..., openai.AsyncOpenAI]]:
    async with AsyncExitStack() as stack:

        def make(recorded: Any, *, name: str = "openai", **options: Any) -> openai.AsyncOpenAI:
            given = {"max_retries": 0} | options
            made = openai.AsyncOpenAI(base_url=f"{recorded.url}/{name}/v1", api_key=KEY, **given)
            stack.push_async_callback(made.close)
            return made

        yield make


async def exchange(url: str, request: bytes) -> tuple[list[bytes], bytes]:
    """Send bytes, and give the response's head as lines and its body as it came; the connection is closed after."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
    body = b""
    if any(line.lower() == b"transfer-encoding: chunked" for line in head):
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
    writer.close()
    await writer.wait_closed()
    return head, body


BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": GOAL}]}, indent=3).encode()


def raw(target: str, *headers: str, body: bytes = BODY, method: str = "POST") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: here", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_requests_and_answers_pass_byte_for_byte(start: Start) -> None:
    packed = gzip.compress(b'{"odd": "json" }')
    reply = Reply(
        status=218,
        chunks=[(0.0, packed[:9]), (0.01, packed[9:])],
        headers={
            "Content-Encoding": "gzip",
            "X-Odd-Case": " kept ",
            "set-cookie": "a=1",
            "Set-Cookie": "b=2",
            "Keep-Alive": "timeout=5",
            "Retry-After": "7",
            "connection": "keep-alive, x-hop",
            "X-Hop": "left out",
        },
    )
    recorded = await start(reply)
    target = "/v1/chat/completions?a=%2F%20+&b=%c3%BC"
    headers = (
        f"Authorization: Bearer {KEY}",
        "x-Custom: one",
        "X-custom: two",
        "Cookie: c=3",
        "Connection: X-Gone, keep-alive",
        "x-gone: left out",
        "TE: trailers",
        "Accept-Encoding: br;q=0.5, gzip",
    )
    direct = recorded.server.url.removesuffix("/v1")
    there = await exchange(direct, raw(target, *headers))
    here = await exchange(recorded.url, raw(f"/openai{target}", *headers))
    hops = (b"transfer-encoding", b"keep-alive", b"connection", b"x-hop")

    def kept(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
        named = [tuple(line.split(b":", 1)) for line in lines[1:]]
        return sorted((name, value.strip()) for name, value in named if name.lower() not in hops)

    assert here[0][0] == there[0][0]
    assert kept(here[0]) == kept(there[0])
    assert here[1] == there[1] == packed
    first, second = recorded.server.received
    assert (second.method, second.target, second.body) == (first.method, first.target, first.body)
    gone = {"host", "connection", "te", "x-gone"}
    assert {k: v for k, v in second.headers.items() if k not in gone} == {
        k: v for k, v in first.headers.items() if k not in gone
    }
    assert not {"connection", "te", "x-gone"} & set(second.headers)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_what_is_no_generation_passes_and_is_not_recorded(start: Start, method: str) -> None:
    recorded = await start(Reply(chunks=[(0.0, b"{}")], headers=JSON))
    for target in ("/v1/models", "/v1/embeddings", "/v1/messages/count_tokens?beta=true"):
        head, body = await exchange(recorded.url, raw(f"/openai{target}", method=method))
        assert (head[0].split()[1], body) == (b"200", b"{}")
    assert [each.target for each in recorded.server.received][-1] == "/v1/messages/count_tokens?beta=true"
    assert await recorded.spans() == []


async def test_a_chunked_request_arrives_whole(start: Start) -> None:
    recorded = await start(Reply(chunks=[(0.0, b"{}")], headers=JSON))
    request = b"POST /openai/v1/files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    await exchange(recorded.url, request)
    assert recorded.server.received[0].body == b"abcde"


async def test_a_streamed_call_is_an_attempt_with_its_stamps(
    start: Start, client: Callable[..., openai.AsyncOpenAI]
) -> None:
    recorded = await start(
        stream(
            {"reasoning": "hm"},
            {"content": "yes"},
            {"tool_calls": [TOOL_CALL]},
            finish="tool_calls",
            gap=0.03,
        )
    )
    answer = await client(recorded).chat.completions.create(
        model="m", messages=[{"role": "user", "content": GOAL}], stream=True, temperature=0.5, max_tokens=9
    )
    assert [c.choices[0].delta.content async for c in answer if c.choices][2] == "yes"
    (span,) = await recorded.spans()
    told = span.attributes
    assert (span.kind, span.error, span.name) == ("attempt", None, "chat m")
    assert span.parent is not None
    assert span.end is not None
    assert told["tithe.api"] == "chat"
    assert told["tithe.source"] == "proxy"
    assert told["tithe.relation"] == "new"
    assert f"http://{told['server.address']}:{told['server.port']}/v1" == recorded.server.url
    assert told["gen_ai.request.stream"] is True
    assert told["gen_ai.request.max_tokens"] == 9
    assert told["http.response.status_code"] == 200
    assert told["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert told["gen_ai.usage.input_tokens"] == 11
    assert told["gen_ai.usage.cache_read.input_tokens"] == 8
    assert told["tithe.tool_calls"] == [["call_1", "look"]]
    instants = [
        told[f"tithe.{name}_s"] for name in ("connect", "sent", "first_token", "first_visible", "last_token")
    ]
    assert instants == sorted(instants)
    assert 0.06 <= told["tithe.first_token_s"] < told["tithe.first_visible_s"]
    assert told["tithe.last_token_s"] <= span.end - span.start
    assert [kind for kind, *_ in told["tithe.phases"]] == ["reasoning", "answer", "arguments"]
    assert [part.role for part in recorded.prompt(span)] == ["user"]


async def test_each_chunk_passes_before_the_next_is_written(start: Start) -> None:
    recorded = await start(
        Reply(chunks=[(0.0, chunk({"content": "a"})), (0.3, chunk({"content": "b"}, "stop"))])
    )
    host, _, port = recorded.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw("/openai/v1/chat/completions"))
    await reader.readuntil(b"\r\n\r\n")
    began = time.perf_counter()
    await reader.readuntil(b'"a"')
    first = time.perf_counter()
    await reader.readuntil(b'"b"')
    assert time.perf_counter() - first > 0.2 > first - began
    writer.close()


async def test_the_librarys_own_retries_are_attempts_of_one_call(
    start: Start, client: Callable[..., openai.AsyncOpenAI]
) -> None:
    recorded = await start(
        error(429, {"retry-after-ms": "20"}), error(500, {"retry-after-ms": "20"}), stream({"content": "yes"})
    )
    ask = client(recorded, max_retries=3).chat.completions.create
    async for _ in await ask(model="m", messages=[{"role": "user", "content": GOAL}], stream=True):
        pass
    spans = await recorded.spans()
    assert [span.attributes["tithe.relation"] for span in spans] == ["new", "retry", "retry"]
    assert [span.attributes["http.response.status_code"] for span in spans] == [429, 500, 200]
    assert [span.error for span in spans] == ["the_code", "the_code", None]
    assert len({span.parent for span in spans}) == len({span.trace for span in spans}) == 1
    assert spans[1].start - spans[0].start >= 0.02


async def test_an_error_passes_as_it_is(start: Start, client: Callable[..., openai.AsyncOpenAI]) -> None:
    recorded = await start(error(429, {"Retry-After": "3", "x-request-id": "req_7"}))
    with pytest.raises(openai.RateLimitError) as raised:
        await client(recorded).chat.completions.create(
            model="m", messages=[{"role": "user", "content": GOAL}]
        )
    assert raised.value.response.headers["retry-after"] == "3"
    assert raised.value.request_id == "req_7"
    assert GOAL in str(raised.value)


async def test_a_timeout_of_the_client_cancels_the_upstream_and_is_told(
    start: Start, client: Callable[..., openai.AsyncOpenAI], until: Until
) -> None:
    recorded = await start(Reply(head_after=30.0), stream({"content": "yes"}))
    ask = client(recorded, max_retries=1).with_options(timeout=0.2).chat.completions.create
    async for _ in await ask(model="m", messages=[{"role": "user", "content": GOAL}], stream=True):
        pass
    await until(lambda: recorded.server.hung_up == 1)
    failed, answered = await recorded.spans()
    assert (failed.error, failed.attributes.get("http.response.status_code")) == ("client_closed", None)
    assert (answered.error, answered.attributes["tithe.relation"]) == (None, "retry")
    assert failed.parent == answered.parent


async def test_a_client_that_leaves_in_mid_stream_cancels_the_upstream(
    start: Start, client: Callable[..., openai.AsyncOpenAI], until: Until
) -> None:
    recorded = await start(stream(*({"content": str(n)} for n in range(300)), gap=0.05))
    answer = await client(recorded).chat.completions.create(
        model="m", messages=[{"role": "user", "content": GOAL}], stream=True
    )
    await anext(aiter(answer))
    await answer.close()
    await until(lambda: recorded.server.hung_up == 1)
    (span,) = await recorded.spans()
    assert span.error == "client_closed"
    assert span.attributes["http.response.status_code"] == 200


async def test_an_upstream_that_breaks_off_breaks_the_clients_stream(
    start: Start, client: Callable[..., openai.AsyncOpenAI]
) -> None:
    recorded = await start(
        Reply(chunks=[(0.0, chunk({"content": "a"})), (0.05, chunk({"content": "b"}))], cut=True)
    )
    answer = await client(recorded).chat.completions.create(
        model="m", messages=[{"role": "user", "content": GOAL}], stream=True
    )
    with pytest.raises(openai.APIConnectionError):
        async for _ in answer:
            pass
    (span,) = await recorded.spans()
    assert span.error == "StreamBroken"
    assert span.attributes["tithe.first_token_s"] < span.attributes["tithe.last_token_s"]


async def test_an_upstream_that_is_not_there_is_told_in_the_apis_own_shape(
    start: Start, client: Callable[..., openai.AsyncOpenAI]
) -> None:
    recorded = await start(Reply())
    with pytest.raises(openai.InternalServerError) as raised:
        await client(recorded, name="nowhere").chat.completions.create(
            model="m", messages=[{"role": "user", "content": GOAL}]
        )
    assert raised.value.status_code == 502
    assert raised.value.type == "upstream_error"
    async with anthropic.AsyncAnthropic(
        base_url=f"{recorded.url}/nowhere", api_key=KEY, max_retries=0
    ) as messages:
        with pytest.raises(anthropic.InternalServerError) as refused:
            await messages.messages.create(
                model="m", max_tokens=5, messages=[{"role": "user", "content": GOAL}]
            )
    assert refused.value.body["type"] == "error"  # type: ignore[index]
    spans = await recorded.spans()
    assert [span.error for span in spans] == ["Unreachable", "Unreachable"]
    assert [span.attributes["tithe.api"] for span in spans] == ["chat", "messages"]


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
}


def anthropic_stream(block: dict[str, Any], *deltas: dict[str, Any], stop: str) -> Reply:
    usage = {
        "input_tokens": 5,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 2,
        "output_tokens": 1,
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**MESSAGE, "stop_sequence": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": 4},
        },
        {"type": "message_stop"},
    ]
    return Reply(
        chunks=[(0.01, f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()) for event in events]
    )


async def test_an_anthropic_loop_with_a_tool_is_one_task(start: Start) -> None:
    asks = anthropic_stream(
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"at":'},
        {"type": "input_json_delta", "partial_json": "1}"},
        stop="tool_use",
    )
    says = anthropic_stream(
        {"type": "text", "text": ""}, {"type": "text_delta", "text": "done"}, stop="end_turn"
    )
    recorded = await start(asks, says)
    messages: list[Any] = [{"role": "user", "content": GOAL}]
    tools: list[Any] = [{"name": "look", "description": "looks", "input_schema": {"type": "object"}}]
    async with anthropic.AsyncAnthropic(base_url=f"{recorded.url}/anthropic", api_key=KEY) as there:
        async with there.messages.stream(model="m", max_tokens=50, messages=messages, tools=tools) as answer:
            first = await answer.get_final_message()
        messages.append({"role": "assistant", "content": first.content})
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen"}
        messages.append({"role": "user", "content": [result]})
        async with there.messages.stream(model="m", max_tokens=50, messages=messages, tools=tools) as answer:
            assert await answer.get_final_text() == "done"
    one, two = await recorded.spans()
    assert one.trace == two.trace
    assert one.parent != two.parent
    assert one.attributes["tithe.tool_calls"] == [["toolu_1", "look"]]
    assert two.attributes["tithe.tool_results"] == ["toolu_1"]
    assert two.attributes["tithe.relation"] == "extends"
    assert two.attributes["tithe.new_roles"] == ["assistant", "tool"]
    assert one.attributes["gen_ai.usage.input_tokens"] == 14
    assert one.attributes["gen_ai.usage.cache_write.input_tokens"] == 2


async def test_the_responses_api_goes_on_by_the_previous_responses_id(
    start: Start, client: Callable[..., openai.AsyncOpenAI]
) -> None:
    def respond(request: Received) -> Reply:
        number = len(recorded.server.received)
        item = {
            "type": "message",
            "id": f"msg_{number}",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "well", "annotations": []}],
        }
        body = {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": 1,
            "model": "m",
            "status": "completed",
            "output": [item],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        return Reply(chunks=[(0.0, json.dumps(body).encode())], headers=JSON)

    recorded = await start(by=respond)
    ask = client(recorded).responses.create
    first = await ask(model="m", input=GOAL)
    await ask(model="m", input="and now?", previous_response_id=first.id)
    await ask(model="m", input="something else that has nothing to do with it")
    one, two, three = await recorded.spans()
    assert one.trace == two.trace != three.trace
    assert two.attributes["tithe.relation"] == "extends"
    assert "tithe.first_token_s" not in one.attributes


async def test_nothing_secret_and_no_text_is_in_the_file(
    start: Start, client: Callable[..., openai.AsyncOpenAI]
) -> None:
    answer = "an answer that is in no file either"
    recorded = await start(error(500), stream({"content": answer}))
    with pytest.raises(openai.InternalServerError):
        await client(recorded).chat.completions.create(
            model="m", messages=[{"role": "user", "content": GOAL}]
        )
    stated = await client(recorded, default_headers={"Cookie": "cookie-of-mine"}).chat.completions.create(
        model="m", messages=[{"role": "user", "content": GOAL}], stream=True
    )
    assert "".join([c.choices[0].delta.content or "" async for c in stated if c.choices]) == answer
    assert len(await recorded.spans()) == 2
    written = b"".join(path.read_bytes() for path in recorded.path.parent.iterdir())
    for secret in (KEY, GOAL, answer, "cookie-of-mine", "mend the parser"):
        assert secret.encode() not in written


async def test_content_is_kept_where_it_is_asked_for(start: Start) -> None:
    recorded = await start(Reply(chunks=[(0.0, b'{"a":'), (0.02, b"1}")], headers=JSON), content=True)
    await exchange(recorded.url, raw("/openai/v1/chat/completions", f"Authorization: Bearer {KEY}"))
    (span,) = await recorded.spans()
    assert recorded.content(span) == (BODY, b'{"a":1}')
    assert KEY.encode() not in recorded.path.read_bytes()


async def test_an_attempt_is_in_the_record_while_it_runs(start: Start, until: Until) -> None:
    recorded = await start(Reply(head_after=30.0))
    host, _, port = recorded.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw("/openai/v1/chat/completions", body=BODY))

    def spans() -> list[Span]:
        recorded.writer.flush()
        with Store.open(recorded.path, write=False) as store:
            return [span for record in store.task_records() for span in record.spans]

    await until(lambda: len(spans()) == 1)
    (span,) = spans()
    assert (span.end, span.error) == (None, None)
    writer.close()
    await until(lambda: spans()[0].end is not None)


async def test_a_long_prompt_is_read_aside_and_placed_in_its_turn(
    start: Start, client: Callable[..., openai.AsyncOpenAI]
) -> None:
    recorded = await start(error(500), stream({"content": "one"}), stream({"content": "two"}))
    ask = client(recorded).chat.completions.create
    history: list[Any] = [{"role": "user", "content": GOAL + " and more" * 100_000}]
    with pytest.raises(openai.InternalServerError):
        await ask(model="m", messages=history)
    for said in ("one", "two"):
        async for _ in await ask(model="m", messages=history, stream=True):
            pass
        history += [{"role": "assistant", "content": said}, {"role": "user", "content": "go on"}]
    spans = await recorded.spans()
    assert [span.attributes["tithe.relation"] for span in spans] == ["new", "retry", "extends"]


async def test_parallel_calls_of_a_conversation_are_branches(
    start: Start, client: Callable[..., openai.AsyncOpenAI]
) -> None:
    recorded = await start(stream({"content": "yes"}, gap=0.03))

    async def ask(*messages: Any) -> None:
        answer = await client(recorded).chat.completions.create(model="m", messages=messages, stream=True)
        async for _ in answer:
            pass

    goal = {"role": "user", "content": GOAL}
    await ask(goal)
    yes = {"role": "assistant", "content": "yes"}
    await asyncio.gather(*(ask(goal, yes, {"role": "user", "content": f"way {n}"}) for n in range(3)))
    spans = await recorded.spans()
    assert len({span.trace for span in spans}) == 1
    assert len({span.attributes.get("tithe.branch") for span in spans}) == 3
    assert {span.attributes.get("tithe.branch_of") for span in spans} == {None, spans[0].parent}


async def test_a_websocket_is_refused_by_name(start: Start) -> None:
    recorded = await start(Reply())
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: eA==",
    )
    head, _ = await exchange(recorded.url, raw("/openai/v1/responses", *upgrade, body=b"", method="GET"))
    assert head[0].split()[1] == b"501"
    assert recorded.server.received == []


async def test_an_offer_to_speak_another_http_is_no_websocket(start: Start) -> None:
    # Java's client makes it with every plain request.
    recorded = await start(Reply(chunks=[(0.0, b"{}")], headers=JSON))
    offer = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAA",
    )
    head, _ = await exchange(recorded.url, raw("/openai/v1/chat/completions", *offer))
    assert head[0].split()[1] == b"200"
    assert not {"upgrade", "http2-settings", "connection"} & set(recorded.server.received[0].headers)


async def test_a_web_page_may_not_ask(start: Start) -> None:
    recorded = await start(Reply())
    head, _ = await exchange(recorded.url, raw("/openai/v1/chat/completions", "Origin: https://example.com"))
    assert head[0].split()[1] == b"401"
    assert recorded.server.received == []


async def test_an_unknown_name_is_told(start: Start) -> None:
    recorded = await start(Reply())
    head, _ = await exchange(recorded.url, raw("/nobody/v1/chat/completions"))
    assert head[0].split()[1] == b"404"


async def test_connections_upstream_are_kept(start: Start, client: Callable[..., openai.AsyncOpenAI]) -> None:
    recorded = await start(stream({"content": "yes"}))
    for _ in range(4):
        answer = await client(recorded).chat.completions.create(
            model="m", messages=[{"role": "user", "content": GOAL}], stream=True
        )
        async for _ in answer:
            pass
    assert {each.connection for each in recorded.server.received} == {0}
    spans = await recorded.spans()
    assert spans[0].attributes["tithe.connect_s"] > 0
    assert [span.attributes["tithe.connect_s"] for span in spans[1:]] == [0, 0, 0]


class Taking:
    """Telemetry that keeps what it is given."""

    def __init__(self, upstream: Upstream | None) -> None:
        self.upstreams = {"otlp": upstream}
        self.taken: list[tuple[str, bytes]] = []

    def take(self, path: str, headers: Mapping[str, str], body: bytes, at: float) -> Receipt:
        self.taken.append((path, body))
        return Receipt(body=b"taken", content_type="application/x-protobuf")


async def test_telemetry_is_taken_and_passed_on_to_whoever_had_it(start: Start) -> None:
    alone = Taking(None)
    recorded = await start(Reply(status=202, chunks=[(0.0, b"there")], headers=JSON), telemetry=alone)
    host, _, port = recorded.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw("/otlp/v1/traces?x=1", body=b"spans"))
    assert (await reader.readuntil(b"taken")).startswith(b"HTTP/1.1 200")
    alone.upstreams["otlp"] = Upstream(origin=recorded.server.url.removesuffix("/v1"))
    writer.write(raw("/otlp/v1/logs", body=b"logs"))
    assert (await reader.readuntil(b"there")).startswith(b"HTTP/1.1 202")
    writer.close()
    assert alone.taken == [("/v1/traces", b"spans"), ("/v1/logs", b"logs")]
    assert [(each.target, each.body) for each in recorded.server.received] == [("/v1/logs", b"logs")]
    assert await recorded.spans() == []
