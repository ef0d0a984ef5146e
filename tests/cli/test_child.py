import asyncio
import os

import pytest

from tithe.cli.child import child_server
from tithe.cli.loop import run_command
from tithe.core.errors import UsageError

READY = """
import json, os, sys
print(json.dumps({"url": "http://127.0.0.1:9/v1", "model": "m", "pid": os.getpid()}), flush=True)
sys.stdin.read()
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_the_child_lives_as_long_as_the_block():
    async with child_server(("-c", READY), what="The child") as ready:
        assert (ready.url, ready.model) == ("http://127.0.0.1:9/v1", "m")
        assert alive(ready.pid)
    assert not alive(ready.pid)


async def test_the_child_ends_with_the_block_on_an_error():
    pids: list[int] = []

    async def fail() -> None:
        async with child_server(("-c", READY), what="The child") as ready:
            pids.append(ready.pid)
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        await fail()
    assert pids
    assert not alive(pids[0])


async def test_the_child_ends_when_the_task_is_cancelled():
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def hold() -> None:
        async with child_server(("-c", READY), what="The child") as ready:
            started.set_result(ready.pid)
            await asyncio.Event().wait()

    task = asyncio.ensure_future(hold())
    pid = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(pid)


async def test_a_child_that_dies_is_quoted():
    with pytest.raises(UsageError, match=r"(?s)The child did not start.*It said:.*no such model"):
        async with child_server(("-c", "raise SystemExit('no such model')"), what="The child"):
            pass


async def test_a_child_that_says_something_else_is_refused():
    with pytest.raises(UsageError, match=r"The child did not start\. It said nothing"):
        async with child_server(("-c", "print('hello', flush=True); input()"), what="The child"):
            pass


async def test_a_child_that_is_never_ready_is_given_up():
    with pytest.raises(UsageError, match="was not ready within 0 s"):
        async with child_server(("-c", "input()"), what="The child", timeout_s=0.1):
            pass


async def test_a_child_that_will_not_stop_is_killed_without_a_fuss():
    deaf = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
        + READY
        + "\nwhile True: signal.pause()"
    )
    async with child_server(("-c", deaf), what="The child", stop_s=0.1) as ready:
        assert alive(ready.pid)
    assert not alive(ready.pid)


def test_sigterm_ends_a_command_in_order():
    async def work(events: list[str]) -> None:
        try:
            os.kill(os.getpid(), 15)
            await asyncio.Event().wait()
        finally:
            events.append("cleaned up")

    events: list[str] = []
    with pytest.raises(SystemExit) as ended:
        run_command(work(events))
    assert ended.value.code == 143
    assert events == ["cleaned up"]
