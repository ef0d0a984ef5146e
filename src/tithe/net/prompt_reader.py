"""Long requests are read in a process of their own: `python -m tithe.net.prompt_reader`.

To fingerprint a prompt takes milliseconds for every hundred kilobytes of it, most of them inside one call of a regular
expression, which keeps the interpreter's lock: on a thread it would stall every stream that is being passed on. The
process is started by the first long request, gives way to others (nice), and ends with its parent. Where it cannot be
had, a thread reads.

Both ways a message is its length (4 bytes, big-endian) and that much MessagePack. Answers come in the order of the questions.
"""

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from tithe.core.exchange import Api, SeenRequest
from tithe.wire.exchange import read_request

# Bodies up to this length are read at once: it takes less than handing them over.
SHORT = 2 * 1024
NICE = 10
STOP_S = 5.0
_SECRET = frozenset(("authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"))


class _Question(msgspec.Struct, frozen=True, array_like=True):
    api: Api
    headers: dict[str, str]
    body: bytes


Then = Callable[[SeenRequest], None]


class PromptReader:
    """Reads requests, and gives each to a function; in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[_Question, Then]] = deque()
        self._process: asyncio.subprocess.Process | None = None
        self._answers: asyncio.Task[None] | None = None

    def read(self, api: Api, headers: Mapping[str, str], body: bytes, then: Then) -> None:
        """Read a request and call `then` with it: at once if it is short and none is being read, else later."""
        if len(body) <= SHORT and not self._waiting:
            then(read_request(api, headers, body))
            return
        kept = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
        question = _Question(api, kept, body)
        self._waiting.append((question, then))
        if self._process is not None:
            self._ask(self._process, question)
        if self._answers is None or self._answers.done():
            self._answers = asyncio.ensure_future(self._read())

    async def settle(self) -> None:
        """Wait until every request has been read, and end the process."""
        if self._answers is not None:
            await self._answers
        process, self._process = self._process, None
        if process is not None:
            await _end(process)

    def _ask(self, process: asyncio.subprocess.Process, question: _Question) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # that it is gone is noticed when it is listened to
            process.stdin.write(_framed(msgspec.msgpack.encode(question)))

    async def _read(self) -> None:
        """Give out the answers, as long as any is waited for."""
        while self._waiting:
            question, then = self._waiting[0]
            try:
                seen = await self._answer()
            except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError):
                seen = await self._instead(question)
            self._waiting.popleft()
            then(seen)

    async def _answer(self) -> SeenRequest:
        if self._process is None:
            self._process = await _start()
            for question, _ in self._waiting:
                self._ask(self._process, question)
        assert self._process.stdout is not None
        length = int.from_bytes(await self._process.stdout.readexactly(4), "big")
        return msgspec.msgpack.decode(await self._process.stdout.readexactly(length), type=SeenRequest)

    async def _instead(self, question: _Question) -> SeenRequest:
        """Read on a thread what the process did not; the next long request starts another."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process)
        return await asyncio.to_thread(read_request, question.api, question.headers, question.body)


async def _start() -> asyncio.subprocess.Process:
    # In a session of its own, so that a Ctrl-C does not reach it. -P: what lies in the agent's folder is not imported.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tithe.net.prompt_reader"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def answer_questions() -> None:
    """The process: answers what comes on standard input until its end."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICE)
    questions = msgspec.msgpack.Decoder(_Question)
    while len(length := sys.stdin.buffer.read(4)) == 4:
        question = questions.decode(sys.stdin.buffer.read(int.from_bytes(length, "big")))
        seen = read_request(question.api, question.headers, question.body)
        sys.stdout.buffer.write(_framed(msgspec.msgpack.encode(seen)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    answer_questions()
