"""The scripted server: exact bytes at exact delays on a loopback socket.

It ships with the package because a client that measures has to be shown right against known answers,
ours and anyone's. It speaks just enough HTTP/1.1 to be a server: it reads a request whole, answers with
what the script says, and keeps the connection.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import msgspec

from tithe.net.address import cannot_listen

# Event loops sleep in whole milliseconds; what is left of a delay by then is waited out in turns of the loop.
FINE_S = 0.0015


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One scripted response.

    `head_after` seconds pass before the head. Each of `chunks` is a delay in seconds and the bytes then
    written, as one HTTP chunk in one socket write. With `cut` the connection is closed after the last of
    them, without the mark that ends a body.
    """

    chunks: Sequence[tuple[float, bytes]] = ()
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=lambda: {"content-type": "text/event-stream"})
    head_after: float = 0.0
    cut: bool = False

    @property
    def lasts_s(self) -> float:
        """Seconds from the request to the last byte."""
        return self.head_after + sum(delay for delay, _ in self.chunks)


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came. Header names are in lower case. `connection` numbers the connections from 0."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


class ScriptedServer:
    """Answers the requests it gets with `answers` in turn (the last one for ever), or by a function of each.

    `received` keeps every request in order of arrival; `hung_up` counts the clients that closed before
    their answer's end; `late_s` is the most seconds by which an answer was behind its script, and `late_total_s` the
    seconds by which all answers were at their ends, together. Raises `UsageError` on entry when the address cannot be had.

        async with ScriptedServer(Reply(chunks=[(0.05, b"data: [DONE]\\n\\n")])) as server:
            ... server.url ...
    """

    def __init__(
        self,
        *answers: Reply,
        by: Callable[[Received], Reply] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._answers = answers
        self._by = by
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._connections = 0
        self._open: set[asyncio.Task[None]] = set()
        self.received: list[Received] = []
        self.hung_up = 0
        self.late_s = 0.0
        self.late_total_s = 0.0

    @property
    def url(self) -> str:
        """The base URL, `http://HOST:PORT/v1`."""
        if self._server is None:
            raise RuntimeError("the scripted server is not started: use it in an `async with`")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self._port)
        except (OSError, UnicodeError) as error:
            raise cannot_listen(self._host, self._port, error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        connection, self._connections = self._connections, self._connections + 1
        try:
            while (request := await _read_request(reader, connection)) is not None:
                self.received.append(request)
                if not await self._answer(self._choose(request), reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up += 1
        finally:
            self._open.discard(task)
            writer.close()

    def _choose(self, request: Received) -> Reply:
        if self._by is not None:
            return self._by(request)
        return self._answers[min(len(self.received), len(self._answers)) - 1]

    async def _answer(
        self, answer: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Play one answer; whether the connection stays."""
        began = time.perf_counter()
        late = await self._wait(answer.head_after, reader)
        head = [f"HTTP/1.1 {answer.status} Scripted", "transfer-encoding: chunked"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        writer.write("\r\n".join([*head, "", ""]).encode())
        for delay, data in answer.chunks:
            late += await self._wait(delay, reader)
            self.late_s = max(self.late_s, late)
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
        self.late_total_s += time.perf_counter() - began - answer.lasts_s
        if not answer.cut:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return not answer.cut

    async def _wait(self, seconds: float, reader: asyncio.StreamReader) -> float:
        """Wait, unless the client hangs up first; the seconds by which the wait was too long.

        By `perf_counter`, which is what is measured with: uvloop's own clock counts whole milliseconds.
        """
        if seconds <= 0:
            return 0.0
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if reader.at_eof():
                raise ConnectionResetError("the client hung up")
            await asyncio.sleep(min(left - FINE_S, 0.01) if left > FINE_S else 0)
        return -left


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Received | None:
    """The next request on a connection, or None when the client closed it between two."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method=method, target=target, headers=headers, body=body, connection=connection)
