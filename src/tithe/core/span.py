"""Spans: the one record that the ledger, what-if, audit and report all read.

A span holds what was seen and nothing derived: monotonic stamps, and one wall-clock anchor a
process with which a reader turns them into dates.
"""

import secrets
import time
from typing import Any, Literal, Protocol

import msgspec

# `branch`: a sub-agent, or one of several ways that a task goes on at once. `validation` and `user` are named like
# the ledger's buckets. `other`: a span of somebody's that is none of these; `attributes.BUCKET` may say what it was.
SpanKind = Literal["task", "branch", "step", "call", "attempt", "tool", "validation", "user", "other"]


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The same instant on two clocks: `monotonic` in seconds, `unix` in seconds since the epoch."""

    monotonic: float
    unix: float

    @classmethod
    def take(cls, monotonic: float) -> "Anchor":
        """Anchor a monotonic reading taken just now to the wall clock."""
        return cls(monotonic=monotonic, unix=time.time())


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Something that took time. `start` and `end` are monotonic seconds; `end` None means still open.

    Attribute names follow the OpenTelemetry GenAI conventions (`gen_ai.*`) where they have one and
    are `tithe.*` where they do not. Message content is never among them unless asked for.
    """

    id: str
    trace: str
    kind: SpanKind
    name: str
    start: float
    end: float | None = None
    parent: str | None = None
    error: str | None = None
    attributes: dict[str, Any] = {}


class Recorder(Protocol):
    """Something that keeps spans: a file, a store, a list in a test."""

    def record(self, span: Span) -> None: ...


def new_id() -> str:
    """A random 16-hex-digit span id, as OpenTelemetry's are."""
    return secrets.token_hex(8)
