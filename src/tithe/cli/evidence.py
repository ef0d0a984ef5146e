"""What the record has of the endpoints that tasks were made at: all calls of the same models there, not the tasks' own alone."""

from collections.abc import Callable, Container, Iterator, Sequence

from tithe.core import Span
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
    if not sources or enough <= 0:
        return

    def calling(span: Span) -> bool:
        return any(span.attributes.get(told) in models for told in _MODEL)

    for graph in newest(store, calling, known):
        found = sum(source_of(call) in sources for call in graph.calls)
        if found:
            yield graph
            enough -= found
            if enough <= 0:
                return


def newest(
    store: Store, calling: Callable[[Span], bool], known: Container[str] = frozenset()
) -> Iterator[Graph]:
    """The newest tasks of the record with a span that is `calling`, but for those that are known by their ids."""
    for task in store.tasks(limit=_MOST_TASKS):
        if task.id not in known:
            record = store.task(task.id)
            if any(map(calling, record.spans)):
                yield task_graph(record)


def task_graph(record: TaskRecord) -> Graph:
    """A recorded task as it is projected."""
    return graph_of(build_tree(record.spans), task=record.id, name=record.name or record.id[:8])
