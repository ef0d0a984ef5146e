"""A task's ledger with the doctor's findings on it."""

from collections.abc import Iterator, Sequence

from tithe.core.errors import UsageError
from tithe.ledger import Diagnosis, Ledger, make_ledger
from tithe.trace import Store, TaskRecord


def diagnosed(store: Store, record: TaskRecord) -> tuple[Ledger, Diagnosis | None]:
    """The ledger of a task, and what the doctor says of its prefixes.

    Raises `UsageError` for a task of which nothing has a time.
    """
    try:
        return make_ledger(record), None
    except ValueError as error:
        raise UsageError(f"Nothing of task {record.id} has a time: {error}.") from error


def all_diagnosed(store: Store, ids: Sequence[str]) -> Iterator[tuple[Ledger, Diagnosis | None]]:
    """The same of several tasks, in the order of `ids`."""
    for id_ in ids:
        yield diagnosed(store, store.task(id_))
