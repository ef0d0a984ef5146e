"""A recording while it is made: the proxy, the store that it writes to, and the variables that lead an agent past it."""

import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from tithe.cli.attended import Ended
from tithe.cli.telemetry import RecordedTelemetry, exporting
from tithe.cli.upstreams import Routes, around_proxies
from tithe.core.errors import TitheError
from tithe.core.span import Anchor
from tithe.net.notes import Notebook
from tithe.net.proxy import Proxy
from tithe.trace import Store, TaskSummary, machine_clock
from tithe.trace.destination import VARIABLE
from tithe.trace.destination import Recording as Named
from tithe.trace.grouping import Grouper
from tithe.trace.merging import merge


class Into(NamedTuple):
    """Where a recording is written: the file, what its tasks are called, and whether bodies are kept."""

    db: Path
    name: str | None
    content: bool


class Recording:
    """A recording that is under way. `variables`: what an agent's environment is to have. `ended`: how the command did."""

    def __init__(
        self, number: int, into: Into, proxy: Proxy, notebook: Notebook, telemetry: RecordedTelemetry | None
    ) -> None:
        self.number = number
        self.db = into.db
        self.url = proxy.url
        self.variables: dict[str, str] = {}
        self.ended: Ended | None = None
        self._notebook = notebook
        self._telemetry = telemetry
        self._failures: list[str] = []

    @property
    def failures(self) -> list[str]:
        """What could not be recorded, and why, in sentences."""
        told = list(self._failures)
        if self._notebook.failure is not None:
            told.append(f"The recording stopped before its end: {self._notebook.failure.message}")
        if self._telemetry is not None and self._telemetry.unread:
            count = self._telemetry.unread
            told.append(f"{count} exported spans or bodies could not be read: {self._telemetry.reason}")
        return told

    def fail(self, error: TitheError) -> None:
        """Keep what went wrong when the recording was ended."""
        if self._notebook.failure is None:
            self._failures.append(error.message)


@contextlib.asynccontextmanager
async def recording(
    into: Into,
    routes: Routes,
    environment: Mapping[str, str],
    *,
    command: str | None,
    host: str,
    port: int,
) -> AsyncGenerator[Recording]:
    """Record while the block runs, then put together what the proxy and the agent itself saw.

    `command` is what runs, if anything: then all that comes is taken to come from it.

    Raises:
        UsageError: the file cannot be written, the address cannot be had, or a variable is not the URL it should be.
    """
    export = exporting(environment)
    with Store.open(into.db) as store:
        anchor = Anchor.take(time.perf_counter())
        number = store.begin(anchor, source="proxy", command=command, name=into.name, clock=machine_clock())
        writer = store.writer(number, heartbeat=True)
        notebook = Notebook(writer, Grouper(nested=command is not None), content=into.content)
        telemetry = RecordedTelemetry(export.upstreams, writer, anchor) if export is not None else None
        proxy = Proxy(routes.upstreams, notebook, host=host, port=port, telemetry=telemetry)
        try:
            await proxy.start()
            made = Recording(number, into, proxy, notebook, telemetry)
            made.variables = {
                **routes.variables(proxy.url),
                **around_proxies(environment),
                **(export.variables(proxy.url) if export is not None else {}),
                VARIABLE: msgspec.json.encode(Named(db=str(into.db.resolve()), recording=number)).decode(),
            }
            try:
                yield made
            finally:
                await proxy.stop()
                try:
                    writer.close()
                    store.finish(
                        number,
                        at=time.perf_counter(),
                        exit_status=made.ended.exit_status if made.ended is not None else None,
                        signal=made.ended.signal if made.ended is not None else None,
                    )
                    _put_together(store, number)
                except TitheError as error:
                    made.fail(error)
        finally:
            with contextlib.suppress(TitheError):  # told above
                writer.close()


def recorded_tasks(db: Path, number: int) -> list[TaskSummary]:
    """The tasks of a recording, newest first. Raises `UsageError` when the file cannot be read."""
    with Store.open(db, write=False) as store:
        return store.tasks(recording=number)


def _put_together(store: Store, number: int) -> None:
    ids = [task.id for task in store.tasks(recording=number)]
    outcome = merge(span for record in store.task_records(ids) for span in record.spans)
    store.place(outcome.places)
    if outcome.spans:
        store.add(number, outcome.spans)
