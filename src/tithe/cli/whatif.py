"""`tithe whatif`: what recorded tasks, or a described one, would take with another endpoint or another design."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.changes import Changes, Described
from tithe.cli.outputs import check_writable, write_file
from tithe.cli.paper import show
from tithe.cli.selection import group
from tithe.cli.store import Db, record_path
from tithe.core.errors import UsageError
from tithe.trace import Store
from tithe.trace.tree import build_tree
from tithe.whatif import Graph, compiled, described_graph, graph_of, own_call_times, project


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
        The tasks: an id, a beginning of it, last, or name:NAME, session:ID, recording:N, source:SOURCE. The last one when left out.
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
    graphs = (
        [described_graph(description)]
        if description is not None
        else recorded(tasks or ("last",), record_path(db))
    )
    own = own_call_times(graphs)
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


def recorded(named: tuple[str, ...], path: Path) -> list[Graph]:
    """The graphs of recorded tasks. Raises `UsageError` for one that is not there."""
    with Store.open(path, write=False) as store:
        ids = list(dict.fromkeys(id_ for one in named for id_ in group(store, one).ids))
        return [
            graph_of(build_tree(record.spans), task=record.id, name=record.name or record.id[:8])
            for record in store.task_records(ids)
            if record.spans
        ]
