"""A projection of what a replay will take, made before it runs, and held against it afterwards.

A replay does not do all that the record did: waits for people and tools are scaled, and failed attempts are left out unless asked.
So the projection is of the task as it will be replayed, and what is compared is the same work.

The times of the endpoint's calls come from flags, or from what was recorded of it before.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tithe.core.errors import UsageError
from tithe.trace.buckets import BUCKETS, Bucket
from tithe.whatif.calltimes import CallSample, CallTimes, fit_call_times, own_call_times
from tithe.whatif.change import Change
from tithe.whatif.graph import Call, Graph, Segment, Work
from tithe.whatif.profile import Profile
from tithe.whatif.projection import Projected, project
from tithe.whatif.replay_run import ReplayOptions


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay is expected to take. `source` says what the times of its calls stand on."""

    projected: Projected
    source: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast against the replay. Seconds.

    `error`: the projected median over the replayed wall clock, less 1. `errors`: projected mean less replayed, by bucket. `inside`: the
    replayed wall clock lies in the 80 % interval; None: it has none.
    """

    projected: Projected
    source: str
    error: float
    errors: dict[str, float]
    inside: bool | None


def forecast(
    graph: Graph,
    change: Change,
    options: ReplayOptions,
    *,
    source: str,
    own: Mapping[str, CallTimes] | None = None,
) -> Forecast:
    """What a replay of `graph` takes under `change`, whose tools are those of `options`. `own`: the call times of the endpoints that it was
    recorded at, from all that is known of them; None: from the task alone.

    Raises `UsageError` where `project` does.
    """
    own = own_call_times([graph]) if own is None else own
    change = msgspec.structs.replace(change, tools=options.tools)
    [projected] = project([as_replayed(graph, options)], change, own).tasks
    return Forecast(projected=projected, source=source)


def check(made: Forecast, wall: Mapping[Bucket, float], wall_s: float) -> Checked:
    """Hold a forecast against a replay's account: seconds by bucket, and of the wall clock."""
    after, interval = made.projected.after, made.projected.wall
    return Checked(
        projected=made.projected,
        source=made.source,
        error=interval.p50 / wall_s - 1,
        errors={
            bucket: after.get(bucket, 0.0) - wall.get(bucket, 0.0)
            for bucket in BUCKETS
            if after.get(bucket) or wall.get(bucket)
        },
        inside=interval.holds(wall_s),
    )


def as_replayed(graph: Graph, options: ReplayOptions) -> Graph:
    """The graph of what a replay does: people and gaps scaled, and failed attempts left out unless they are replayed. Tools are as recorded."""
    segments = tuple(
        Segment(segment.after, tuple(_work(work, options) for work in segment.works))
        for segment in graph.segments
    )
    return msgspec.structs.replace(graph, segments=segments)


def _work(work: Work, options: ReplayOptions) -> Work:
    if work.bucket != "tool":
        work = msgspec.structs.replace(work, seconds=options.takes(work.bucket, work.seconds))
    if work.call is None or options.retries:
        return work
    call: Call = msgspec.structs.replace(work.call, failures=0, failed_s=0.0, backoff_s=0.0)
    return msgspec.structs.replace(work, call=call)


def slept(graph: Graph, options: ReplayOptions) -> dict[Bucket, float]:
    """Seconds that a replay waits beside its calls, by bucket; what runs at once is counted for each."""
    found: dict[Bucket, float] = {}
    for work in (work for segment in graph.segments for work in segment.works if work.call is None):
        found[work.bucket] = found.get(work.bucket, 0.0) + options.takes(work.bucket, work.seconds)
    return found


def known_endpoint(graphs: Iterable[Graph], model: str, names: Sequence[str]) -> Profile:
    """An endpoint as the record knows it: fitted to the calls of `model` that were made to any of `names`, the first of which it is
    called by. Raises `UsageError`: there are none, or too few to fit.
    """
    samples: list[CallSample] = []
    tasks = 0
    for graph in graphs:
        found = [
            CallSample.of(call)
            for call in graph.calls
            if call.answered and call.model == model and call.endpoint in names
        ]
        samples += found
        tasks += bool(found)
    name = f"{model} at {names[0]}"
    if not samples:
        raise UsageError(f"no call to {name} was recorded before")
    profile = Profile(name=name, times=fit_call_times(name, samples, tasks=tasks))
    profile.check()
    return profile
