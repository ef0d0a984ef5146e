"""The measuring HTTP client: one request, one attempt, stamped on the socket.

It never retries, follows no redirect, asks for no compression and keeps no cookies, so that what is
measured is the endpoint and nothing else. Connections are reused. Foreign exceptions become Tithe's
here: before the response's head has come `Unreachable`, after it `StreamBroken`.
"""

import asyncio
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Mapping
from time import perf_counter
from typing import Self, cast

import aiohttp
import msgspec
from yarl import URL

from tithe.core.errors import StreamBroken, Unreachable, UsageError
from tithe.net.stamps import MeasuredResponse, StampedBody, StampingConnector

# An idle connection is dropped before servers of the field drop theirs, where they are patient at all.
KEEPALIVE_S = 15.0


class ClientOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`connect_timeout_s` bounds name lookup, TCP and TLS; `idle_timeout_s` any silence on the socket."""

    connect_timeout_s: float = 10.0
    idle_timeout_s: float = 120.0


class Answer:
    """A response whose head has come. Times are `perf_counter` seconds.

    `sent_at`: the request's last byte was written. `connected`: the seconds spent opening the connection,
    0 when it was open already.
    """

    def __init__(
        self, url: str, response: MeasuredResponse, began: float, head_at: float, idle_s: float
    ) -> None:
        exchange = response.exchange
        self._url = url
        self._idle_s = idle_s
        self._response = response
        self.status = response.status
        self.reason = response.reason
        self.headers: Mapping[str, str] = response.headers
        self.raw_headers = response.raw_headers
        # A request without a body is written before anything here could see it.
        self.sent_at = exchange.written_at if exchange.written_at is not None else head_at
        self.connected = 0.0 if exchange.connected_at is None else exchange.connected_at - began
        self.last_at = head_at

    async def receive(self) -> list[tuple[bytes, float]]:
        """More of the body: pieces, each with the stamp of the socket read that brought it; [] at its end.

        Raises `StreamBroken` when the connection breaks or falls silent before the body's end.
        """
        try:
            data = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise StreamBroken(
                f"{self._url} {what_broke(error, self._idle_s)} before its response ended"
            ) from error
        pieces = self._response.exchange.stamped(data)
        if pieces:
            self.last_at = pieces[-1][1]
        return pieces

    async def read(self, limit: int | None = None) -> bytes:
        """The body, or its first `limit` bytes. Raises `StreamBroken`."""
        body = bytearray()
        while pieces := await self.receive():
            body += b"".join(data for data, _ in pieces)
            if limit is not None and len(body) >= limit:
                return bytes(body[:limit])
        return bytes(body)

    async def settle(self, seconds: float) -> None:
        """Take up what is left of a body of which all that matters is read, so that the connection can be
        used again; drop the connection when that takes longer than `seconds`."""
        with contextlib.suppress(TimeoutError, StreamBroken):
            async with asyncio.timeout(seconds):
                while await self.receive():
                    pass

    def close(self) -> None:
        """Give the connection back; drop it when the body was not read to its end."""
        self._response.close()


class MeasuringClient:
    """An HTTP client for one endpoint. Opens nothing until the first request."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send one request and wait for the response's head. The caller closes the answer.

        Raises:
            Unreachable: no connection, or it broke or timed out before the head had come.
        """
        session = self._session
        if session is None:
            session = self._session = self._open()
        # Some servers close the connection after an answer and do not say so (llama.cpp's, after a stream). A turn of
        # the loop lets it see that (see `StampingConnector`); else a call that follows at once would be sent to nobody.
        await asyncio.sleep(0)
        began, idle_s = perf_counter(), self._options.idle_timeout_s
        data = None if body is None else StampedBody(body)
        try:
            response = await session.request(method, url, headers=headers, data=data, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(
                f"{url} {what_broke(error, idle_s)} before it answered. Is it running, and is this its address?"
            ) from error
        return Answer(str(url), cast(MeasuredResponse, response), began, perf_counter(), idle_s)

    def _open(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._options.connect_timeout_s, sock_read=self._options.idle_timeout_s
        )
        return aiohttp.ClientSession(
            connector=StampingConnector(keepalive_s=KEEPALIVE_S),
            response_class=MeasuredResponse,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


# What can stand in no host (https://url.spec.whatwg.org/#forbidden-host-code-point); yarl lets it pass.
_NO_HOST = re.compile(r"[\s<>\\^|%]")


def http_url(text: str) -> URL | None:
    """The http(s) URL that a text is, if it is one that can be asked."""
    try:
        url = URL(text)
    except ValueError:
        return None
    usable = url.scheme in ("http", "https") and url.host and not _NO_HOST.search(url.host)
    return url if usable and not re.search(r"\s", text) else None


def endpoint_url(base_url: str) -> URL:
    """The API's root. A URL without a path means its `/v1`; any other path is taken as it is.

    `http://host:1234`, `http://host:1234/`, `http://host:1234/v1` and `http://host:1234/v1/` are the same.
    Raises `UsageError` for what is not an http(s) URL.
    """
    url = http_url(base_url.strip())
    if url is None:
        raise UsageError(f"{base_url!r} is not an endpoint's URL: give one like http://127.0.0.1:8383/v1")
    path = url.path.rstrip("/")
    return url.with_path(path or "/v1")


async def resolve(url: URL) -> None:
    """Look the host up, and ask it for nothing. Raises `Unreachable` when there is no such host."""
    host = url.host or ""
    try:
        await asyncio.get_running_loop().getaddrinfo(host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise Unreachable(
            f"There is no host {host!r} ({why or error}). Is the URL {url} right, and is there a network?"
        ) from error


def what_broke(error: Exception, idle_s: float) -> str:
    """What a socket's error says to a person, as the predicate of a sentence about the endpoint."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "took no connection in time"
    if isinstance(error, TimeoutError):
        return f"fell silent for {idle_s:g} s, the longest that is waited,"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
        return f"failed the TLS handshake ({error})"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"took no connection ({_reason(error.os_error)})"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"did not speak HTTP ({error.message})"
    return "closed the connection"


def _reason(error: OSError) -> str:
    """The system's words for it: those that event loops put in their place name a call, and no reason."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)
