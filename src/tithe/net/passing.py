"""One request on its way to its upstream, and the answer on its way back: each piece goes on as soon as it was read.

A client that goes away cancels this, and with it the request upstream. An upstream that breaks off cuts the client's
connection: to end the answer in order would make a whole one of it.
"""

from time import perf_counter

from aiohttp import web

from tithe.core.errors import StreamBroken, Unreachable
from tithe.net.account import CLIENT_CLOSED
from tithe.net.client import Answer
from tithe.net.notes import GONE, AttemptNotes
from tithe.net.upstream import Upstream, UpstreamClient, passed_on


class PassedResponse(web.StreamResponse):
    """An upstream's response, which gets no header of ours: see `without_own_headers`."""

    def __init__(self, answer: Answer) -> None:
        headers = passed_on(answer.raw_headers, request=False)
        self.named = frozenset(name.lower() for name in headers)
        super().__init__(status=answer.status, reason=answer.reason, headers=headers)


_OWN = ("Content-Type", "Date", "Server")


async def without_own_headers(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """Take away what aiohttp adds to a response that was passed on. For an application's `on_response_prepare`."""
    if isinstance(response, PassedResponse):
        for name in _OWN:
            if name.lower() not in response.named:
                response.headers.pop(name, None)


async def pass_on(
    request: web.Request,
    body: bytes,
    *,
    client: UpstreamClient,
    upstream: Upstream,
    target: str,
    notes: AttemptNotes | None,
) -> web.StreamResponse:
    """Send `request` to `upstream` and its answer back. `notes` is told of all that happens.

    Raises:
        Unreachable: no answer began.
    """
    headers = passed_on(request.raw_headers, request=True)
    broken: str | None = GONE
    answer: Answer | None = None
    response: PassedResponse | None = None
    ended_at: float | None = None
    try:
        sent = notes.sent if notes is not None else _nobody
        answer = await client.send(upstream, request.method, target, headers, body, sent)
        if notes is not None:
            notes.head(answer)
        response = PassedResponse(answer)
        await response.prepare(request)
        await _pass_body(answer, response, notes)
        ended_at = perf_counter()
        await response.write_eof()
        broken = None
    except (Unreachable, StreamBroken) as error:
        broken = type(error).__name__
        if response is None:
            raise
        if request.transport is not None:
            request.transport.close()
    except ConnectionError:
        # The client is gone, and no one is left to read this.
        return web.Response(status=CLIENT_CLOSED)
    finally:
        if answer is not None:
            answer.close()
        if notes is not None:
            notes.ended(perf_counter() if ended_at is None else ended_at, broken)
    return response


async def _pass_body(answer: Answer, response: web.StreamResponse, notes: AttemptNotes | None) -> None:
    while pieces := await answer.receive():
        await response.write(pieces[0][0] if len(pieces) == 1 else b"".join(data for data, _ in pieces))
        if notes is not None:
            for data, at in pieces:
                notes.piece(data, at)


def _nobody() -> None:
    """Nobody wants to know that the request was sent."""
