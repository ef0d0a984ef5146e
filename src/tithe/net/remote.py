"""A remote endpoint as a backend: OpenAI's Chat Completions over HTTP, stamped on the socket."""

import email.utils
import time
from collections.abc import AsyncIterator, Mapping

import msgspec

from tithe.core.errors import EndpointRefused, StreamBroken
from tithe.core.event import Event, Sent
from tithe.core.request import Request
from tithe.net.client import Answer, ClientOptions, MeasuringClient, endpoint_url
from tithe.wire.chat_chunks import ChunkReader, read_completion
from tithe.wire.chat_error import read_error
from tithe.wire.chat_request import encode_request

# Of a refusal only this much is read: a proxy's error page need not be kept whole.
REFUSAL_LIMIT = 64 * 1024
# After `[DONE]`, how long the response's end may take before the connection is given up.
SETTLE_S = 0.25


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class RemoteBackend:
    """A `Backend` that asks an endpoint, one attempt a call: it never retries.

    `base_url` is the API's root; without a path it means its `/v1` (see `client.endpoint_url`).
    Event times are `perf_counter` seconds: `Sent.at` is when the request's last byte was written, a
    delta's `at` is the stamp of the socket read that brought its last byte. `Sent` is yielded when the
    response's head has come. A call ends as broken when nothing came for `idle_timeout_s`, or no token among
    what came. Raises `UsageError` for a URL that is not one.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        connect_timeout_s: float = 10.0,
        idle_timeout_s: float = 120.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.url = endpoint_url(base_url)
        self._client = MeasuringClient(
            ClientOptions(connect_timeout_s=connect_timeout_s, idle_timeout_s=idle_timeout_s)
        )
        self._idle_timeout_s = idle_timeout_s
        self._headers = dict(headers or {})
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._completions = self.url / "chat" / "completions"

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """Ask for one answer, streamed; an endpoint that answers in one piece is understood too.

        Raises:
            Unreachable: no connection, or it broke before the response began.
            EndpointRefused: any status but 200, after `Sent` was yielded.
            StreamBroken: the answer ended early, held an error, or was no answer.
        """
        body = encode_request(request, stream=True)
        answer = await self._client.send("POST", self._completions, self._headers, body)
        try:
            yield Sent(at=answer.sent_at, connected=answer.connected)
            if answer.status != 200:
                raise await _refusal(self._completions.human_repr(), answer)
            if answer.headers.get("content-type", "").startswith("application/json"):
                whole = await answer.read()
                for event in read_completion(whole, answer.last_at):
                    yield event
                return
            reader, heard = ChunkReader(), answer.sent_at
            while not reader.done and (pieces := await answer.receive()):
                for data, at in pieces:
                    for event in reader.feed(data, at):
                        heard = at
                        yield event
                if answer.last_at - heard > self._idle_timeout_s:
                    raise StreamBroken(
                        f"{self._completions.human_repr()} sent no token for {self._idle_timeout_s:g} s, the longest "
                        "that is waited, though it kept the stream alive"
                    )
            if reader.done:
                await answer.settle(SETTLE_S)
            for event in reader.finish(answer.last_at):
                yield event
        finally:
            answer.close()

    async def models(self) -> list[str]:
        """The ids of the models the endpoint offers. Raises as `generate` does."""
        url = self.url / "models"
        answer = await self._client.send("GET", url, self._headers)
        try:
            if answer.status != 200:
                raise await _refusal(url.human_repr(), answer)
            body = await answer.read()
        finally:
            answer.close()
        try:
            return [model.id for model in msgspec.json.decode(body, type=_Models).data]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StreamBroken(
                f"{url} did not answer with a list of models: {error}. Is it an OpenAI-style API?"
            ) from error

    async def aclose(self) -> None:
        """Close every connection; calls still open end with `StreamBroken`."""
        await self._client.aclose()


async def _refusal(url: str, answer: Answer) -> EndpointRefused:
    try:
        body = await answer.read(REFUSAL_LIMIT)
    except StreamBroken:
        body = b""
    said = read_error(body) or "no reason given"
    return EndpointRefused(
        f"{url} refused with HTTP {answer.status}: {said}",
        http_status=answer.status,
        body=body.decode(errors="replace"),
        retry_after=retry_after(answer.headers, time.time()),
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, from `retry-after-ms`, or `Retry-After` as seconds or an HTTP date (RFC 9110, 10.2.3).

    `now` is seconds since the epoch. None when not given or not understood.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - now)
    except (KeyError, ValueError):
        return None
