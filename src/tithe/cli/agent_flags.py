"""What the commands of `tithe agent` have in common: the endpoint, the record, and lines beside the output."""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from rich.console import Console

from tithe.cli.embedded import EMBEDDED
from tithe.cli.store import record_path
from tithe.cli.target import Wanted, endpoint_key
from tithe.core.errors import UsageError
from tithe.report.agent import shown
from tithe.trace import record_to
from tithe.trace.destination import VARIABLE

NO_ANSWER = 1
"""The exit status where a run came to no answer."""
TIMEOUT_S = 120.0
"""Seconds that an endpoint may be silent."""


def positive(value: float, flag: str) -> float:
    """The value of a flag, if it is more than 0. Raises `UsageError` otherwise."""
    if not value > 0:
        raise UsageError(f"{flag} is {value:g}: give more than 0.")
    return value


def named_endpoint(url: str | None, model: str | None, key: str | None) -> Wanted:
    """The endpoint that was named, by a flag or by the environment. Raises `UsageError` where none was."""
    place = url or os.environ.get("OPENAI_BASE_URL", "").strip() or None
    if place is None:
        raise UsageError(
            "No endpoint is named: give its base URL with --url, or set OPENAI_BASE_URL; --url embedded starts the bundled model's."
        )
    return Wanted(url=None if place == EMBEDDED else place, model=model, key=key or endpoint_key())


@contextlib.contextmanager
def recorded(db: Path | None) -> Generator[None]:
    """Into the record that is named, or that there is; not where `tithe record` runs this, and has a recording already."""
    if VARIABLE in os.environ:
        yield
        return
    record_to(record_path(db))
    try:
        yield
    finally:
        record_to(None)


def say_where(db: Path | None, notes: Console) -> None:
    """How to see where the time went, unless `tithe record` says so itself."""
    if VARIABLE not in os.environ:
        into = f" --db {db}" if db is not None else ""
        say(notes, f"Where the time went: tithe ledger{into}")


def say(notes: Console, line: str) -> None:
    """A line for the user, as it may be shown on a terminal."""
    notes.print(shown(line), markup=False, highlight=False, soft_wrap=True)
