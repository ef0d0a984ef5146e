"""Time stamps taken on the socket, before anything is parsed.

aiohttp hands a reader its bytes some time after they arrived: the HTTP parser runs, a future is set, the
reader's task waits its turn behind whatever else the event loop has to do. A stamp taken there measures
the client. So the connection's protocol is subclassed, and the clock is read where the event loop delivers
what it read from the socket (`data_received`), before the bytes are even looked at.

A stamp is tied to payload bytes by count: after the parser has taken a socket read, the payload's
`total_bytes` says up to which byte of the body that read (and its stamp) reached.

When the request was written: aiohttp sends the head and a body of bytes with one `transport.write`. The
clock is read right before it, because the kernel may run the endpoint before that call returns (on one
machine with few cores it does, and a stamp taken after it swallows the endpoint's whole work). Where the
kernel has no room for all of it, the stamp is replaced by the moment at which it has taken the rest: the
transport's high-water mark is set to a single byte, so that it calls `pause_writing` when something was
left over, and `resume_writing` when nothing is any more. (The mark is 1 and not 0: TLS transports compare
with >=, and would pause an empty buffer for ever.) Over TLS the transport does not tell of what lies
below it: there a body larger than the kernel's buffer counts as written when it has been encrypted.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage, StreamWriter
from aiohttp.streams import StreamReader

# A server that keeps connections keeps them for longer than this after an answer.
KEPT_S = 1.0


class Exchange:
    """What was seen on the socket of one request and its response. Times are `perf_counter` seconds.

    `connected_at` is when the connection stood, or None when it was open already. `written_at` is when
    the last byte of the request was written (None: it has no body). `reads` holds, for each
    socket read that brought payload, how far into the payload it reached and its stamp.
    """

    __slots__ = ("_taken", "connected_at", "payload", "reached", "reads", "written_at")

    def __init__(self, connected_at: float | None) -> None:
        self.connected_at = connected_at
        self.written_at: float | None = None
        self.payload: StreamReader | None = None
        self.reached = 0
        self.reads: deque[tuple[int, float]] = deque()
        self._taken = 0

    def stamped(self, data: bytes) -> list[tuple[bytes, float]]:
        """Payload just taken from the reader, cut where socket reads met, each piece with its stamp.

        Bytes of different reads are never joined, however late the reader is.
        """
        pieces: list[tuple[bytes, float]] = []
        start = 0
        while start < len(data):
            reach, at = self.reads[0]
            end = min(len(data), start + reach - self._taken)
            pieces.append((data[start:end], at))
            self._taken += end - start
            start = end
            if self._taken == reach:
                self.reads.popleft()
        return pieces


class StampingProtocol(ResponseHandler):
    """aiohttp's client protocol, reading the clock at every socket read."""

    def __init__(self, loop: asyncio.AbstractEventLoop, not_kept: Callable[[], None]) -> None:
        super().__init__(loop)
        self._not_kept = not_kept
        self._connected_at: float | None = None
        self._read_at = 0.0
        self.exchange = Exchange(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connected_at = perf_counter()
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=1, low=0)

    def set_response_params(self, **params: Any) -> None:
        """aiohttp calls this once before it sends a request: a new exchange begins."""
        self.exchange = Exchange(self._connected_at)
        self._connected_at = None
        super().set_response_params(**params)

    def writing(self) -> None:
        """The request's one write comes now; the stamp stands unless the kernel leaves some of it."""
        self.exchange.written_at = perf_counter()

    def resume_writing(self) -> None:
        self.exchange.written_at = perf_counter()
        super().resume_writing()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """A response head was parsed: `data` names the payload that its body goes to."""
        self.exchange.payload = data[1]
        super().feed_data(data, size)

    def eof_received(self) -> None:
        self._closed_by_server()
        super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.transport is not None:  # what was closed from here has none any more
            self._closed_by_server()
        super().connection_lost(exc)

    def _closed_by_server(self) -> None:
        payload = self.exchange.payload
        between = self._read_at > 0 and (payload is None or payload.is_eof())
        if between and perf_counter() - self._read_at < KEPT_S:
            self._not_kept()

    def data_received(self, data: bytes) -> None:
        # Without data this is the parser taking up, after a pause, bytes that an earlier read brought.
        if data:
            self._read_at = perf_counter()
        super().data_received(data)
        exchange = self.exchange
        if exchange.payload is not None and exchange.payload.total_bytes > exchange.reached:
            exchange.reached = exchange.payload.total_bytes
            exchange.reads.append((exchange.reached, self._read_at))


class StampingConnector(aiohttp.TCPConnector):
    """A pool without a limit (a wait for a free connection would be counted as the endpoint's).

    It keeps no more connections once the server closed one right after an answer: a later call could be sent
    into a connection that is about to be closed, and fail through no fault of the model's.
    """

    def __init__(self, *, keepalive_s: float) -> None:
        super().__init__(limit=0, keepalive_timeout=keepalive_s)  # pyright: ignore[reportUnknownMemberType]
        # aiohttp offers no public way to choose the protocol. `MeasuredResponse.start` refuses any other
        # one, so a release that renames this attribute fails at the first request and not in the figures.
        self._factory = functools.partial(
            StampingProtocol, loop=asyncio.get_running_loop(), not_kept=self._keep_none
        )

    def _keep_none(self) -> None:
        self._force_close = True  # aiohttp offers no way to say so later


class MeasuredResponse(aiohttp.ClientResponse):
    """aiohttp's response, with the exchange it came from."""

    exchange: Exchange

    async def start(self, connection: Connection) -> "MeasuredResponse":
        protocol = connection.protocol
        if not isinstance(protocol, StampingProtocol):
            raise TypeError(
                "this release of aiohttp ignores StampingConnector._factory: responses would carry no stamps"
            )
        self.exchange = protocol.exchange
        await super().start(connection)
        return self


class StampedBody(aiohttp.Payload):
    """A request's JSON body that tells its connection when it is written.

    It goes out in one write whatever its length; aiohttp's own payload of bytes warns from 1 MiB on.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        self._body = body

    @property
    def size(self) -> int:
        return len(self._body)

    @property
    def autoclose(self) -> bool:
        return True

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if isinstance(writer, StreamWriter) and isinstance(writer.protocol, StampingProtocol):
            writer.protocol.writing()
        await writer.write(self._body if content_length is None else self._body[:content_length])
