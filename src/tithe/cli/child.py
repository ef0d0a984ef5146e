"""A server in a process of its own: started, waited for, and ended whatever happens."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from typing import IO

import msgspec

from tithe.core.errors import UsageError


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The one JSON line that a server prints when it listens."""

    url: str
    model: str
    pid: int


def announce(url: str, model: str) -> None:
    """Print this process's `Ready` line, for the one that started it to read."""
    ready = Ready(url=url, model=model, pid=os.getpid())
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()


@contextlib.asynccontextmanager
async def child_server(
    arguments: Sequence[str], *, what: str, timeout_s: float = 120.0, stop_s: float = 15.0
) -> AsyncGenerator[Ready, None]:
    """Run `python ARGUMENTS` until the block is left, however it is left.

    The child leads a session of its own, so that a Ctrl-C reaches us alone and we end it in order:
    SIGTERM, and `stop_s` seconds later SIGKILL.

    Raises:
        UsageError: it ended, or said nothing, before it was ready; with what it wrote to stderr.
    """
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            yield await _ready(process, what, timeout_s, errors)
        finally:
            await _end(process, stop_s)


async def _ready(
    process: asyncio.subprocess.Process, what: str, timeout_s: float, errors: IO[bytes]
) -> Ready:
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), timeout_s)
    except TimeoutError:
        raise UsageError(f"{what} was not ready within {timeout_s:.0f} s.{_said(errors)}") from None
    try:
        return msgspec.json.decode(line, type=Ready)
    except msgspec.DecodeError:
        if not line:
            await process.wait()
        raise UsageError(f"{what} did not start.{_said(errors)}") from None


def _said(errors: IO[bytes]) -> str:
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip()
    return f" It said:\n{said[-4000:]}" if said else " It said nothing."


async def _end(process: asyncio.subprocess.Process, stop_s: float) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), stop_s)
    except TimeoutError:
        _kill(process)
        await process.wait()
    except asyncio.CancelledError:
        _kill(process)
        raise


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
