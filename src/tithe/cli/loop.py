"""Running a command's coroutine: on uvloop where there is one, ended in order by Ctrl-C and SIGTERM."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, TypeVar

from tithe.core.errors import UsageError

T = TypeVar("T")

TERMINATED = 143


# What SIGTERM does to the command that runs, while nothing inside it heeds signals itself.
_terminating: ContextVar[Callable[[], None]] = ContextVar("_terminating")


def run_command(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end. SIGTERM cancels it, and then exits with 143; Ctrl-C raises KeyboardInterrupt."""
    try:
        # From here on there is something to end in order: see `tithe.__main__`.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_terminated(work))
    finally:
        work.close()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    _terminating.set(terminate)
    task = asyncio.ensure_future(work)
    _on_signal(signal.SIGTERM, terminate)
    try:
        return await task
    except asyncio.CancelledError:
        if terminated:
            sys.exit(TERMINATED)
        raise


@contextlib.contextmanager
def heeding(received: Callable[[signal.Signals], None]) -> Generator[None, None, None]:
    """While the block runs, Ctrl-C and SIGTERM call `received` in place of ending the command.

    For use inside `run_command`. On a platform whose event loop takes no signals they end it as ever.
    """
    heeded = [name for name in (signal.SIGINT, signal.SIGTERM) if _on_signal(name, received, name)]
    try:
        yield
    finally:
        if heeded:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
            _on_signal(signal.SIGTERM, _terminating.get())


def _on_signal(name: signal.Signals, callback: Callable[..., object], *arguments: object) -> bool:
    """Have the running loop call `callback`; False on a platform (Windows) whose event loop takes no signals."""
    try:
        asyncio.get_running_loop().add_signal_handler(name, callback, *arguments)
    except NotImplementedError:
        return False
    return True


def watch_signals(signals: asyncio.Queue[None], *, until_eof: bool) -> None:
    """Put one thing into `signals` for each Ctrl-C or SIGTERM, and for the end of standard input.

    Raises `UsageError` on a platform whose event loop takes no signals.
    """
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        if not _on_signal(name, signals.put_nowait, None):
            raise UsageError("This platform's event loop takes no signals; run under Linux or macOS.")
    if until_eof:

        def ended() -> None:
            loop.remove_reader(sys.stdin.fileno())  # at its end it stays readable
            signals.put_nowait(None)

        loop.add_reader(sys.stdin.fileno(), ended)
