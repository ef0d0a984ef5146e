"""The endpoint of `agent_worst.py` over HTTP: a scripted server that says what the model there says, or does worse.

What it does beyond the model: it answers late or not at all, refuses, asks to come again, breaks off in the middle of a stream, or says what
is no stream. Its list of models may do the same, or there is nobody at its address.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from agent_worst import NEVER_S

from tithe.core import Request, Script, TextDelta, ToolChoice
from tithe.net.scripted import Received, Reply, ScriptedServer

MODEL = "small"
NOBODY = "http://127.0.0.1:9/v1"
MISHAP = 0.1
_JSON = {"content-type": "application/json"}


@contextlib.asynccontextmanager
async def endpoint(draw: random.Random, model: Callable[[Request], Script]) -> AsyncIterator[str]:
    """Serve `model`; gives the URL, or one at which there is nobody."""

    def answer(received: Received) -> Reply:
        if received.target.endswith("/models"):
            return listed(draw)
        asked: dict[str, Any] = msgspec.json.decode(received.body)
        mode = "none" if asked.get("tool_choice") == "none" else "auto"
        script = model(
            Request(model=MODEL, messages=(), n=asked.get("n") or 1, tool_choice=ToolChoice(mode=mode))
        )
        return worse(draw, spoken(script))

    if draw.random() < 0.05:
        yield NOBODY
        return
    async with ScriptedServer(by=answer) as server:
        yield server.url


def listed(draw: random.Random) -> Reply:
    """The list of the one model, or a mishap."""
    told = msgspec.json.encode({"object": "list", "data": [{"id": MODEL, "object": "model"}]})
    reply = Reply(chunks=[(0.0, told)], headers=_JSON)
    return worse(draw, reply, share=0.4)


def worse(draw: random.Random, reply: Reply, share: float = MISHAP) -> Reply:
    """The reply, or what comes in its place."""
    if draw.random() >= share:
        return reply
    replace = msgspec.structs.replace
    return draw.choice(
        (
            replace(reply, head_after=0.3),
            replace(reply, head_after=NEVER_S),
            replace(reply, chunks=[*reply.chunks[:1], (NEVER_S, b"")]),
            replace(reply, chunks=reply.chunks[: len(reply.chunks) // 2], cut=True),
            replace(reply, chunks=[(0.0, b"<html>busy</html>")]),
            Reply(status=500, headers=_JSON, chunks=[(0.0, b'{"error": {"message": "it broke"}}')]),
            Reply(status=503, headers=_JSON | {"retry-after": "1"}),
            Reply(status=429, headers=_JSON | {"retry-after": "30"}),
        )
    )


def spoken(script: Script) -> Reply:
    """A script as a stream of chunks."""
    chunks: list[tuple[float, bytes]] = []
    for place, delta in enumerate(script.deltas):
        if isinstance(delta, TextDelta):
            said: dict[str, Any] = {"content": delta.text}
        else:
            function = {"name": delta.name} if delta.name else {}
            call = {"index": delta.call, "function": function | {"arguments": delta.arguments}}
            said = {"tool_calls": [call | ({"id": delta.id, "type": "function"} if delta.id else {})]}
        chunks.append((script.gap if place else script.ttft, _chunk(delta.index, said)))
    chunks += [
        (0.0, _chunk(index, {}, script.finish)) for index in sorted({each.index for each in script.deltas})
    ]
    return Reply(chunks=[*chunks, (0.0, b"data: [DONE]\n\n")])


def _chunk(index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
    told = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + msgspec.json.encode(told) + b"\n\n"
