"""A real server over loopback, and the clients that speak to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest
from openai import AsyncOpenAI

from tithe.core import Backend
from tithe.net.options import ServerOptions
from tithe.net.server import Server


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Coroutine[Any, Any, Server]]]:
    """Starts a server that is stopped at the test's end; options as `ServerOptions` has them."""
    async with AsyncExitStack() as stack:

        async def start(
            backend: Backend, *, recorder: Any = None, gauges: Any = None, **options: Any
        ) -> Server:
            model = options.pop("model", "nano")
            given = {"port": 0, "drain_s": 0.2} | options
            server = Server(backend, model, ServerOptions(**given), recorder=recorder, gauges=gauges)
            await server.start()
            stack.push_async_callback(server.stop)
            return server

        yield start


@pytest.fixture
async def openai() -> AsyncIterator[Callable[..., AsyncOpenAI]]:
    async with AsyncExitStack() as stack:

        def client(server: Server, api_key: str = "any") -> AsyncOpenAI:
            made = AsyncOpenAI(base_url=server.url, api_key=api_key, max_retries=0)
            stack.push_async_callback(made.close)
            return made

        yield client


async def wait_until(true: Callable[[], bool]) -> None:
    """Let the other tasks run until something is so; fail after ten seconds."""
    for _ in range(5000):
        if true():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come about within ten seconds")


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Coroutine[Any, Any, None]]:
    return wait_until
