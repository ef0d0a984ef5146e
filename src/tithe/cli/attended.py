"""A command that runs as if it had been typed itself: it has the terminal, and its exit status is ours.

Ctrl-C reaches it without our doing, as it does every program in the terminal's foreground; we only outlive it. One that
does not heed Ctrl-C is asked to end (SIGTERM) by a second within `AGAIN_S`, and ended (SIGKILL) by a third.
SIGTERM is passed on. A terminal that is closed ends what heeds that, and we outlive it too.

What comes when the command has ended was meant for it: nothing of what is still to be written is left out for that. Only
what is told in the end is cut short by a second Ctrl-C (`Attendant.telling`).
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from types import FrameType
from typing import NamedTuple, Self

from tithe.cli.loop import heeding
from tithe.core.errors import UsageError

AGAIN_S = 2.0
NOT_FOUND, NOT_RUNNABLE = 127, 126


class NotStarted(UsageError):
    """The command could not be started. `status` is what a shell exits with then."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Ended(NamedTuple):
    """How a command ended: `exit_status` as a shell has it (128 + N where signal N ended it), and that signal, if one did."""

    exit_status: int
    signal: int | None


class Attendant:
    """Minds one command. From its start until the `with` block ends Ctrl-C, SIGTERM and SIGHUP are the command's, and when
    it has ended nobody's."""

    def __init__(self) -> None:
        self._heeding = contextlib.ExitStack()
        self._process: asyncio.subprocess.Process | None = None
        self._presses = 0
        self._pressed_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._heeding.close()
        if self._process is not None:
            # All is told, and what is left is to exit with the command's status.
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def attend(self, command: Sequence[str], environment: Mapping[str, str]) -> Ended:
        """Run `command` to its end.

        Raises:
            NotStarted: there is no such command, or it may not be run.
        """
        self._heeding.enter_context(heeding(self._received))
        self._heeding.enter_context(_outliving_the_terminal())
        try:
            self._process = await asyncio.create_subprocess_exec(*command, env=dict(environment))
        except FileNotFoundError:
            raise NotStarted(f"{command[0]}: there is no such command.", NOT_FOUND) from None
        except OSError as error:
            raise NotStarted(f"{command[0]} cannot be run: {error.strerror}.", NOT_RUNNABLE) from error
        status = await self._process.wait()
        return Ended(status, None) if status >= 0 else Ended(128 - status, -status)

    @contextlib.contextmanager
    def telling(self) -> Generator[None]:
        """While the block runs, which never awaits, the first Ctrl-C does nothing and the second ends it."""
        pressed = False

        def received(_number: int, _frame: FrameType | None) -> None:
            nonlocal pressed
            if pressed:
                raise KeyboardInterrupt
            pressed = True

        before = signal.signal(signal.SIGINT, received)
        try:
            yield
        except KeyboardInterrupt:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write("tithe: told no further; `tithe tasks` lists what was recorded.\n")
        finally:
            signal.signal(signal.SIGINT, before)

    def _received(self, which: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if which == signal.SIGTERM:
            _send(process, signal.SIGTERM)
            return
        now = time.monotonic()
        self._presses = self._presses + 1 if now - self._pressed_at <= AGAIN_S else 1
        self._pressed_at = now
        if self._presses == 2:
            sys.stderr.write("tithe: asking it to end; Ctrl-C once more ends it.\n")
            _send(process, signal.SIGTERM)
        elif self._presses > 2:
            process.kill()


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
