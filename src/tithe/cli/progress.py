"""The progress bar on stderr. Drawn between calls, at most four times a second, and never by a thread:
a bar that takes the interpreter while a token arrives would be measured."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_EVERY_S = 0.25


class CallProgress:
    """Counts calls against the usual number, which an agent may go past; silent where stderr is no terminal."""

    def __init__(self, total: int, console: Console, *, unit: str = "calls") -> None:
        self._total = total
        self._done = 0
        self._bar = Progress(
            TextColumn("  {task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self._calls = self._bar.add_task("starting", total=total)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        self._bar.refresh()
        return self

    def __exit__(self, *ended: object) -> None:
        self._bar.stop()

    def __call__(self, label: str) -> None:
        self._done += 1
        self._bar.update(self._calls, completed=self._done, total=max(self._total, self._done))
        now = time.monotonic()
        if now - self._drawn >= _EVERY_S:
            self._drawn = now
            self._bar.update(self._calls, description=label.partition(".")[0])
            self._bar.refresh()
