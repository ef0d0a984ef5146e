"""The recording proxy: on loopback, between an agent and the endpoints that it asks.

A request's first path segment names its upstream, and the rest is the path there: `/openai/v1/chat/completions` goes to
the upstream `openai` as `/v1/chat/completions`. Every method and path is passed through byte for byte; the
generations among them are noted (`notes.py`), and nothing else: no list of models, no embedding, no token count.
Telemetry has names of its own (`/otlp/v1/traces`): it is read, and passed on to whoever had it before.

A WebSocket is refused with 501: what is said in one would go unrecorded.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Protocol

import msgspec
from aiohttp import web

from tithe.core.errors import InvalidRequest, NotFound, TitheError, UsageError
from tithe.core.exchange import Api
from tithe.net.account import CLIENT_CLOSED
from tithe.net.address import cannot_listen
from tithe.net.guard import Guard, is_loopback
from tithe.net.notes import AttemptNotes, Notebook
from tithe.net.passing import pass_on, without_own_headers
from tithe.net.refusal import internal
from tithe.net.upstream import LONGEST_LINE, Upstream, UpstreamClient
from tithe.wire.chat_error import encode_error
from tithe.wire.exchange import api_of
from tithe.wire.messages_error import encode_messages_error

# An idle connection is the agent's to close: one that is closed from here may have its next request on the way.
KEPT_S = 3600.0
_NO_WEBSOCKET = "websocket_not_supported"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered to telemetry that goes nowhere else."""

    body: bytes
    content_type: str
    status: int = 200


class Telemetry(Protocol):
    """Takes what exporters post. `upstreams`: the names it comes by, and where it goes as well (None: nowhere)."""

    @property
    def upstreams(self) -> Mapping[str, Upstream | None]: ...

    def take(self, path: str, headers: Mapping[str, str], body: bytes, at: float) -> Receipt:
        """Read a body that was posted to `path` (`/v1/traces`) and came at `at`. Never raises."""
        ...


class Proxy:
    """Passes requests on to `upstreams`, each by its name, and notes generations in `notebook`.

    Raises `UsageError` for a host that other machines can reach: whatever keys an agent sends pass through here.
    """

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        notebook: Notebook,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._upstreams = upstreams
        self._notebook = notebook
        self._host, self._port = host, port
        self._telemetry = telemetry
        if not is_loopback(host):
            raise UsageError(
                f"{host} can be reached by other machines, and the keys that agents send pass through here: "
                "listen on 127.0.0.1"
            )
        self._guard = Guard(host, ())
        self._client = UpstreamClient()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """`http://HOST:PORT`. Raises `UsageError` before `start`."""
        if self._runner is None or not self._runner.addresses:
            raise UsageError("the proxy is not started, so it has no URL yet: await start() first")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Listen. Raises `UsageError` when the address cannot be had."""
        app = web.Application(client_max_size=0)
        app.on_response_prepare.append(without_own_headers)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            auto_decompress=False,
            shutdown_timeout=1.0,
            keepalive_timeout=KEPT_S,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, backlog=1024).start()
        except (OSError, UnicodeError) as error:
            await runner.cleanup()
            raise cannot_listen(self._host, self._port, error) from error
        self._runner = runner

    async def stop(self) -> None:
        """End what is under way, and return when all of it has been noted."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._client.aclose()
        await self._notebook.reader.settle()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        came_at = perf_counter()
        name, _, rest = request.raw_path.removeprefix("/").partition("/")
        target = f"/{rest}"
        api = api_of(target) if request.method == "POST" else None
        try:
            self._guard.admit(request.headers)
            _refuse_websocket(request)
            body = await request.read()
            if self._telemetry is not None and name in self._telemetry.upstreams:
                return await self._take(self._telemetry, name, request, target, body)
            upstream = self._upstream(name)
            notes = (
                AttemptNotes(self._notebook, api, upstream.server, request.headers, body, came_at)
                if api is not None
                else None
            )
            return await pass_on(
                request, body, client=self._client, upstream=upstream, target=target, notes=notes
            )
        except TitheError as error:
            return _refusal(error, api)
        except (ConnectionError, web.RequestPayloadError):
            return web.Response(status=CLIENT_CLOSED)
        except Exception as error:  # noqa: BLE001 - logged, and answered in the API's shape
            return _refusal(internal(error), api)

    def _upstream(self, name: str) -> Upstream:
        try:
            return self._upstreams[name]
        except KeyError:
            there = ", ".join(f"/{one}" for one in self._upstreams)
            raise NotFound(f"there is no /{name} here, only {there}") from None

    async def _take(
        self, telemetry: Telemetry, name: str, request: web.Request, target: str, body: bytes
    ) -> web.StreamResponse:
        receipt = telemetry.take(target.partition("?")[0], request.headers, body, perf_counter())
        upstream = telemetry.upstreams[name]
        if upstream is None:
            return web.Response(body=receipt.body, content_type=receipt.content_type, status=receipt.status)
        return await pass_on(request, body, client=self._client, upstream=upstream, target=target, notes=None)


def _refuse_websocket(request: web.Request) -> None:
    if "websocket" in request.headers.get("Upgrade", "").lower():
        raise InvalidRequest(
            f"{request.path} was asked for as a WebSocket, which is not recorded: use plain HTTP",
            code=_NO_WEBSOCKET,
        )


def _refusal(error: TitheError, api: Api | None) -> web.Response:
    """What is answered where no upstream does, in the shape of the API that was asked."""
    encode: Callable[[TitheError], bytes] = encode_messages_error if api == "messages" else encode_error
    status = 501 if error.code == _NO_WEBSOCKET else error.status
    return web.Response(body=encode(error), status=status, content_type="application/json")
