"""What the commands of `tithe agent` have in common: how a model is asked, the record, and lines beside the output."""

import contextlib
import dataclasses
import os
from collections.abc import Generator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from tithe.cli.durations import seconds
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


SWITCH = Parameter(negative=())
"""A flag that is given or not."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asking:
    """Which model is asked, how long, and how. The flags and their help are made from this.

    Attributes:
        url: The endpoint's base URL, such as http://127.0.0.1:8383/v1, or the word embedded for the one that is
            started for it. Also from OPENAI_BASE_URL.
        model: The model to ask for. Without it, the endpoint's only one.
        api_key: The key to send. Also from TITHE_API_KEY or OPENAI_API_KEY.
        budget: How long it may take: 30s, 2m. The better the time allows, the more is checked, tried and tried again.
        plain: The minimal loop: one call a step, the first answer taken.
    """

    url: str | None = None
    model: str | None = None
    api_key: str | None = None
    budget: str = "2m"
    plain: Annotated[bool, SWITCH] = False

    def budget_s(self) -> float:
        """Seconds. Raises `UsageError` for a budget that is none."""
        return positive(seconds(self.budget, "--budget"), "--budget")

    def endpoint(self, otherwise: str | None = None) -> Wanted:
        """The endpoint that is named, by a flag or by the environment, else `otherwise`. Raises `UsageError` where there is none."""
        place = self.url or os.environ.get("OPENAI_BASE_URL", "").strip() or otherwise
        if place is None:
            raise UsageError(
                "No endpoint is named: give its base URL with --url, or set OPENAI_BASE_URL; --url embedded starts the bundled model's."
            )
        return Wanted(
            url=None if place == EMBEDDED else place, model=self.model, key=self.api_key or endpoint_key()
        )


def positive(value: float, flag: str) -> float:
    """The value of a flag, if it is more than 0. Raises `UsageError` otherwise."""
    if not value > 0:
        raise UsageError(f"{flag} is {value:g}: give more than 0.")
    return value


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
