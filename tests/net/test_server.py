"""The server over loopback, driven by the official client: what a user's agent meets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import openai as sdk
import pytest
from openai import AsyncOpenAI

from tithe.core import (
    Event,
    Facts,
    Finished,
    ReasoningDelta,
    Request,
    Script,
    ScriptedBackend,
    Sent,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tithe.core.errors import ContextOverflow, EngineError, InvalidRequest, Overloaded, UsageError
from tithe.net.options import ServerOptions
from tithe.net.server import Server

Serve = Callable[..., Any]
OpenAI = Callable[..., AsyncOpenAI]
Until = Callable[..., Any]
ASK: Any = {"model": "nano", "messages": [{"role": "user", "content": "hello"}]}
FACTS = Facts(
    queue_s=0.001, prefill_s=0.004, decode_s=0.02, cached_tokens=5, uncached_tokens=2, prefix_break=3
)


async def test_an_answer_in_one_piece(serve: Serve, openai: OpenAI) -> None:
    script = Script(
        deltas=[TextDelta(at=0, text="Hello"), TextDelta(at=0, text=" you")],
        usage=Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=5),
    )
    backend = ScriptedBackend(script)
    answer = await openai(await serve(backend)).chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "Hello you"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "nano"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 5
    assert backend.requests[0].messages[0].content == "hello"


async def test_a_streamed_answer(serve: Serve, openai: OpenAI) -> None:
    server = await serve(ScriptedBackend(Script.of_text("one two three", gap=0.005)))
    stream = await openai(server).chat.completions.create(
        **ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two three"
    )
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


async def test_tool_calls_stream_as_deltas(serve: Serve, openai: OpenAI) -> None:
    script = Script(
        deltas=[
            ReasoningDelta(at=0, text="hm"),
            ToolCallDelta(at=0, call=0, id="call_1", name="find", arguments='{"q"'),
            ToolCallDelta(at=0, call=0, arguments=': "x"}'),
        ],
        finish="tool_calls",
    )
    client = openai(await serve(ScriptedBackend(script)))
    tools: Any = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
    stream = await client.chat.completions.create(**ASK, tools=tools, stream=True)
    deltas = [chunk.choices[0].delta async for chunk in stream if chunk.choices]
    calls = [delta.tool_calls[0] for delta in deltas if delta.tool_calls]
    assert [call.id for call in calls] == ["call_1", None]
    assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"q": "x"}'
    whole = await client.chat.completions.create(**ASK, tools=tools)
    [call] = whole.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.arguments == '{"q": "x"}'
    assert whole.choices[0].message.model_extra is not None
    assert whole.choices[0].message.model_extra["reasoning_content"] == "hm"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidRequest("bad schema", param="tools[0]"), sdk.BadRequestError),
        (ContextOverflow("too long", param="messages"), sdk.BadRequestError),
        (Overloaded("full", retry_after=2.2), sdk.RateLimitError),
        (EngineError("a step failed"), sdk.InternalServerError),
    ],
)
async def test_what_the_backend_refuses_has_its_status(
    serve: Serve, openai: OpenAI, error: Any, expected: type[sdk.APIStatusError], stream: bool
) -> None:
    client = openai(await serve(ScriptedBackend(Script(error=error))))
    with pytest.raises(expected) as refused:
        await client.chat.completions.create(**ASK, stream=stream)
    assert refused.value.status_code == error.status
    assert refused.value.code == error.code
    assert refused.value.param == error.param
    assert refused.value.response.headers.get("retry-after") == ("3" if error.status == 429 else None)


async def test_another_model_is_not_found(serve: Serve, openai: OpenAI) -> None:
    client = openai(await serve(ScriptedBackend(Script.of_text("no"))))
    with pytest.raises(sdk.NotFoundError) as refused:
        await client.chat.completions.create(**(ASK | {"model": "gpt-9"}))
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    with pytest.raises(sdk.NotFoundError):
        await client.models.retrieve("org/gpt-9")
    assert (await client.models.retrieve("nano")).id == "nano"
    assert [model.id async for model in client.models.list()] == ["nano"]


async def test_an_error_in_mid_stream_is_an_event_and_no_done(serve: Serve, openai: OpenAI) -> None:
    script = Script(deltas=[TextDelta(at=0, text="so far")], error=EngineError("a step failed"))
    server = await serve(ScriptedBackend(script))
    got: list[str] = []

    async def read() -> None:
        async for chunk in await openai(server).chat.completions.create(**ASK, stream=True):
            got.extend(choice.delta.content or "" for choice in chunk.choices)

    with pytest.raises(sdk.APIError, match="a step failed"):
        await read()
    assert "".join(got) == "so far"
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/chat/completions", json=ASK | {"stream": True}) as response,
    ):
        body = await response.text()
    assert response.status == 200
    assert "[DONE]" not in body
    assert body.endswith('"code":"engine_error"}}\n\n')


async def test_a_fault_of_a_backend_is_told_without_its_details(
    serve: Serve, openai: OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(ScriptedBackend):
        async def generate(self, request: Request) -> AsyncIterator[Event]:
            yield Sent(at=0.0)
            if request.seed_of_fault():  # type: ignore[attr-defined]
                yield TextDelta(at=0.0, text="never")

    client = openai(await serve(Faulty(Script())))
    with pytest.raises(sdk.InternalServerError) as refused:
        await client.chat.completions.create(**ASK)
    assert refused.value.code == "internal_error"
    assert "seed_of_fault" not in refused.value.message
    assert "seed_of_fault" in caplog.text


async def test_a_backend_that_ends_without_an_answer_is_a_fault(serve: Serve, openai: OpenAI) -> None:
    class Mute(ScriptedBackend):
        async def generate(self, request: Request) -> AsyncIterator[Event]:
            yield Sent(at=0.0)

    client = openai(await serve(Mute(Script())))
    for stream in (False, True):
        with pytest.raises(sdk.InternalServerError, match="ended without an answer"):
            await client.chat.completions.create(**ASK, stream=stream)


async def post(server: Server, path: str = "/chat/completions", **how: Any) -> tuple[int, Any, Any]:
    async with aiohttp.ClientSession() as session, session.post(server.url + path, **how) as response:
        text = await response.text()
        return response.status, msgspec.json.decode(text), response.headers


async def test_bad_bodies_are_named(serve: Serve) -> None:
    server = await serve(ScriptedBackend(Script.of_text("fine")), max_body_bytes=10_000)
    status, body, _ = await post(server, data=b"{nonsense")
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    status, body, _ = await post(server, json=ASK | {"nonsense": 1})
    assert (status, body["error"]["param"]) == (400, "nonsense")
    for how in ({"data": b" " * 10_001}, {"data": _in_pieces(b" " * 10_001)}):
        status, body, _ = await post(server, **how)
        assert (status, body["error"]["code"]) == (413, "request_too_large")
    status, _, _ = await post(server, data=msgspec.json.encode(ASK), headers={"Content-Type": "text/plain"})
    assert status == 200


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data[:5000]
    yield data[5000:]


async def test_unknown_routes_and_methods_are_answered_in_the_api_s_shape(serve: Serve) -> None:
    server = await serve(ScriptedBackend(Script()))
    status, body, _ = await post(server, "/embeddings", json={})
    assert (status, body["error"]["code"]) == (404, "not_found")
    status, body, headers = await post(server, "/models", json={})
    assert (status, body["error"]["code"]) == (405, "method_not_allowed")
    assert "GET" in headers["Allow"]


async def test_hints_without_use_are_named_and_every_response_has_an_id(serve: Serve) -> None:
    server = await serve(ScriptedBackend(Script.of_text("fine")))
    hints = {"user": "me", "service_tier": "auto"}
    for stream in (False, True):
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.url}/chat/completions", json=ASK | hints | {"stream": stream}) as response,
        ):
            assert set(response.headers["x-tithe-unused"].split(", ")) == {"user", "service_tier"}
            assert response.headers["x-request-id"].startswith("req_")
            await response.read()
    status, _, headers = await post(server, data=b"")
    assert status == 400
    assert "x-tithe-unused" not in headers
    assert headers["x-request-id"].startswith("req_")


async def test_facts_are_sent_to_those_who_ask(serve: Serve) -> None:
    script = Script(
        deltas=[TextDelta(at=0, text="x")], usage=Usage(prompt_tokens=7, completion_tokens=1), facts=FACTS
    )
    server = await serve(ScriptedBackend(script))
    _, body, _ = await post(server, json=ASK | {"tithe": {"facts": True}})
    assert msgspec.convert(body["tithe"], Facts) == FACTS
    _, body, _ = await post(server, json=ASK)
    assert "tithe" not in body


async def test_what_is_ready_at_once_leaves_in_one_write(serve: Serve) -> None:
    class Ready(ScriptedBackend):
        async def generate(self, request: Request) -> AsyncIterator[Event]:
            yield Sent(at=0.0)
            for word in ("one", "two", "three"):
                yield TextDelta(at=0.0, text=word)
            yield Finished(at=0.0, reason="stop")

    server = await serve(Ready(Script()))
    port = int(server.url.rsplit(":", 1)[1].removesuffix("/v1"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = msgspec.json.encode(ASK | {"stream": True})
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    )
    got = await reader.read(65536)
    writer.close()
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("ttft", [0.0, 3600.0], ids=["in mid-answer", "before the first token"])
async def test_a_client_that_goes_away_frees_its_call(
    serve: Serve, stream: bool, ttft: float, until: Until
) -> None:
    backend = ScriptedBackend(Script.of_text("one two", ttft=ttft, gap=3600))
    server = await serve(backend)
    async with aiohttp.ClientSession() as session:
        asking = asyncio.ensure_future(
            session.post(f"{server.url}/chat/completions", json=ASK | {"stream": stream})
        )
        await until(lambda: bool(backend.requests))
        if stream and not ttft:
            (await asking).close()
        else:
            asking.cancel()
        await until(lambda: backend.abandoned == 1)


async def test_many_calls_at_once(serve: Serve, openai: OpenAI) -> None:
    def echo(request: Request) -> Script:
        return Script.of_text(f"to {request.messages[0].content}", ttft=0.005, gap=0.001)

    client = openai(await serve(ScriptedBackend(echo)))

    async def ask(number: int) -> str:
        messages: Any = [{"role": "user", "content": str(number)}]
        stream = await client.chat.completions.create(model="nano", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert await asyncio.gather(*(ask(n) for n in range(40))) == [f"to {n}" for n in range(40)]


async def test_hints_that_the_backend_made_no_use_of_are_named(serve: Serve) -> None:
    script = Script(deltas=[TextDelta(at=0, text="x")], unused=("colour", "reasoning_effort"))
    server = await serve(ScriptedBackend(script))
    hints = {"reasoning_effort": "low", "chat_template_kwargs": {"colour": 1, "read": 2}, "user": "me"}
    for stream in (False, True):
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.url}/chat/completions", json=ASK | hints | {"stream": stream}) as response,
        ):
            assert set(response.headers["x-tithe-unused"].split(", ")) == {
                "user",
                "reasoning_effort",
                "chat_template_kwargs.colour",
            }
            await response.read()


async def test_an_address_that_is_taken(serve: Serve) -> None:
    server = await serve(ScriptedBackend(Script()))
    port = int(server.url.rsplit(":", 1)[1].removesuffix("/v1"))
    other = Server(ScriptedBackend(Script()), "nano", ServerOptions(port=port))
    said = rf"^cannot listen on 127\.0\.0\.1:{port}: port {port} is in use\. Give another --port"
    with pytest.raises(UsageError, match=said):
        await other.start()
    with pytest.raises(UsageError, match="not started"):
        _ = other.url
