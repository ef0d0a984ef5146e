"""`tithe diff`: what changed between two tasks, or two groups of them."""

import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.paper import show
from tithe.cli.selection import Group, group
from tithe.cli.store import Db, record_path
from tithe.core.errors import UsageError
from tithe.ledger import Account, Ledger, accounts, difference, make_ledger
from tithe.report import print_difference
from tithe.report.figures import counted
from tithe.trace import Store

# Up to so many tasks on both sides together are told whole, by model and by tool: a ledger takes far longer than an account.
_WHOLE = 1000


def diff(
    a: str,
    b: str,
    *,
    db: Db = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Tell what changed from A to B: more calls or slower ones, more tools or slower ones, retries, overhead.

    Parameters
    ----------
    a
        A task: its id, a beginning of it that no other has, or last. Or a group of tasks: name:NAME, session:ID,
        recording:NUMBER or source:SOURCE. Groups have intervals.
    b
        What is held against it, named the same way.
    db
        The record's file. Without it that of TITHE_DB, else record.db in the user's data directory.
    json
        Print the difference as JSON, in place of tables.
    """
    with Store.open(record_path(db), write=False) as store:
        before, after = group(store, a), group(store, b)
        _check_apart(before, after)
        whole = len(before.ids) + len(after.ids) <= _WHOLE
        sides = [_told(store, side, whole=whole) for side in (before, after)]
    names = (_name(before, sides[0]), _name(after, sides[1]))
    found = difference(sides[0], sides[1], names=names)
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        show(lambda console: print_difference(found, console))


def _told(store: Store, side: Group, *, whole: bool) -> list[Ledger] | list[Account]:
    records = store.task_records(side.ids)
    return [make_ledger(record) for record in records] if whole else list(accounts(records))


def _name(side: Group, told: list[Ledger] | list[Account]) -> str:
    return f"{told[0].name} ({side.ids[0][:8]})" if len(side.ids) == 1 else side.name


def _check_apart(a: Group, b: Group) -> None:
    both = set(a.ids) & set(b.ids)
    if not both:
        return
    if set(a.ids) == set(b.ids):
        raise UsageError(
            f"A and B are the same {'task' if len(a.ids) == 1 else 'tasks'}: name two that differ."
        )
    raise UsageError(
        f"{counted(len(both), 'task')} of A {'is' if len(both) == 1 else 'are'} in B too: name groups that share none."
    )
