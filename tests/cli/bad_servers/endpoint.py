"""Endpoints that misbehave in one way each, on real sockets, in a thread of their own."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tithe.audit.known import example
from tithe.net.scripted import Received, Reply, ScriptedServer

By = Callable[[Received], Reply]
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}
SHORT_S = 0.001


@contextlib.contextmanager
def serving(by: By) -> Iterator[ScriptedServer]:
    """A server that answers each request as `by` says, until the block is left."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = ScriptedServer(by=by)
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Endpoint:
    """A good endpoint, whose completions `bad` may answer in its place (None: it does not).

    `bad` is called with a completion's body and its number, from 0; the two calibrating calls and the warm-up
    are the first five.
    """

    def __init__(
        self, bad: Callable[[dict[str, Any], int], Reply | None] = lambda *_: None, *, usage: bool = True
    ) -> None:
        self._bad, self._usage = bad, usage
        self.calls = 0

    def __call__(self, request: Received) -> Reply:
        if request.target.endswith("/models"):
            return whole({"object": "list", "data": [{"id": "m", "object": "model"}]})
        body, number = msgspec.json.decode(request.body), self.calls
        self.calls += 1
        return self._bad(body, number) or answer(body, usage=self._usage)


def whole(body: object, status: int = 200, **headers: str) -> Reply:
    """A response in one piece."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=JSON | named, chunks=[(0.0, json.dumps(body).encode())])


def refusal(status: int, message: str, **headers: str) -> Reply:
    """An error in OpenAI's shape."""
    return whole({"error": {"message": message, "type": "x", "param": None, "code": None}}, status, **headers)


def answer(body: dict[str, Any], *, usage: bool = True) -> Reply:
    """A whole answer, as long as was asked for or of the form that was asked for."""
    pieces, finish = _pieces(body)
    prompt = sum(len(str(message.get("content") or "").split()) for message in body["messages"])
    told = {"prompt_tokens": prompt, "completion_tokens": len(pieces), "total_tokens": prompt + len(pieces)}
    last = chunk({}, finish) + (chunk(None, usage=told) if usage else b"") + b"data: [DONE]\n\n"
    rest = b"".join(chunk(piece) for piece in pieces[1:])
    return Reply(chunks=[(SHORT_S, chunk({"role": "assistant"}) + chunk(pieces[0])), (SHORT_S, rest + last)])


def _pieces(body: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    if body.get("tools"):
        tool = body["tools"][0]["function"]
        call = {"name": tool["name"], "arguments": json.dumps(example(tool["parameters"]))}
        return [{"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": call}]}], "tool_calls"
    form = body.get("response_format", {}).get("json_schema")
    if form is not None:
        return [{"content": json.dumps(example(form["schema"]))}], "stop"
    wanted = body.get("max_completion_tokens") or body["max_tokens"]
    return [{"content": " word"}] * wanted, "length"


def chunk(
    delta: dict[str, Any] | None, finish: str | None = None, usage: dict[str, int] | None = None
) -> bytes:
    """One event of a stream."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    told = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": choices}
    return b"data: " + json.dumps(told | ({"usage": usage} if usage else {})).encode() + b"\n\n"
