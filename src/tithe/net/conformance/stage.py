"""The scripted server with scenarios on it: a client chooses one by the model that it asks for.

Beside Chat Completions it answers `/v1/models`, and `/v1/lateness`: how late the server has been
since that was asked last, from which a client's judge knows what not to hold against the client.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from tithe.core.errors import InvalidRequest, NotFound, TitheError
from tithe.net.conformance import raw
from tithe.net.conformance.behaviour import Player
from tithe.net.conformance.scenario import Scenario
from tithe.net.guard import Guard
from tithe.net.scripted import Received, Reply, ScriptedServer
from tithe.wire.chat_error import encode_error

TICK_S = 0.005


class Lateness(msgspec.Struct, frozen=True, kw_only=True):
    """The most seconds by which the server was late: at its event loop, and in an answer, added up."""

    late_s: float


class _Body(msgspec.Struct):
    model: str
    messages: list[msgspec.Raw]
    stream: bool = False


class Stage:
    """Serves scenarios for as long as the block lasts. A single one is served whatever model is asked for.

    Raises `UsageError` when the address cannot be had, or can be reached by others and there is no key.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_keys: tuple[str, ...] = (),
    ) -> None:
        self._guard = Guard(host, api_keys)
        self._players = {scenario.name: Player(scenario.behaviour) for scenario in scenarios}
        self._server = ScriptedServer(by=self._reply, host=host, port=port)
        self._ticker: asyncio.Task[None] | None = None
        self._late_s = 0.0

    @property
    def url(self) -> str:
        """The base URL, `http://HOST:PORT/v1`."""
        return self._server.url

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *ended: object) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        await self._server.__aexit__(*ended)

    async def _tick(self) -> None:
        """Watch how late the event loop is."""
        while True:
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            self._late_s = max(self._late_s, time.perf_counter() - due)

    def _reply(self, request: Received) -> Reply:
        try:
            # Header names came in lower case; the guard asks for them as they are usually written.
            self._guard.admit({name.title(): value for name, value in request.headers.items()})
            return self._route(request)
        except TitheError as error:
            return raw.body(error.status, encode_error(error), after=0.0)

    def _route(self, request: Received) -> Reply:
        match request.method, request.target.partition("?")[0]:
            case "POST", "/v1/chat/completions":
                return self._play(request.body)
            case "GET", "/v1/models":
                return _json({"object": "list", "data": [_model(name) for name in self._players]})
            case "GET", "/v1/lateness":
                late = Lateness(late_s=self._late_s + self._server.late_s)
                self._late_s = self._server.late_s = 0.0
                return raw.body(200, msgspec.json.encode(late), after=0.0)
            case method, path:
                raise NotFound(f"There is no {method} {path} here. Ask /v1/chat/completions or /v1/models.")

    def _play(self, body: bytes) -> Reply:
        try:
            asked = msgspec.json.decode(body, type=_Body)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"This is no Chat Completions request: {error}.") from error
        if not asked.stream:
            raise InvalidRequest("The scenarios are streams: ask with 'stream': true.", param="stream")
        name = asked.model if len(self._players) > 1 else next(iter(self._players))
        player = self._players.get(name)
        if player is None:
            known = ", ".join(self._players)
            raise NotFound(
                f"There is no scenario '{asked.model[:200]}'. The model is one of: {known}.", param="model"
            )
        return player.reply([bytes(message) for message in asked.messages], time.perf_counter())


def _model(name: str) -> Mapping[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "tithe"}


def _json(payload: Mapping[str, Any]) -> Reply:
    return raw.body(200, msgspec.json.encode(payload), after=0.0)
