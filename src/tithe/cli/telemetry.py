"""The spans that an agent exports by itself: taken at the proxy's `/otlp`, and passed on to where they went before.

A collector that is spoken to by gRPC is left alone: what it is sent could not be passed on.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tithe.cli.upstreams import read_url, through
from tithe.core.errors import TitheError
from tithe.core.span import Anchor, Recorder
from tithe.net.proxy import Receipt
from tithe.net.upstream import Upstream
from tithe.trace.otlp import Traces, decode_traces, encode_response, on_clock

_ENDPOINT, _PROTOCOL = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
_OF_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
_NOTHING = Traces(())


class Exporting(NamedTuple):
    """Where an agent's telemetry goes: by the name that stands first in a path at the proxy, on to an upstream or
    nowhere (None). `bases`: what the variables are to say, an URL from the proxy on or, with no leading slash, a word."""

    upstreams: dict[str, Upstream | None]
    bases: dict[str, str]

    def variables(self, proxy: str) -> dict[str, str]:
        """What each variable is to say, with the proxy at the URL `proxy`."""
        return {
            variable: proxy + base if base.startswith("/") else base for variable, base in self.bases.items()
        }


def exporting(environment: Mapping[str, str]) -> Exporting | None:
    """How telemetry is led past here; None: it goes by gRPC, and is left alone.

    Raises `UsageError` for an endpoint that is not a URL.
    """
    protocols = {environment.get(name, "").strip() for name in (_PROTOCOL, _OF_TRACES[1])}
    if "grpc" in protocols:
        return None
    found = Exporting({}, {})
    for name, variable in (("otlp", _ENDPOINT), ("otlp-traces", _OF_TRACES[0])):
        told = environment.get(variable, "").strip()
        if told:
            url = read_url(told, variable)
            found.upstreams[name] = Upstream(origin=str(url.origin()), through=through(url))
            found.bases[variable] = f"/{name}{url.raw_path.rstrip('/')}"
        elif variable == _ENDPOINT:
            found.upstreams[name] = None
            found.bases[variable] = f"/{name}"
    if not any(protocols):
        found.bases[_PROTOCOL] = "http/protobuf"
    return found


class RecordedTelemetry:
    """Keeps the spans that are exported. Metrics and logs are taken and not kept.

    `unread` counts bodies that could not be read, and spans in others that are none; `reason` is of the last.
    """

    def __init__(
        self,
        upstreams: Mapping[str, Upstream | None],
        recorder: Recorder,
        anchor: Anchor,
    ) -> None:
        self.upstreams = upstreams
        self._recorder = recorder
        self._anchor = anchor
        self.unread = 0
        self.reason = ""

    def take(self, path: str, headers: Mapping[str, str], body: bytes, at: float) -> Receipt:
        """Read a body that was posted to `path` and came at `at`; what is answered where no one else does."""
        kind = headers.get("Content-Type")
        try:
            traces = (
                decode_traces(body, kind, headers.get("Content-Encoding")) if _is_traces(path) else _NOTHING
            )
            for span in on_clock(traces.spans, self._anchor, at):
                self._recorder.record(span)
        except TitheError as error:
            self.unread, self.reason = self.unread + 1, error.message
            return Receipt(status=error.status, body=error.message.encode(), content_type="text/plain")
        if traces.refused:
            self.unread, self.reason = self.unread + traces.refused, traces.reason
        answer, answered = encode_response(kind, traces)
        return Receipt(body=answer, content_type=answered)


def _is_traces(path: str) -> bool:
    """Whether a path is not that of metrics or logs: a collector may have its traces anywhere."""
    return not path.rstrip("/").endswith(("/v1/metrics", "/v1/logs"))
