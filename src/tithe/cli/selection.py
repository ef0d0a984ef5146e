"""Which of the record's tasks a command is about."""

import sys
from collections.abc import Callable

import msgspec

from tithe.core.errors import UsageError
from tithe.trace import Store, TaskSummary


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks as they were named on the command line: what they are called, and their whole ids."""

    name: str
    ids: tuple[str, ...]


REPLAY = "replay"
"""The source of what `tithe replay` records."""
# What a group can be named by, and what of a task is held against it.
_BY: dict[str, Callable[[TaskSummary], str | None]] = {
    "name": lambda task: task.name,
    "session": lambda task: task.session,
    "recording": lambda task: str(task.recording),
    "source": lambda task: task.source,
}


def group(store: Store, named: str) -> Group:
    """One task, by its id, a beginning of that, or `last`; or all with `name:NAME`, `session:ID`, `recording:N` or `source:SOURCE`.

    Raises:
        UsageError: there is no such task, or more than one by that beginning.
    """
    by, colon, value = named.partition(":")
    if not colon or by not in _BY:
        return Group(name=named, ids=(store.find(named),))
    told = _BY[by]
    ids = tuple(task.id for task in store.tasks() if told(task) == value)
    if not ids:
        raise UsageError(
            f"There is no task of {by} {value!r} in the record. `tithe tasks` lists those that there are."
        )
    return Group(name=f"{by} {value}", ids=ids)


def last_not_replayed(store: Store) -> tuple[str, int]:
    """The whole id of the newest task with a call that is no replay of another, and how many replays are newer. Where all are replays, it is
    the last of them.

    Raises:
        UsageError: there is no task.
    """
    newer = 0
    for task in store.tasks():
        if task.source != REPLAY and task.calls:
            return task.id, newer
        newer += task.source == REPLAY
    return store.find("last"), 0


def meant(store: Store, named: str) -> str:
    """A task's name as a projection or a replay takes it: `last` is the last that was not replayed from another, for a replay is the answer
    to a projection. What it passes over is told on stderr.
    """
    if named != "last":
        return named
    found, newer = last_not_replayed(store)
    if newer:
        replays = "the newest task is a replay" if newer == 1 else f"the newest {newer} tasks are replays"
        sys.stderr.write(f"The last task that is no replay is {found}; {replays}.\n")
    return found


def narrowed(store: Store, *, name: str | None, source: str | None, since: float | None) -> list[str] | None:
    """The whole ids of the tasks with this name, from this source, started since; None for all that there are.

    Raises:
        UsageError: there are none.
    """
    everything = name is None and source is None and since is None
    found = store.tasks(source=source, since=since, limit=1 if everything else None)
    ids = [task.id for task in found if name is None or task.name == name]
    if not ids:
        raise UsageError(
            "There is no task in the record yet. Record one first (tithe record)."
            if everything
            else "There is no such task in the record. `tithe tasks` lists those that there are."
        )
    return None if everything else ids
