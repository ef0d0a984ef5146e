"""The server of the accuracy comparison: scripted times to the first token and between tokens, and stamps of what it did.

    python benchmarks/peers/exact_server.py [--ttft-ms 200] [--gap-ms 50] [--tokens 12] [--lockstep]

A server on a busy machine is late too. So what is held against a client is not the script, but these stamps:

    arrived   when the kernel put the last bytes of the request into the server's socket (`SO_TIMESTAMPNS`). On the
              loopback that happens within the client's own call to send, however late this server reads them.
    before    this server's clock right before it hands a token's bytes to the kernel, which puts them into the
              client's socket within that call. `after` it, the clock again: the truth is uncertain by what lies between.

Both are `CLOCK_MONOTONIC`, which all processes of a machine share; the kernel's stamp is carried over from the
real-time clock by the difference of the two at the moment of reading it.

One thread, no framework: epoll, a heap of what is due, and one `send` for each token. A request's number is told to
its client as `usage.prompt_tokens`, which every client reports, so that each of its figures can be held
against the stamps of the same request. `GET /log?since=N` gives the requests from number N on.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import os
import random
import select
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("qq")
CONTROL_BYTES = socket.CMSG_SPACE(TIMESPEC.size)

MODEL = "exact"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b'data: {"id":"chatcmpl-%d","object":"chat.completion.chunk","created":1700000000,"model":"exact","choices":[%b]%b}\n\n'


@dataclass(frozen=True)
class Script:
    """Times in seconds. Each is drawn evenly from half its mean to one and a half of it.

    `lockstep`: all streams' tokens come at the same instants, a gap apart, as a server that batches sends them.
    """

    ttft_s: float = 0.2
    gap_s: float = 0.05
    tokens: int = 12
    lockstep: bool = False

    def due_s(self, draw: random.Random, now_s: float) -> list[float]:
        """When each token of a request that came at `now_s` is due."""
        first = now_s + self.ttft_s * draw.uniform(0.5, 1.5)
        if self.lockstep:
            start = (first // self.gap_s + 1) * self.gap_s
            return [start + number * self.gap_s for number in range(self.tokens)]
        due = [first]
        while len(due) < self.tokens:
            due.append(due[-1] + self.gap_s * draw.uniform(0.5, 1.5))
        return due


@dataclass
class Served:
    """One request and what was done about it. Instants are monotonic nanoseconds.

    `nth`: of its connection, from 0. `beside`: streams that were open when it came, itself included.
    """

    serial: int
    connection: int
    nth: int
    beside: int
    arrived: int
    read: int
    due: list[int] = field(default_factory=list[int])
    before: list[int] = field(default_factory=list[int])
    after: list[int] = field(default_factory=list[int])


class Connection:
    """A client's connection: what came of its next request so far."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.received = bytearray()
        self.requests = 0
        self.open = True


class ExactServer:
    """Plays the script to every request that comes. Ends at SIGTERM or when standard input is closed."""

    def __init__(self, script: Script, seed: int) -> None:
        self._script = script
        self._draw = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        # What is accepted inherits it, so that no request comes before its stamps are wanted.
        self._listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(sys.stdin, select.EPOLLIN)
        self._connections: dict[int, Connection] = {}
        self._accepted = 0
        self._due: list[tuple[int, int, int]] = []
        self._streams: dict[int, tuple[Connection, Served]] = {}
        self._served: list[Served] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def run(self) -> None:
        """Serve until told to stop."""
        while True:
            wait = max(0.0, (self._due[0][0] - time.perf_counter_ns()) / 1e9) if self._due else None
            for fd, _ in self._epoll.poll(wait):
                if fd == self._listener.fileno():
                    self._accept()
                elif fd == sys.stdin.fileno():
                    return
                elif fd in self._connections:  # not closed meanwhile
                    self._read(self._connections[fd])
            self._send_due()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[sock.fileno()] = Connection(sock, self._accepted)
            self._accepted += 1
            self._epoll.register(sock, select.EPOLLIN)

    def _read(self, connection: Connection) -> None:
        try:
            data, ancillary, _, _ = connection.sock.recvmsg(1 << 20, CONTROL_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        read = time.perf_counter_ns()
        if not data:
            self._close(connection)
            return
        connection.received += data
        head, found, rest = bytes(connection.received).partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        lengths = [line.split(":", 1)[1] for line in lines if line.lower().startswith("content-length:")]
        if len(rest) < int(lengths[0] if lengths else 0):
            return
        connection.received.clear()
        method, target, _ = first.split(" ", 2)
        if method == "POST":
            self._begin(connection, _arrival(ancillary, read), read)
        else:
            self._tell(connection, target)

    def _begin(self, connection: Connection, arrived: int, read: int) -> None:
        """A request for a stream has come."""
        served = Served(
            serial=len(self._served) + 1,
            connection=connection.number,
            nth=connection.requests,
            beside=len(self._streams) + 1,
            arrived=arrived,
            read=read,
        )
        connection.requests += 1
        served.due = [round(due * 1e9) for due in self._script.due_s(self._draw, read / 1e9)]
        self._served.append(served)
        self._streams[served.serial] = (connection, served)
        self._send(connection, HEAD)
        heapq.heappush(self._due, (served.due[0], served.serial, 0))

    def _send_due(self) -> None:
        while self._due and self._due[0][0] <= time.perf_counter_ns():
            _, serial, number = heapq.heappop(self._due)
            connection, served = self._streams[serial]
            if not connection.open:
                del self._streams[serial]
                continue
            last = number + 1 == len(served.due)
            data = _token(serial) if not last else _token(serial) + _ending(serial, len(served.due))
            served.before.append(time.perf_counter_ns())
            self._send(connection, data)
            served.after.append(time.perf_counter_ns())
            if last:
                del self._streams[serial]
            else:
                heapq.heappush(self._due, (served.due[number + 1], serial, number + 1))

    def _send(self, connection: Connection, data: bytes) -> None:
        try:
            sent = connection.sock.send(data)
        except OSError:
            self._close(connection)
            return
        if sent < len(data):
            raise SystemExit("a client's socket is full: it does not read what it is sent")

    def _tell(self, connection: Connection, target: str) -> None:
        parts = urlsplit(target)
        payload: Any = {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "tithe"}]}
        if parts.path == "/log":
            since = int(parse_qs(parts.query)["since"][0])
            payload = [asdict(one) for one in self._served if one.serial >= since]
        body = json.dumps(payload).encode()
        connection.sock.setblocking(True)
        connection.sock.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        connection.sock.setblocking(False)

    def _close(self, connection: Connection) -> None:
        if connection.open:
            connection.open = False
            self._epoll.unregister(connection.sock)
            del self._connections[connection.sock.fileno()]
            connection.sock.close()


def _arrival(ancillary: list[tuple[int, int, bytes]], read: int) -> int:
    """The kernel's stamp of the bytes just read, as monotonic nanoseconds; `read` where the kernel gave none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = TIMESPEC.unpack(data[: TIMESPEC.size])
            apart = time.time_ns() - time.perf_counter_ns()
            return seconds * 1_000_000_000 + nanoseconds - apart
    return read


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _token(serial: int) -> bytes:
    choice = b'{"index":0,"delta":{"role":"assistant","content":" token"},"finish_reason":null}'
    return _chunked(CHUNK % (serial, choice, b""))


def _ending(serial: int, tokens: int) -> bytes:
    """The finish reason, the usage and the stream's end, which go out with the last token."""
    finish = CHUNK % (serial, b'{"index":0,"delta":{},"finish_reason":"length"}', b"")
    counts = b',"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}'
    usage = CHUNK % (serial, b"", counts % (serial, tokens, serial + tokens))
    return _chunked(finish + usage + b"data: [DONE]\n\n") + b"0\r\n\r\n"


def main() -> None:
    """Serve, and say where."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ttft-ms", type=float, default=200.0)
    parser.add_argument("--gap-ms", type=float, default=50.0)
    parser.add_argument("--tokens", type=int, default=12)
    parser.add_argument("--lockstep", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    script = Script(given.ttft_ms / 1e3, given.gap_ms / 1e3, given.tokens, given.lockstep)
    server = ExactServer(script, given.seed)
    gc.disable()  # a collection in the middle of a burst would make the server late for no gain
    print(json.dumps({"url": server.url, "model": MODEL, "pid": os.getpid()}), flush=True)
    server.run()


if __name__ == "__main__":
    main()
