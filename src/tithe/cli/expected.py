"""What a replay is expected to take: from flags, or from what the record has of its endpoint. Told before the replay, not after."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tithe.audit import Endpoint
from tithe.cli.changes import optional_seconds
from tithe.cli.embedded import EMBEDDED
from tithe.cli.evidence import endpoint_times, newest, task_graph
from tithe.cli.profiles import read_profile
from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.net.client import endpoint_url
from tithe.net.guard import is_loopback
from tithe.report.figures import counted
from tithe.trace import Store, TaskRecord
from tithe.whatif import CallTimes, Change, Forecast, ReplayOptions, forecast, known_endpoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expected:
    """The endpoint as it is expected to be. The flags and their help are made from this.

    Attributes:
        ttft: Project with this time to the first token, with its unit: 200ms. Without any of these four: with what the
            record has of the endpoint.
        tps: Project with this decode rate, in tokens a second.
        profile: Project with the endpoint as `tithe audit --save FILE` measured it.
        speedup: Project with inference so many times as fast as it was.
    """

    ttft: str | None = None
    tps: float | None = None
    profile: Path | None = None
    speedup: float = 1.0

    def change(self) -> Change | None:
        """What the flags say; None: nothing. Raises `UsageError` for a change that cannot be."""
        change = Change(
            ttft_s=optional_seconds(self.ttft, "ttft"),
            tokens_per_s=self.tps,
            profile=None if self.profile is None else read_profile(self.profile),
            speedup=self.speedup,
        )
        change.check()
        return None if change == Change() else change


def expectation(
    store: Store, recorded: TaskRecord, given: Change | None, options: ReplayOptions
) -> Forecast | str:
    """The forecast of a replay, or why there is none. Raises `UsageError` where flags ask for one that cannot be."""
    graph = task_graph(recorded)
    own = endpoint_times(store, [graph])
    if given is not None:
        source = "what the flags say of the endpoint" + _scattering(own)
        return forecast(graph, given, options, source=source, own=own)
    try:
        calling = newest(store, lambda span: span.attributes.get(at.SERVER) == options.server)
        profile = known_endpoint(calling, options.model, _names(options))
        calls = f"{_counted(profile.times)} that were recorded of it before"
        return forecast(graph, Change(profile=profile), options, source=calls, own=own)
    except UsageError as error:
        return f"No projection to compare with, for {error.message.rstrip('.')}. --ttft and --tps, or --profile, give one."


def _scattering(own: Mapping[str, CallTimes]) -> str:
    """What the scatter around a flag's times stands on."""
    known = [_counted(times) for times in own.values() if times.fits]
    return f", and for how calls scatter on {' and '.join(known)} as recorded" if known else ""


def _counted(times: CallTimes) -> str:
    calls = max(fit.n for fit in times.fits)
    return f"{counted(calls, 'call')} of {counted(times.tasks or 0, 'task')}"


def named(options: ReplayOptions, endpoint: Endpoint) -> ReplayOptions:
    """The options with what the record is to call the endpoint. The embedded one has another port each time."""
    if endpoint.embedded:
        return msgspec.structs.replace(options, server=EMBEDDED)
    url = endpoint_url(endpoint.url)
    return msgspec.structs.replace(options, server=url.host, port=url.port)


def _names(options: ReplayOptions) -> list[str]:
    """What calls to an endpoint may have it down as. On this machine a host without a port may be any."""
    server = options.server or ""
    if options.port is None:
        return [server]
    return [f"{server}:{options.port}", *(() if is_loopback(server) else (server,))]
