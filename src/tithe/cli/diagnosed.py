"""A task's ledger with the doctor's findings on it."""

from tithe.core.errors import UsageError
from tithe.ledger import Diagnosis, Ledger, Price, PromptedCall, diagnose, make_ledger, prompted_calls
from tithe.trace import Store, TaskRecord

# What other tasks may have paid for is looked for in so many of the latest that began so long before.
_OTHERS, _WITHIN_S = 20, 3600.0


class Diagnoser:
    """Makes ledgers of tasks in a store. `price` is an endpoint's, where an audit tells it."""

    def __init__(self, store: Store, price: Price | None = None) -> None:
        self._store = store
        self._price = price
        self._calls: dict[str, list[PromptedCall]] = {}

    def ledger(self, record: TaskRecord) -> tuple[Ledger, Diagnosis]:
        """The ledger of a task, and what the doctor says of its prefixes.

        Raises `UsageError` for a task of which nothing has a time.
        """
        try:
            calls = self._prompted(record)
            diagnosis = diagnose(record.id, calls, self._others(record, calls), price=self._price)
            return make_ledger(record, diagnosis), diagnosis
        except ValueError as error:
            raise UsageError(f"Nothing of task {record.id} has a time: {error}.") from error

    def _prompted(self, record: TaskRecord) -> list[PromptedCall]:
        found = self._calls.get(record.id)
        if found is None:
            found = self._calls[record.id] = prompted_calls(record, self._store.prompts(record.id))
        return found

    def _others(self, record: TaskRecord, calls: list[PromptedCall]) -> list[PromptedCall]:
        """The calls of other tasks that may have paid for a prefix of this one's; none where tasks have no date."""
        if not calls or not record.anchor.unix:
            return []
        first, last = calls[0].started, calls[-1].started
        summaries = self._store.tasks(since=first - _WITHIN_S)
        near = [one for one in summaries if one.id != record.id and one.started <= last][:_OTHERS]
        found: list[PromptedCall] = []
        for summary in near:
            if summary.id not in self._calls:
                try:
                    self._prompted(self._store.task(summary.id))
                except ValueError:
                    self._calls[summary.id] = []
            found += self._calls[summary.id]
        return found
