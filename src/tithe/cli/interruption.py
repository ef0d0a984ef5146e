"""Ctrl-C and SIGTERM in an audit: the first ends it with a report of what was measured, a second ends it there."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Generator
from typing import NoReturn

from tithe.audit import Interruption
from tithe.cli.loop import TERMINATED, heeding


class SignalledInterruption(Interruption):
    """An interruption by signal; `end` then ends the command as that signal would have."""

    def __init__(self) -> None:
        super().__init__()
        self._first = signal.SIGINT

    @contextlib.contextmanager
    def heeded(self) -> Generator[None, None, None]:
        """While the block runs; its task is what a second signal cancels."""
        task = asyncio.current_task()
        assert task is not None

        def received(which: signal.Signals) -> None:
            if self.happened:
                task.cancel()
            else:
                self._first = which
            self.interrupt()

        with heeding(received):
            try:
                yield
            except asyncio.CancelledError:
                if self.happened:
                    self.end()
                raise

    def end(self) -> NoReturn:
        """Raises `KeyboardInterrupt` after Ctrl-C, and exits with 143 after SIGTERM."""
        if self._first == signal.SIGTERM:
            sys.exit(TERMINATED)
        raise KeyboardInterrupt
