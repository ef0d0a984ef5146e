"""A span as OpenTelemetry has it, whatever it came in: the one form that readers of its conventions are given."""

from typing import Any

import msgspec


class OtelEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened during a span, `at_ns` nanoseconds after the epoch."""

    name: str
    at_ns: int
    attributes: dict[str, Any] = {}


class OtelSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A span of OpenTelemetry's. Ids are lower-case hex: 32 digits of `trace_id`, 16 of the others.

    Times are nanoseconds since the epoch; `end_ns` None: not ended. `failed` is the status ERROR. `scope` is the
    instrumentation's name, `resource` what describes the process. Attributes are plain data: strings, numbers, booleans,
    bytes, lists and dicts.
    """

    trace_id: str
    span_id: str
    parent_id: str | None = None
    name: str = ""
    start_ns: int
    end_ns: int | None = None
    failed: bool = False
    attributes: dict[str, Any] = {}
    events: tuple[OtelEvent, ...] = ()
    scope: str = ""
    resource: dict[str, Any] = {}
