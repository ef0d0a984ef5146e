"""What the recording proxy adds to a streamed call, beside going direct, in one run.

    python benchmarks/proxy.py [--rounds 60] [--streams 1 32] [--prompt 20000]

Three processes: a bare server that streams chunks at a fixed pace, `tithe record --listen` before it, and the client here,
which stamps on the socket. Rounds alternate, direct and by way of the proxy, the order drawn anew for each pair; a round
is so many streams at once. Every request is of a conversation of its own, so that all that is recorded is new.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
from endpoint import machine
from yarl import URL

from tithe.net.client import ClientOptions, MeasuringClient

FIRST_S, GAP_S, CHUNKS = 0.05, 0.01, 30
WAYS = ("direct", "proxied")
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def frame(delta: dict[str, str], finish: str | None = None) -> bytes:
    """One event as one HTTP chunk."""
    body = {**CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    data = b"data: " + json.dumps(body).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stream the same answer to every request on a connection."""
    token, last = frame({"content": "word "}), frame({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            await reader.readexactly(length)
            loop = asyncio.get_running_loop()
            due = loop.time() + FIRST_S
            writer.write(HEAD)
            for _ in range(CHUNKS):
                await asyncio.sleep(max(0.0, due - loop.time()))
                writer.write(token)
                due += GAP_S
            writer.write(last)
            await writer.drain()
    writer.close()


async def serve() -> None:
    """The server's process: prints its URL, and serves until it is ended."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 24, backlog=256)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[str]:
    """Run a Python process; gives its first line, and ends it."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline()
        finally:
            running.terminate()
            running.stdout.read()


async def call(client: MeasuringClient, url: str, prompt: str) -> tuple[float, float]:
    """One streamed call: seconds from its last byte sent to its first and to its last piece."""
    salt = random.getrandbits(64)
    message = {"role": "user", "content": f"{salt:x} {prompt}"}
    body = json.dumps({"model": "m", "stream": True, "messages": [message]}).encode()
    answered = await client.send(
        "POST", URL(f"{url}/chat/completions"), {"Content-Type": "application/json"}, body
    )
    first = None
    while pieces := await answered.receive():
        first = first if first is not None else pieces[0][1]
    answered.close()
    assert first is not None
    return first - answered.sent_at, answered.last_at - answered.sent_at


@contextlib.asynccontextmanager
async def clients() -> AsyncIterator[dict[str, MeasuringClient]]:
    """A client a way, with connections of its own."""
    async with MeasuringClient(ClientOptions()) as direct, MeasuringClient(ClientOptions()) as proxied:
        yield dict(zip(WAYS, (direct, proxied), strict=True))


async def measure(
    urls: dict[str, str], streams: int, rounds: int, prompt: str
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """TTFT and total of every call, by way. The first rounds open the connections, and are left out."""
    firsts: dict[str, list[float]] = {way: [] for way in WAYS}
    totals: dict[str, list[float]] = {way: [] for way in WAYS}
    async with clients() as asking:
        for number in range(rounds + 2):
            for way in random.sample(WAYS, len(WAYS)):
                began = perf_counter()
                # Streams of a round begin a little apart, as agents' do: all in one instant would measure a queue.
                calls = []
                for index in range(streams):
                    await asyncio.sleep(max(0.0, began + index * FIRST_S / streams - perf_counter()))
                    calls.append(asyncio.ensure_future(call(asking[way], urls[way], prompt)))
                for first, total in await asyncio.gather(*calls):
                    if number >= 2:
                        firsts[way].append(first)
                        totals[way].append(total)
    return firsts, totals


def row(name: str, by_way: dict[str, list[float]], rounds: int) -> str:
    """p50 and p99 of both ways, and what the proxy adds, with the 95 % interval of a bootstrap over rounds."""
    direct, proxied = (np.asarray(by_way[way]).reshape(rounds, -1) * 1e3 for way in WAYS)
    draws = np.random.default_rng(0).integers(0, rounds, (1000, rounds))
    cells = []
    for percentile in (50, 99):
        there, here = np.percentile(direct, percentile), np.percentile(proxied, percentile)
        added = [
            np.percentile(proxied[draw], percentile) - np.percentile(direct[draw], percentile)
            for draw in draws
        ]
        low, high = np.percentile(added, [2.5, 97.5])
        cells.append(
            f"p{percentile}: {there:8.2f} {here:8.2f}  +{here - there:5.2f} [{low:5.2f} to {high:5.2f}]  x{here / there:.3f}"
        )
    return f"  {name:<6} " + "   ".join(cells)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--prompt", type=int, default=20_000, help="characters of a prompt")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    words = random.Random(0)
    prompt = "".join(words.choice("etaoin shrdlu ") for _ in range(options.prompt))
    with tempfile.TemporaryDirectory() as folder, process(__file__, "--serve") as line:
        direct = line.strip()
        listen = (
            "--listen",
            "--port",
            "0",
            "--json",
            "--upstream",
            direct,
            "--db",
            str(Path(folder) / "r.db"),
        )
        with process("-m", "tithe", "record", *listen) as ready:
            urls = {"direct": direct, "proxied": json.loads(ready)["variables"]["OPENAI_BASE_URL"]}
            print(
                f"tithe record beside going direct: {CHUNKS} chunks, {GAP_S * 1e3:g} ms apart, prompts of {options.prompt:,} characters"
            )
            print(machine())
            print("ms: direct, proxied, added [95 % interval], ratio")
            for streams in options.streams:
                rounds = max(2, options.rounds)
                print(f" {streams} streams, {rounds} rounds each way")
                for name, by_way in zip(
                    ("TTFT", "total"), asyncio.run(measure(urls, streams, rounds, prompt)), strict=True
                ):
                    print(row(name, by_way, rounds), flush=True)


if __name__ == "__main__":
    main()
