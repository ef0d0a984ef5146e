"""What the record has of the endpoints that tasks were made at: all calls of the same models there, not the tasks' own alone."""

from collections.abc import Iterator, Sequence

from tithe.core import attributes as at
from tithe.net.guard import is_loopback
from tithe.trace import Store, TaskRecord
from tithe.trace.tree import build_tree
from tithe.whatif import CallTimes, Graph, graph_of, own_call_times, source_of

# The newest tasks that are looked through, and the calls of them that are enough.
_MOST_TASKS, _MOST_CALLS = 500, 2000
_MODEL = (at.RESPONSE_MODEL, at.REQUEST_MODEL)


def endpoint_times(store: Store, graphs: Sequence[Graph]) -> dict[str, CallTimes]:
    """The call times of the endpoints of `graphs`, from these and the newest other tasks that called them. A host on this machine without
    a port may be any endpoint here: there the tasks themselves are all that is known.
    """
    return own_call_times([*graphs, *_others(store, graphs)])


def _others(store: Store, graphs: Sequence[Graph]) -> Iterator[Graph]:
    known = {graph.task for graph in graphs}
    calls = [call for graph in graphs for call in graph.calls if call.answered]
    sources = {
        source_of(call) for call in calls if call.endpoint is not None and not is_loopback(call.endpoint)
    }
    models = {call.model for call in calls if source_of(call) in sources}
    enough = _MOST_CALLS - len(calls)
    for task in store.tasks(limit=_MOST_TASKS) if sources else ():
        if enough <= 0:
            return
        if task.id in known:
            continue
        graph = _calling(store, task.id, models)
        found = [] if graph is None else [call for call in graph.calls if source_of(call) in sources]
        if graph is not None and found:
            enough -= len(found)
            yield graph


def _calling(store: Store, task: str, models: set[str | None]) -> Graph | None:
    """The graph of a task; None where it called none of the models."""
    for record in store.task_records([task]):
        if any(span.attributes.get(told) in models for span in record.spans for told in _MODEL):
            return task_graph(record)
    return None


def task_graph(record: TaskRecord) -> Graph:
    """A recorded task as it is projected."""
    return graph_of(build_tree(record.spans), task=record.id, name=record.name or record.id[:8])
