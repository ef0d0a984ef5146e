"""A chat endpoint that answers at once: a tool call until it has seen so many results, then a text. It says when it waited.

    python benchmarks/instant_server.py [--steps 100]

Prints its URL. `GET /stamps` gives, and forgets, a pair a request: when its head had arrived, and when its answer was written, in
seconds. What lies between one answer and the next request is the client's own time, whatever client it is. Answers are
streamed where that was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from time import perf_counter
from typing import Any

STAMPS: list[tuple[float, float]] = []


def answer_to(body: bytes, steps: int) -> tuple[str, bytes]:
    """Content type and body of the answer."""
    asked = json.loads(body)
    done = sum(message["role"] == "tool" for message in asked["messages"])
    message: dict[str, Any] = {"role": "assistant", "content": "done"}
    finish = "stop"
    if done < steps:
        call = {
            "id": f"call_{done}",
            "type": "function",
            "function": {"name": "look", "arguments": f'{{"x": {done}}}'},
        }
        message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    whole = {"id": "c", "created": 1, "model": "m", "usage": usage}
    if not asked.get("stream"):
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return "application/json", json.dumps(
            {**whole, "object": "chat.completion", "choices": [choice]}
        ).encode()
    if "tool_calls" in message:
        message = message | {"tool_calls": [{"index": 0, **message["tool_calls"][0]}]}
    chunks = [
        {"choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        {"choices": [], "usage": usage},
    ]
    lines = [
        json.dumps({"id": "c", "created": 1, "model": "m", "object": "chat.completion.chunk", **chunk})
        for chunk in chunks
    ]
    return "text/event-stream", "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()


async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, steps: int) -> None:
    """Answer what comes on one connection."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            asked = await reader.readuntil(b"\r\n\r\n")
            arrived = perf_counter()
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in asked.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                0,
            )
            body = await reader.readexactly(length)
            stamps = asked.startswith(b"GET")
            if stamps:
                kind, told = "application/json", json.dumps(STAMPS).encode()
                STAMPS.clear()
            else:
                kind, told = answer_to(body, steps)
            writer.write(
                f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(told)}\r\n\r\n".encode()
                + told
            )
            await writer.drain()
            if not stamps:
                STAMPS.append((arrived, perf_counter()))
    writer.close()


async def serve(steps: int) -> None:
    """Print the URL, and serve until ended."""
    server = await asyncio.start_server(
        lambda reader, writer: connection(reader, writer, steps), "127.0.0.1", 0, limit=1 << 24
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=100)
    asyncio.run(serve(parser.parse_args().steps))
