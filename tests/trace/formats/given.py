"""What the importers' tests make, and how they look at what came of it."""

import json
from typing import Any

from tithe.core import Span


def lines(*records: Any) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def by_name(spans: tuple[Span, ...]) -> dict[str, Span]:
    """Spans by name, each of which is there once."""
    found = {span.name: span for span in spans}
    assert len(found) == len(spans)
    return found


def of_kind(spans: tuple[Span, ...], kind: str) -> list[Span]:
    """Spans of a kind, in the order in which they begin."""
    return sorted((span for span in spans if span.kind == kind), key=lambda span: span.start)
