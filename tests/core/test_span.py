"""Spans: ids, the anchor that makes dates of monotonic stamps, and the form they are kept in."""

import re
import time

import msgspec

from tithe.core import Anchor, Span, new_id


def test_ids_are_as_opentelemetry_has_them_and_differ() -> None:
    ids = [new_id() for _ in range(1000)]
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in ids)
    assert len(set(ids)) == len(ids)


def test_an_anchor_makes_dates_of_stamps() -> None:
    before = time.time()
    anchor = Anchor.take(100.0)
    after = time.time()
    stamp = 103.5
    assert before + 3.5 <= anchor.unix + stamp - anchor.monotonic <= after + 3.5


def test_a_span_is_read_as_it_was_written() -> None:
    span = Span(
        id=new_id(),
        trace=new_id(),
        kind="call",
        name="chat",
        start=1.25,
        parent=new_id(),
        attributes={"gen_ai.usage.input_tokens": 3, "tithe.queue_s": 0.5, "finish": ["stop"]},
    )
    assert span.end is None, "a span without an end is open"
    assert msgspec.json.decode(msgspec.json.encode(span), type=Span) == span
