import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from tithe.core.exchange import SeenRequest
from tithe.net.prompt_reader import SHORT, PromptReader
from tithe.wire.exchange import read_request

Until = Callable[[Callable[[], bool]], Coroutine[Any, Any, None]]
HEADERS = {"X-Session-Id": "s1", "Authorization": "Bearer sk-secret"}


def body(number: int, length: int = 4 * SHORT) -> bytes:
    content = f"goal {number}: " + "word " * (length // 5)
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()


async def test_a_short_request_is_read_at_once() -> None:
    reader, seen = PromptReader(), list[SeenRequest]()
    reader.read("chat", HEADERS, body(0, 10), seen.append)
    assert [request.session for request in seen] == ["s1"]
    await reader.settle()


async def test_requests_are_given_in_their_order_and_as_they_are_read_here() -> None:
    reader, seen = PromptReader(), list[SeenRequest]()
    bodies = [body(0), body(1, 10), body(2, 200_000), body(3)]
    for each in bodies:
        reader.read("chat", HEADERS, each, seen.append)
    assert seen == []
    await reader.settle()
    assert seen == [read_request("chat", HEADERS, each) for each in bodies]


async def test_where_its_process_is_killed_requests_are_read_all_the_same(until: Until) -> None:
    reader, seen = PromptReader(), list[SeenRequest]()
    reader.read("chat", HEADERS, body(0), seen.append)
    await until(lambda: len(seen) == 1)
    process = reader._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    for number in range(1, 4):
        reader.read("chat", HEADERS, body(number), seen.append)
    await until(lambda: len(seen) == 4)
    assert reader._process is not None
    assert reader._process.pid != process.pid
    await reader.settle()
    assert seen == [read_request("chat", HEADERS, body(number)) for number in range(4)]


async def test_streams_go_on_while_a_long_prompt_is_read() -> None:
    reader, seen = PromptReader(), list[SeenRequest]()
    reader.read("chat", HEADERS, body(0, 5_000_000), seen.append)
    turns = 0
    while not seen:
        await asyncio.sleep(0.001)
        turns += 1
    await reader.settle()
    assert turns > 20
