"""What others refuse, as this server tells it."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tithe.net.remote import RemoteBackend
from tithe.net.scripted import Reply, ScriptedServer

Serve = Callable[..., Any]
ASK: Any = {"model": "nano", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    ("status", "told", "retry_after"), [(429, 429, "3"), (401, 502, None), (403, 502, None), (500, 502, None)]
)
async def test_a_remote_endpoint_s_refusal_is_passed_on(
    serve: Serve, status: int, told: int, retry_after: str | None
) -> None:
    reply = Reply(
        status=status,
        headers={"content-type": "application/json", "retry-after": "2.5"},
        chunks=[(0.0, b'{"error": {"message": "not now"}}')],
    )
    async with ScriptedServer(reply) as upstream:
        remote = RemoteBackend(upstream.url)
        server = await serve(remote)
        for stream in (False, True):
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{server.url}/chat/completions", json=ASK | {"stream": stream}) as response,
            ):
                body = await response.json()
            assert (response.status, response.headers.get("retry-after")) == (told, retry_after)
            assert "not now" in body["error"]["message"]
            assert body["error"]["type"] == ("rate_limit_error" if told == 429 else "upstream_error")
        await remote.aclose()
