"""Tithe's own recordings, as its recorder writes them, also when it was killed."""

from tithe.core import FakeClock, Span
from tithe.core import attributes as at
from tithe.trace import JsonlRecorder

from .given import lines


def test_what_the_recorder_wrote_is_read(imported, tmp_path):
    path = tmp_path / "spans.jsonl"
    with JsonlRecorder(path, FakeClock(50.0)) as recorder:
        recorder.record(Span(id="a", trace="t", kind="call", name="chat", start=51.0, end=None))
        recorder.record(
            Span(
                id="a", trace="t", kind="call", name="chat", start=51.0, end=53.5, attributes={at.QUEUE: 0.5}
            )
        )
        recorder.record(Span(id="b", trace="u", kind="call", name="chat", start=52.0, end=53.0))
    [first, second] = imported("tithe", raw=path.read_bytes() + b'{"record":"span","sp').tasks
    assert (first.id, second.id) == ("t", "u")
    [span] = first.spans
    assert (span.id, span.start, span.end) == ("a", 0.0, 2.5)
    assert span.attributes == {at.QUEUE: 0.5, at.SOURCE: "server"}


def test_a_task_of_two_recordings_is_put_on_one_clock(imported):
    def anchor(monotonic, unix):
        return {"record": "anchor", "anchor": {"monotonic": monotonic, "unix": unix}}

    def span(own, start):
        told = {"id": own, "trace": "t", "kind": "call", "name": "chat", "start": start, "end": start + 1.0}
        return {"record": "span", "span": told}

    found = imported(
        "tithe", raw=lines(anchor(10.0, 1000.0), span("a", 12.0), anchor(5.0, 1010.0), span("b", 6.0))
    )
    [task] = found.tasks
    assert task.began == 1002.0
    assert [(one.id, one.start, one.end) for one in task.spans] == [("a", 0.0, 1.0), ("b", 9.0, 10.0)]


def test_what_is_no_record_is_counted(imported):
    good = {"id": "a", "trace": "t", "kind": "call", "name": "chat", "start": 1.0}
    found = imported(
        "tithe",
        {"record": "span", "span": good},
        {"record": "anchor", "anchor": {"monotonic": 0.0, "unix": 0.0}},
        {"record": "span", "span": good},
        {"record": "span", "span": good | {"kind": "nonsense"}},
    )
    assert found.notes == ("left out: 2 lines that are no record, or before any anchor (lines 1, 4)",)
