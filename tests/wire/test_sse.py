import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.wire import sse
from tithe.wire.sse import ServerEvent, SseParser


def parse(*reads: bytes) -> list[ServerEvent]:
    parser = SseParser()
    events = [event for read in reads for event in parser.feed(read)]
    return events + parser.close()


def data_of(*reads: bytes) -> list[bytes]:
    return [event.data for event in parse(*reads)]


def test_every_line_end_ends_an_event():
    assert data_of(b"data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\r\n\n") == [b"a", b"b", b"c", b"d"]


def test_a_carriage_return_and_line_feed_in_two_reads_are_one_line_end():
    assert data_of(b"data: a\r", b"\ndata: b\r\n", b"\r", b"\n") == [b"a\nb"]


def test_comments_other_fields_and_dataless_events_give_nothing():
    assert data_of(b": ping\n\nid: 7\nretry: 10\n\nevent: x\n\ndata: a\n\n") == [b"a"]


def test_one_space_after_the_colon_is_dropped_and_may_be_missing():
    assert data_of(b"data:a\n\ndata:  b\n\ndata\n\n") == [b"a", b" b", b""]


def test_data_lines_are_joined_and_the_event_is_named():
    assert parse(b"event: error\ndata: a\ndata: b\n\ndata: c\n\n") == [
        ServerEvent("error", b"a\nb"),
        ServerEvent("message", b"c"),
    ]


def test_a_byte_order_mark_is_dropped_only_at_the_start():
    assert data_of(b"\xef\xbb", b"\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == [b"a"]


def test_the_last_event_may_lack_its_blank_line():
    assert data_of(b"data: a\n\ndata: [DONE]") == [b"a", b"[DONE]"]
    assert data_of(b"data: [DONE]\n") == [b"[DONE]"]


def test_data_with_line_ends_arrives_with_line_feeds():
    assert data_of(sse.encode(b"a\r\nb\rc\nd")) == [b"a\nb\nc\nd"]


@given(
    st.lists(st.sampled_from(["data: é", "data:x", ": c", "event: e", "", "", "data: 𝄞", "id", "\ufeff"])),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 200)),
)
@settings(max_examples=150)
def test_the_events_do_not_depend_on_how_the_stream_was_split(lines: list[str], end: str, cuts: list[int]):
    stream = end.join(lines).encode()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert parse(*pieces) == parse(stream)
    assert parse(*(stream[i : i + 1] for i in range(len(stream)))) == parse(stream)


@given(
    st.lists(
        st.tuples(st.sampled_from([None, "error", "message"]), st.binary().filter(lambda b: b"\r" not in b))
    )
)
def test_what_is_encoded_is_what_is_parsed(events: list[tuple[str | None, bytes]]):
    stream = b"".join(sse.encode(data, event=name) for name, data in events)
    assert parse(stream) == [ServerEvent(name or "message", data) for name, data in events]
