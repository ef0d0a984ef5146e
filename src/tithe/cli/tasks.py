"""`tithe tasks`: what the record has, newest first."""

import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.paper import show
from tithe.cli.store import Db, record_path
from tithe.core.errors import UsageError
from tithe.report import print_tasks
from tithe.report.figures import counted
from tithe.trace import Store, TaskSummary

_AGO_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def tasks(
    text: str | None = None,
    *,
    source: str | None = None,
    since: str | None = None,
    limit: int = 20,
    delete: Annotated[
        tuple[str, ...], Parameter(consume_multiple=True, negative_iterable=(), show_default=False)
    ] = (),
    db: Db = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """List the tasks that were recorded or imported, newest first.

    Parameters
    ----------
    text
        Only tasks with this in their name or session; case does not matter.
    source
        Only tasks that this source told something of: proxy, otlp, api, server or import:FORMAT.
    since
        Only tasks that started since then: 90s, 30m, 2h, 3d or 1w ago, or a date (2026-05-01, 2026-05-01T14:30).
    limit
        At most so many; 0 for all.
    delete
        In place of listing, forget these tasks and all that was kept of them. A task is named by its id, a beginning of
        it that no other task has, or last.
    db
        The record's file. Without it that of TITHE_DB, else record.db in the user's data directory.
    json
        Print one JSON object in place of text: the file, and its tasks.
    """
    path = record_path(db)
    if limit < 0:
        raise UsageError(f"limit is {limit}: give how many tasks to list, or 0 for all.")
    after = None if since is None else instant(since, time.time())
    if delete:
        if text is not None or source is not None or since is not None:
            raise UsageError("--delete takes ids of tasks: list first what you are after, then delete by id.")
        _delete(path, delete, json=json)
        return
    found: list[TaskSummary] = []
    if path.exists():
        with Store.open(path, write=False) as store:
            found = store.tasks(text=text, source=source, since=after, limit=limit + 1 if limit else None)
    more = bool(limit) and len(found) > limit
    found = found[: limit or None]
    if json:
        sys.stdout.write(msgspec.json.encode({"db": str(path), "tasks": found}).decode() + "\n")
    elif found:
        show(lambda console: print_tasks(found, console, more=more))
    elif text is None and source is None and since is None:
        sys.stdout.write(f"No tasks in {path} yet. Record one with: tithe record -- python my_agent.py\n")
    else:
        sys.stdout.write(f"No such task in {path}. `tithe tasks` lists those that there are.\n")


def _delete(path: Path, named: Sequence[str], *, json: bool) -> None:
    with Store.open(path, write=False) as store:
        ids = list(dict.fromkeys(store.find(one) for one in named))
    with Store.open(path) as store:
        store.delete(ids)
    if json:
        sys.stdout.write(msgspec.json.encode({"db": str(path), "deleted": ids}).decode() + "\n")
    else:
        sys.stdout.write(f"Deleted {counted(len(ids), 'task')} from {path}.\n")


def instant(since: str, now: float) -> float:
    """The instant that `--since` names, in seconds since the epoch. Raises `UsageError` when it names none."""
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", since.strip())
    if ago is not None:
        return now - float(ago[1]) * _AGO_S[ago[2]]
    try:
        return datetime.fromisoformat(since.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"since is {since!r}: give how long ago (90s, 30m, 2h, 3d, 1w) or a date (2026-05-01)."
        ) from error
