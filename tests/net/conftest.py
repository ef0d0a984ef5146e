"""A real server over loopback, and the clients that speak to it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from tithe.core import Anchor, Backend, Span
from tithe.core.part import Part
from tithe.net.notes import Notebook
from tithe.net.options import ServerOptions
from tithe.net.proxy import Proxy
from tithe.net.scripted import Received, Reply, ScriptedServer
from tithe.net.server import Server
from tithe.net.upstream import Upstream
from tithe.trace import Store
from tithe.trace.grouping import Grouper


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


class Recorded:
    """A proxy before a server, and what it wrote."""

    def __init__(self, proxy: Proxy, store: Store, server: ScriptedServer, path: Path) -> None:
        self.url = proxy.url
        self.server = server
        self.path = path
        self._proxy = proxy
        self._store = store

    async def spans(self) -> list[Span]:
        """Every span, in the order of their starts, when all is noted."""
        await self._proxy.stop()
        self.writer.flush()
        spans = [span for record in self._store.task_records() for span in record.spans]
        return sorted(spans, key=lambda span: span.start)

    def prompt(self, span: Span) -> tuple[Part, ...]:
        return self._store.prompt(span.id)

    def content(self, span: Span) -> tuple[bytes | None, bytes | None]:
        return self._store.content(span.id)

    writer: Any


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Coroutine[Any, Any, Recorded]]]:
    async with AsyncExitStack() as stack:

        async def begin(
            *answers: Reply,
            by: Callable[[Received], Reply] | None = None,
            content: bool = False,
            nested: bool = True,
            telemetry: Any = None,
        ) -> Recorded:
            server = await stack.enter_async_context(ScriptedServer(*answers, by=by))
            path = tmp_path / "record.db"
            store = stack.enter_context(Store.open(path))
            number = store.begin(Anchor.take(time.perf_counter()), source="proxy")
            writer = stack.enter_context(store.writer(number))
            upstream = Upstream(origin=server.url.removesuffix("/v1"))
            upstreams = {
                "openai": upstream,
                "anthropic": upstream,
                "nowhere": Upstream(origin="http://127.0.0.1:9"),
            }
            proxy = Proxy(
                upstreams, Notebook(writer, Grouper(nested=nested), content=content), telemetry=telemetry
            )
            await proxy.start()
            stack.push_async_callback(proxy.stop)
            made = Recorded(proxy, store, server, path)
            made.writer = writer
            return made

        yield begin
