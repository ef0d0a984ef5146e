"""Keys: who gets in, and that caches never cross them."""

from collections.abc import Callable
from typing import Any

import aiohttp
import openai as sdk
import pytest
from openai import AsyncOpenAI

from tithe.core import Script, ScriptedBackend
from tithe.core.errors import Unauthorized, UsageError
from tithe.net.guard import Guard
from tithe.net.options import ServerOptions
from tithe.net.server import Server

Serve = Callable[..., Any]
ASK: Any = {"model": "nano", "messages": [{"role": "user", "content": "hello"}]}


async def test_a_key_is_asked_for_and_any_of_them_will_do(
    serve: Serve, openai: Callable[..., AsyncOpenAI]
) -> None:
    backend = ScriptedBackend(Script.of_text("fine"))
    server = await serve(backend, api_key=("red", "blue"))
    for wrong in ("green", "re", "red "):
        with pytest.raises(sdk.AuthenticationError) as refused:
            await openai(server, f"{wrong}!").chat.completions.create(**ASK)
        assert refused.value.code == "invalid_api_key"
    assert not backend.requests
    for key in ("red", "blue", "red"):
        await openai(server, key).chat.completions.create(**ASK)
    red, blue, red_again = (request.isolation for request in backend.requests)
    assert red == red_again != blue
    assert "red" not in red
    assert red


async def test_what_is_open_and_what_is_not(serve: Serve) -> None:
    server = await serve(ScriptedBackend(Script()), api_key=("red",))
    root = server.url.removesuffix("/v1")
    async with aiohttp.ClientSession() as session:
        for path, status in {
            "/health": 200,
            "/metrics": 401,
            "/v1/models": 401,
            "/v1/models/nano": 401,
        }.items():
            async with session.get(root + path) as response:
                assert response.status == status, path
            async with session.get(root + path, headers={"Authorization": "bearer red"}) as response:
                assert response.status == 200, path


async def test_without_keys_whatever_is_sent_is_ignored(
    serve: Serve, openai: Callable[..., AsyncOpenAI]
) -> None:
    backend = ScriptedBackend(Script.of_text("fine"))
    server = await serve(backend)
    for key in ("one", "other"):
        await openai(server, key).chat.completions.create(**ASK)
    assert [request.isolation for request in backend.requests] == ["", ""]


async def test_a_web_page_from_elsewhere_does_not_get_in_without_a_key(serve: Serve) -> None:
    server = await serve(ScriptedBackend(Script.of_text("fine")))
    async with aiohttp.ClientSession() as session:
        for origin, status in {
            "https://evil.example": 401,
            "null": 401,
            "http://127.0.0.1.evil.example": 401,
            "http://localhost:3000": 200,
            "http://[::1]:3000": 200,
        }.items():
            url = f"{server.url}/chat/completions"
            async with session.post(url, json=ASK, headers={"Origin": origin}) as response:
                assert response.status == status, origin


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "red"}, {"Authorization": "Basic red"}, {"Authorization": ""}]
)
def test_headers_that_hold_no_key(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        Guard("127.0.0.1", ("red",)).admit(headers)


def test_other_machines_are_let_in_with_keys_alone() -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.org", ""):
        with pytest.raises(UsageError, match="needs an API key"):
            Server(ScriptedBackend(Script()), "nano", ServerOptions(host=host))
        Server(ScriptedBackend(Script()), "nano", ServerOptions(host=host, api_key=("red",)))
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        Server(ScriptedBackend(Script()), "nano", ServerOptions(host=host))


def test_an_empty_key_is_no_key() -> None:
    with pytest.raises(UsageError, match="is empty"):
        Guard("0.0.0.0", ("",))
