"""`tithe whatif`: what recorded tasks, or a described one, would take with another endpoint or another design."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.changes import Changes, Described
from tithe.cli.evidence import endpoint_times, task_graph
from tithe.cli.outputs import check_writable, write_file
from tithe.cli.paper import show
from tithe.cli.selection import group, meant
from tithe.cli.store import Db, record_path
from tithe.core.errors import UsageError
from tithe.trace import Store
from tithe.whatif import CallTimes, Graph, compiled, described_graph, project


def whatif(
    *tasks: str,
    changes: Annotated[Changes, Parameter(name="*")] = Changes(),  # noqa: B008 - frozen
    described: Annotated[Described, Parameter(name="*")] = Described(),  # noqa: B008 - frozen
    html: Path | None = None,
    db: Db = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Project tasks onto another endpoint or another design: their wall clock, its floor, and what each knob is worth.

    Parameters
    ----------
    tasks
        The tasks: an id, a beginning of it, last, or name:NAME, session:ID, recording:N, source:SOURCE. The last one when left out; the last
        is the last that is no replay.
    changes
        What is to be different.
    described
        A task that nobody recorded.
    html
        Write the projection to this file as a page as well: bars before and after, and sliders that go on from there.
    db
        The record's file. Without it that of TITHE_DB, else record.db in the user's data directory.
    json
        Print the projection as JSON in place of tables.
    """
    change, description = changes.change(), described.description()
    if description is not None and tasks:
        raise UsageError("--steps describes a task; name recorded tasks, or describe one, not both.")
    if html is not None:
        check_writable(html, "--html")
    graphs, own = (
        ([described_graph(description)], {})
        if description is not None
        else recorded(tasks or ("last",), record_path(db))
    )
    found = project(graphs, change, own)
    unwritten: UsageError | None = None
    if html is not None:
        from tithe.report import whatif_page

        page = whatif_page(found, change, compiled(graphs, change, own))
        unwritten = write_file(html, page.encode(), "--html")
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        from tithe.report import print_projection

        show(lambda console: print_projection(found, console))
    if unwritten is not None:
        raise unwritten


def recorded(named: tuple[str, ...], path: Path) -> tuple[list[Graph], dict[str, CallTimes]]:
    """The graphs of recorded tasks, and what the record has of their endpoints' call times. Raises `UsageError` for a task that is not
    there."""
    with Store.open(path, write=False) as store:
        ids = list(dict.fromkeys(id_ for one in named for id_ in group(store, meant(store, one)).ids))
        graphs = [task_graph(record) for record in store.task_records(ids) if record.spans]
        return graphs, endpoint_times(store, graphs)
