"""`tithe ledger`: where a task's wall clock went, or many tasks'."""

import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.diagnosed import Diagnoser
from tithe.cli.outputs import check_writable, write_file
from tithe.cli.paper import show
from tithe.cli.saved import saved_report
from tithe.cli.selection import narrowed
from tithe.cli.store import Db, record_path
from tithe.cli.tasks import instant
from tithe.core.errors import UsageError
from tithe.ledger import Price, accounts, many_tasks
from tithe.trace import Store

_Switch = Parameter(negative=())


def ledger(
    task: str | None = None,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative=())] = False,
    name: str | None = None,
    since: str | None = None,
    source: str | None = None,
    html: Path | None = None,
    profile: Path | None = None,
    db: Db = None,
    json: Annotated[bool, _Switch] = False,
) -> None:
    """Tell where a task's wall clock went and what of it was avoidable; or where many tasks' went.

    Parameters
    ----------
    task
        A task: its id, or a beginning of it that no other has. The last one when left out.
    all_
        In place of one task all of them: p50 and p95 of each bucket, with intervals.
    name
        The same of the tasks with this name.
    since
        The same of the tasks that started since then: 90s, 30m, 2h, 3d or 1w ago, or a date (2026-05-01, 2026-05-01T14:30).
    source
        The same of the tasks from this source: proxy, otlp, api, server or import:FORMAT.
    html
        Write the ledger to this file as a page as well, with all that it needs in it.
    profile
        An audit of the endpoint, as --save kept it: what a lost prefix cost is then told by its price of a prompt token.
    db
        The record's file. Without it that of TITHE_DB, else record.db in the user's data directory.
    json
        Print JSON in place of tables: the ledger, or the figures of many tasks and each one's account.
    """
    path, after = record_path(db), None if since is None else instant(since, time.time())
    if not (all_ or name is not None or source is not None or since is not None):
        _one(path, task or "last", html=html, price=_price(profile), json=json)
        return
    if task is not None:
        raise UsageError(
            f"{task} is one task; leave it out with --all, --name, --since or --source, which choose several."
        )
    if html is not None:
        raise UsageError("--html is for one task: name it, and leave out what chooses several.")
    _many(path, name=name, source=source, since=after, json=json)


def _price(profile: Path | None) -> Price | None:
    """What an audit says of a prompt token's price; None: the calls themselves are asked."""
    if profile is None:
        return None
    worth = saved_report(profile).measured.pairs.figures.uncached_token_s
    if worth is None:
        raise UsageError(
            f"{profile} does not tell what a prompt token costs: it has too few pairs of prefixes."
        )
    return Price(token_s=worth.value, known_from=f"the audit {profile.name}")


def _one(path: Path, named: str, *, html: Path | None, price: Price | None, json: bool) -> None:
    if html is not None:
        check_writable(html, "--html")
    with Store.open(path, write=False) as store:
        found, diagnosis = Diagnoser(store, price).ledger(store.task(named))
    unwritten: UsageError | None = None
    if html is not None:
        from tithe.report import ledger_page

        unwritten = write_file(html, ledger_page(found, diagnosis).encode(), "--html")
    if json:
        told = {**msgspec.to_builtins(found), "prefix": diagnosis}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        from tithe.report import print_ledger

        show(lambda console: print_ledger(found, diagnosis, console))
    if unwritten is not None:
        raise unwritten


def _many(path: Path, *, name: str | None, source: str | None, since: float | None, json: bool) -> None:
    with Store.open(path, write=False) as store:
        ids = narrowed(store, name=name, source=source, since=since)
        # One record in memory at a time: thousands of them at once cost more than all the rest.
        found = many_tasks(list(accounts(store.task_records(ids))))
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    from tithe.report import print_many

    show(lambda console: print_many(found, console))
