"""The HTTP server: a backend spoken to as OpenAI's Chat Completions.

A call's way: key (`guard`), body, place (`admission`), `wire` decodes it, the backend is asked. A body that
is slow to come holds no place, and is not waited for without end. The backend's first events are held until
one that is not `Sent` has come: what the backend refuses before that is answered with its proper status,
and the hints that it made no use of are named in the head. Then the answer streams, all events that are
ready at once in one write. An error after that becomes an `error` event, and the stream ends without
`[DONE]`. A client that goes away cancels its handler, which closes the backend's iterator at once,
streaming or not.

Open to everyone: `/health`. Behind the key where there is one: everything else, `/metrics` too (it tells
how busy the endpoint is).
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import web

from tithe.core.backend import Backend
from tithe.core.clock import Clock, SystemClock
from tithe.core.errors import (
    Closing,
    EngineError,
    InvalidRequest,
    NotFound,
    TitheError,
    TooLarge,
    TooSlow,
    UsageError,
)
from tithe.core.event import Event, Sent
from tithe.core.span import Recorder, new_id
from tithe.net.account import CallAccount
from tithe.net.address import cannot_listen
from tithe.net.admission import Admission
from tithe.net.batches import Batches
from tithe.net.guard import Guard
from tithe.net.metrics import CONTENT_TYPE, Gauges, Metrics
from tithe.net.options import ServerOptions
from tithe.net.refusal import answer_errors, internal
from tithe.wire import sse
from tithe.wire.chat_error import encode_error
from tithe.wire.chat_request import Incoming, decode_request
from tithe.wire.chat_response import ChunkWriter, Completion

_log = logging.getLogger(__name__)

UNUSED_LIMIT = 1000


class Server:
    """Serves one backend under one `model` name. It neither starts nor closes the backend.

    `recorder` gets a span a call; `gauges` is read at every scrape of `/metrics`. Raises `UsageError` for
    a host that other machines can reach without an API key.
    """

    def __init__(
        self,
        backend: Backend,
        model: str,
        options: ServerOptions,
        *,
        recorder: Recorder | None = None,
        gauges: Gauges | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._backend = backend
        self._model_name = model
        self._options = options
        self._recorder = recorder
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._guard = Guard(options.host, options.api_key)
        self._admission = Admission(options.max_concurrent)
        self._metrics = Metrics(self._own_gauges, *([gauges] if gauges is not None else []))
        self._created = int(time.time())
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """The base URL for clients, `http://HOST:PORT/v1`. Raises `UsageError` before `start`."""
        if self._runner is None or not self._runner.addresses:
            raise UsageError("the server is not started, so it has no URL yet: await start() first")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

    @property
    def running(self) -> int:
        """How many calls run now."""
        return self._admission.running

    async def start(self) -> None:
        """Listen. Raises `UsageError` when the address cannot be had."""
        runner = web.AppRunner(
            self._app(),
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        site = web.TCPSite(runner, self._options.host, self._options.port, backlog=1024)
        try:
            await site.start()
        except (OSError, UnicodeError) as error:
            await runner.cleanup()
            raise cannot_listen(self._options.host, self._options.port, error) from error
        self._runner, self._site = runner, site

    async def stop(self) -> None:
        """Stop listening, answer 503 on connections still open, and return when no call runs any more.

        Calls that outlast `drain_s` end with the error `Closing`. Stopping twice is harmless; `cut` ends
        the wait.
        """
        if self._runner is None or self._site is None:
            return
        self._admission.closing = True
        site, self._site = self._site, None
        await site.stop()
        await self._admission.drain(self._options.drain_s)
        await self._runner.cleanup()

    def cut(self) -> None:
        """End the calls that `stop` waits for, now."""
        self._admission.cut_short()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=self._options.max_body_bytes, middlewares=[answer_errors])
        app.on_response_prepare.append(_name_response)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{model:.+}", self._model)
        app.router.add_get("/metrics", self._scrape)
        app.router.add_get("/health", self._health)
        return app

    def _own_gauges(self) -> Mapping[str, float]:
        return {"calls_running": float(self._admission.running)}

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        account = CallAccount(self._clock.now())
        try:
            isolation = self._guard.admit(request.headers)
            self._admission.look()
            body = await self._body(request)
            with self._admission.enter():
                return await self._call(request, decode_request(body, isolation=isolation), account)
        except TitheError as error:
            account.failed(error)
            raise
        except (asyncio.CancelledError, ConnectionError):
            account.left()
            raise
        except Exception as error:
            fault = internal(error)
            account.failed(fault)
            raise fault from error
        finally:
            self._keep_books(account)

    def _keep_books(self, account: CallAccount) -> None:
        self._metrics.count(account)
        if self._recorder is not None:
            try:
                self._recorder.record(account.span(self._clock.now()))
            except TitheError as error:
                # A full disk must not take the answer from a client that has paid for it.
                _log.error("a call was not recorded: %s", error)

    async def _call(
        self, request: web.Request, incoming: Incoming, account: CallAccount
    ) -> web.StreamResponse:
        account.asked(incoming.request, stream=incoming.stream)
        if incoming.request.model != self._model_name:
            raise self._no_model(incoming.request.model)
        try:
            if incoming.stream:
                return await self._stream(request, incoming, account)
            return await self._complete(request, incoming, account)
        except asyncio.CancelledError:
            if self._admission.cut:
                raise _cut() from None
            raise

    async def _body(self, request: web.Request) -> bytes:
        try:
            if (request.content_length or 0) <= self._options.max_body_bytes:
                async with asyncio.timeout(self._options.body_timeout_s):
                    return await request.read()
        except TimeoutError:
            raise TooSlow(
                f"the request's body did not arrive within {self._options.body_timeout_s:g} s: send it again, faster"
            ) from None
        except web.HTTPRequestEntityTooLarge:
            pass
        except web.RequestPayloadError as error:
            raise InvalidRequest(f"the request's body cannot be read: {error}") from error
        raise TooLarge(
            f"the request's body is over this endpoint's limit of {self._options.max_body_bytes} bytes: shorten it"
        )

    async def _complete(
        self, request: web.Request, incoming: Incoming, account: CallAccount
    ) -> web.StreamResponse:
        """Answer in one piece."""
        completion = Completion(
            id=f"chatcmpl-{account.id}",
            created=int(time.time()),
            model=self._model_name,
            want_facts=incoming.want_facts,
        )
        unread: list[str] = []
        async with aclosing(Batches(self._backend.generate(incoming.request))) as batches:
            async for batch in batches:
                unread += _unread(batch)
                now = self._clock.now()
                for event in batch:
                    account.saw(event, now)
                    completion.add(event)
        response = web.Response(
            body=completion.body(),
            content_type="application/json",
            headers=_unused(incoming.unused_with(unread)),
        )
        # Written here and not by aiohttp after the handler, so that the books are kept after the answer.
        await response.prepare(request)
        await response.write_eof()
        return response

    async def _stream(
        self, request: web.Request, incoming: Incoming, account: CallAccount
    ) -> web.StreamResponse:
        """Answer in server-sent events."""
        chunks = ChunkWriter(
            id=f"chatcmpl-{account.id}",
            created=int(time.time()),
            model=self._model_name,
            include_usage=incoming.include_usage,
            want_facts=incoming.want_facts,
        )
        async with aclosing(Batches(self._backend.generate(incoming.request))) as batches:
            batch = await _opening(batches)
            unused = _unused(incoming.unused_with(_unread(batch)))
            response = _EventStream(headers=_STREAM_HEADERS | unused)
            await response.prepare(request)
            try:
                while True:
                    now = self._clock.now()
                    frames: list[bytes] = []
                    for event in batch:
                        account.saw(event, now)
                        frames += chunks.write(event)
                    if batches.ended:
                        last = b"".join([*frames, chunks.done()])
                        break
                    if frames:
                        await response.write(b"".join(frames))
                    batch = await anext(batches)
            except StopAsyncIteration:
                last = chunks.done()
            except (Exception, asyncio.CancelledError) as broken:  # noqa: BLE001 - told to the client or raised again
                last = self._last_words(broken, account)
            await response.write_eof(last)
            return response

    def _last_words(self, broken: BaseException, account: CallAccount) -> bytes:
        """The event that ends a broken stream. What cannot be told to this client is raised again."""
        if isinstance(broken, asyncio.CancelledError) and self._admission.cut:
            error: TitheError = _cut()
        elif isinstance(broken, TitheError):
            error = broken
        elif isinstance(broken, Exception) and not isinstance(broken, ConnectionError):
            error = internal(broken)
        else:
            raise broken
        account.failed(error)
        return sse.encode(encode_error(error))

    async def _models(self, request: web.Request) -> web.Response:
        self._guard.admit(request.headers)
        return _json({"object": "list", "data": [self._card()]})

    async def _model(self, request: web.Request) -> web.Response:
        self._guard.admit(request.headers)
        if request.match_info["model"] != self._model_name:
            raise self._no_model(request.match_info["model"])
        return _json(self._card())

    def _card(self) -> dict[str, Any]:
        return {"id": self._model_name, "object": "model", "created": self._created, "owned_by": "tithe"}

    def _no_model(self, name: str) -> NotFound:
        return NotFound(
            f"the model {name!r} is not served here: ask for {self._model_name!r}",
            param="model",
            code="model_not_found",
        )

    async def _scrape(self, request: web.Request) -> web.Response:
        self._guard.admit(request.headers)
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, _: web.Request) -> web.Response:
        closing = self._admission.closing
        return _json({"status": "closing" if closing else "ok"}, status=503 if closing else 200)


class _EventStream(web.StreamResponse):
    # The head leaves with the first events. aiohttp has this for whole responses alone; should it rename
    # this attribute, the head leaves in a write of its own again, which costs some 40 us.
    _send_headers_immediately = False


_STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    # Proxies in the way (nginx) would otherwise gather chunks before they pass them on.
    "X-Accel-Buffering": "no",
}


async def _opening(batches: Batches) -> list[Event]:
    """The events up to the first that shows the request was taken; raises what the backend refuses it with."""
    opening: list[Event] = []
    try:
        while all(isinstance(event, Sent) for event in opening):
            opening += await anext(batches)
    except StopAsyncIteration:
        raise EngineError(
            "the backend ended without an answer: this is a fault in it, not in the request"
        ) from None
    return opening


def _cut() -> Closing:
    return Closing("the endpoint shut down before this answer's end: send the request again")


def _unread(events: list[Event]) -> list[str]:
    return [name for event in events if isinstance(event, Sent) for name in event.unused]


def _unused(fields: Iterable[str]) -> dict[str, str]:
    """The header that names the accepted fields which made no difference here."""
    names = ", ".join(quote(name, safe="._[]") for name in dict.fromkeys(fields))
    # A long conversation may name thousands, and clients refuse a response whose head is too long.
    return (
        {"x-tithe-unused": names if len(names) <= UNUSED_LIMIT else names[:UNUSED_LIMIT] + "..."}
        if names
        else {}
    )


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


async def _name_response(_: web.BaseRequest, response: web.StreamResponse) -> None:
    response.headers["x-request-id"] = f"req_{new_id()}"
