"""Requests passed on to where they were going, stamped on the socket, with nothing added and nothing taken away.

What concerns one connection alone (RFC 9110, 7.6.1) is not passed on: each side of a proxy has its own. Everything else is,
in its order and spelling: the client's own `Accept-Encoding` decides how the answer is coded, and coded bodies stay so.
"""

import asyncio
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import cast

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict
from yarl import URL

from tithe.core.errors import Unreachable
from tithe.net.client import KEEPALIVE_S, Answer, what_broke
from tithe.net.stamps import MeasuredResponse, StampedBody, StampingConnector

HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
# `Host` names where a request goes. `Expect` was answered by whoever took the request.
_REQUEST_ONLY = frozenset(("host", "expect"))
_NEVER_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

# The longest line of a head that is passed on. Baggage and cookies may be longer than the 8 KiB of most servers.
LONGEST_LINE = 64 * 1024


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests go: `origin` is a URL's scheme, host and port; `through` the URL of an HTTP proxy on the way.
    `called`: what the record is to call it in place of its host and port.
    """

    origin: str
    through: str | None = None
    called: str | None = None

    @property
    def server(self) -> tuple[str, int | None]:
        """What the record is to call it: host and port; without a port of its own that of its scheme."""
        if self.called is not None:
            return self.called, None
        url = URL(self.origin)
        return url.host or "", url.port


class UpstreamClient:
    """The connections to every upstream, kept and used again.

    It waits as long as the client does that it asks for: a limit of its own would be one that the client's
    author did not set.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        upstream: Upstream,
        method: str,
        target: str,
        headers: CIMultiDict[str],
        body: bytes,
        written: Callable[[], None],
    ) -> Answer:
        """Send one request and wait for the response's head. The caller closes the answer.

        Args:
            target: path and query as they came, coded.
            written: called when the body has been handed to the kernel; never for a request without one.

        Raises:
            Unreachable: no connection, or it broke before the head had come.
        """
        if self._session is None:
            self._session = self._open()
        await asyncio.sleep(0)  # as in `MeasuringClient.send`
        url = URL(upstream.origin + target, encoded=True)
        began = perf_counter()
        try:
            response = await self._session.request(
                method,
                url,
                headers=headers,
                data=_PassedBody(body, written) if body else None,
                proxy=upstream.through,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{upstream.origin} {what_broke(error, 0)} before it answered") from error
        return Answer(upstream.origin, cast(MeasuredResponse, response), began, perf_counter(), 0)

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=StampingConnector(keepalive_s=KEEPALIVE_S),
            response_class=MeasuredResponse,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_NEVER_ADDED,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _PassedBody(StampedBody):
    def __init__(self, body: bytes, written: Callable[[], None]) -> None:
        super().__init__(body)
        self._written = written

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        await super().write_with_length(writer, content_length)
        self._written()


def passed_on(raw: Iterable[tuple[bytes, bytes]], *, request: bool) -> CIMultiDict[str]:
    """The headers without those that concern one connection alone, and those that `Connection` names as such.

    `raw` is as they came: parsed, the names of the best-known ones are spelled anew.
    """
    headers = [(name.decode("latin-1"), _text(value)) for name, value in raw]
    left_out = HOP_BY_HOP | {
        token.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for token in value.split(",")
    }
    if request:
        left_out |= _REQUEST_ONLY
    return CIMultiDict((name, value) for name, value in headers if name.lower() not in left_out)


def _text(value: bytes) -> str:
    """A value as a text that can be written again. It is UTF-8 nearly always; what is not does arrive, but as UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
