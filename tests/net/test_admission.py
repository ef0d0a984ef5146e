"""Who gets a place, who is turned away, and how the house is closed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import openai as sdk
import pytest
from openai import AsyncOpenAI

from tithe.core import Event, Request, Script, ScriptedBackend
from tithe.net.server import Server

Serve = Callable[..., Any]
OpenAI = Callable[..., AsyncOpenAI]
Until = Callable[..., Any]
ASK: Any = {"model": "nano", "messages": [{"role": "user", "content": "hello"}]}


class Gated(ScriptedBackend):
    """Answers when its gate is opened."""

    def __init__(self) -> None:
        super().__init__(Script.of_text("one two"))
        self.gate = asyncio.Event()

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        async for event in super().generate(request):
            yield event
            await self.gate.wait()


async def test_a_full_house_turns_away_and_then_takes_again(
    serve: Serve, openai: OpenAI, until: Until
) -> None:
    backend = Gated()
    client = openai(await serve(backend, max_concurrent=1))
    first = asyncio.ensure_future(client.chat.completions.create(**ASK))
    await until(lambda: bool(backend.requests))
    with pytest.raises(sdk.RateLimitError) as refused:
        await client.chat.completions.create(**ASK)
    assert int(refused.value.response.headers["retry-after"]) >= 1
    backend.gate.set()
    await first
    assert (await client.chat.completions.create(**ASK)).choices[0].message.content == "one two"


async def test_stop_lets_running_calls_finish_and_takes_no_new_ones(
    serve: Serve, openai: OpenAI, until: Until
) -> None:
    backend = Gated()
    server = await serve(backend, drain_s=60.0)
    url = server.url
    async with aiohttp.ClientSession() as session:
        async with session.get(url + "/models") as response:
            await response.read()
        running = asyncio.ensure_future(openai(server).chat.completions.create(**ASK))
        await until(lambda: bool(backend.requests))
        stopping = asyncio.ensure_future(server.stop())
        await asyncio.sleep(0.01)
        async with session.post(f"{url}/chat/completions", json=ASK) as response:
            assert response.status == 503
            assert (await response.json())["error"]["code"] == "shutting_down"
        async with session.get(url.removesuffix("/v1") + "/health") as response:
            assert (response.status, await response.json()) == (503, {"status": "closing"})
        assert not stopping.done()
        backend.gate.set()
        assert (await running).choices[0].message.content == "one two"
        await stopping
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url + "/models")
    assert backend.abandoned == 0


async def test_calls_that_outlast_the_drain_are_told_so(serve: Serve, openai: OpenAI, until: Until) -> None:
    backend = ScriptedBackend(Script.of_text("one two", gap=3600))
    server = await serve(backend, drain_s=0.0)
    client = openai(server)
    whole = asyncio.ensure_future(client.chat.completions.create(**ASK))
    stream = await client.chat.completions.create(**ASK, stream=True)
    await anext(aiter(stream))
    await until(lambda: len(backend.requests) == 2)
    await server.stop()
    with pytest.raises(sdk.InternalServerError) as refused:
        await whole
    assert (refused.value.status_code, refused.value.code) == (503, "shutting_down")
    with pytest.raises(sdk.APIError, match="shut down before this answer's end"):
        [chunk async for chunk in stream]
    assert backend.abandoned == 2


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"


async def half_sent(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = int(server.url.rsplit(":", 1)[1].removesuffix("/v1"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD)
    await writer.drain()
    return reader, writer


async def test_half_sent_bodies_hold_no_place(serve: Serve, openai: OpenAI) -> None:
    server = await serve(ScriptedBackend(Script.of_text("fine")), max_concurrent=2)
    slow = [await half_sent(server) for _ in range(8)]
    answer = await openai(server).chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "fine"
    for _, writer in slow:
        writer.close()


async def test_a_body_that_does_not_come_ends_its_connection(serve: Serve) -> None:
    server = await serve(ScriptedBackend(Script.of_text("fine")), body_timeout_s=0.05)
    reader, writer = await half_sent(server)
    head, body = (await reader.read()).split(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()
    assert b"x-request-id" in head.lower()
    error = msgspec.json.decode(body)["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "request_timeout")


async def test_a_full_house_does_not_wait_for_a_body(serve: Serve, openai: OpenAI, until: Until) -> None:
    backend = Gated()
    server = await serve(backend, max_concurrent=1)
    first = asyncio.ensure_future(openai(server).chat.completions.create(**ASK))
    await until(lambda: bool(backend.requests))
    reader, writer = await half_sent(server)
    assert (await reader.readline()).startswith(b"HTTP/1.1 429 ")
    writer.close()
    backend.gate.set()
    await first
