"""Running a command's coroutine: on uvloop where there is one, ended in order by Ctrl-C and SIGTERM."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tithe.core.errors import UsageError

T = TypeVar("T")

TERMINATED = 143


def run_command(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end. SIGTERM cancels it, and then exits with 143; Ctrl-C raises KeyboardInterrupt."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_terminated(work))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    with contextlib.suppress(NotImplementedError):  # a platform whose loop takes no signals
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await task
    except asyncio.CancelledError:
        if terminated:
            sys.exit(TERMINATED)
        raise


def watch_signals(signals: asyncio.Queue[None], *, until_eof: bool) -> None:
    """Put one thing into `signals` for each Ctrl-C or SIGTERM, and for the end of standard input.

    Raises `UsageError` on a platform whose event loop takes no signals.
    """
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(name, signals.put_nowait, None)
        except NotImplementedError as error:
            raise UsageError(
                "This platform's event loop takes no signals; run under Linux or macOS."
            ) from error
    if until_eof:

        def ended() -> None:
            loop.remove_reader(sys.stdin.fileno())  # at its end it stays readable
            signals.put_nowait(None)

        loop.add_reader(sys.stdin.fileno(), ended)
