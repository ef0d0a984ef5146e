"""A command that runs as if it had been typed itself: it has the terminal, and its exit status is ours.

Ctrl-C reaches it without our doing, as it does every program in the terminal's foreground; we only outlive it. One that
does not heed Ctrl-C is asked to end (SIGTERM) by a second within `AGAIN_S`, and ended (SIGKILL) by a third.
SIGTERM is passed on. A terminal that is closed ends what heeds that, and we outlive it too.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Generator, Mapping, Sequence

from tithe.cli.loop import heeding
from tithe.core.errors import UsageError

AGAIN_S = 2.0
NOT_FOUND, NOT_RUNNABLE = 127, 126


class NotStarted(UsageError):
    """The command could not be started. `status` is what a shell exits with then."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


async def attend(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run `command` to its end; returns its exit status, 128 + N when signal N ended it.

    Raises:
        NotStarted: there is no such command, or it may not be run.
    """
    process: asyncio.subprocess.Process | None = None
    presses = 0
    pressed_at = float("-inf")

    def received(which: signal.Signals) -> None:
        nonlocal presses, pressed_at
        if process is None or process.returncode is not None:
            return
        if which == signal.SIGTERM:
            _send(process, signal.SIGTERM)
            return
        now = time.monotonic()
        presses = presses + 1 if now - pressed_at <= AGAIN_S else 1
        pressed_at = now
        if presses == 2:
            sys.stderr.write("tithe: asking it to end; Ctrl-C once more ends it.\n")
            _send(process, signal.SIGTERM)
        elif presses > 2:
            process.kill()

    with heeding(received), _outliving_the_terminal():
        try:
            process = await asyncio.create_subprocess_exec(*command, env=dict(environment))
        except FileNotFoundError:
            raise NotStarted(f"{command[0]}: there is no such command.", NOT_FOUND) from None
        except OSError as error:
            raise NotStarted(f"{command[0]} cannot be run: {error.strerror}.", NOT_RUNNABLE) from error
        status = await process.wait()
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _outliving_the_terminal() -> Generator[None]:
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, int)  # any function: the command gets the signal itself
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _send(process: asyncio.subprocess.Process, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(which)
