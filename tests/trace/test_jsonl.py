"""Recordings as JSON lines: what was recorded is what is read, and a broken file says where it is broken."""

from pathlib import Path

import pytest

from tithe.core import Span
from tithe.core.errors import UsageError
from tithe.trace import JsonlRecorder, read_jsonl


def span(name: str) -> Span:
    return Span(
        id="a" * 16,
        trace="b" * 16,
        kind="call",
        name=name,
        start=1.5,
        end=2.25,
        attributes={"tithe.steps": 3},
    )


def test_reads_back_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with JsonlRecorder(path) as recorder:
        recorder.record(span("first"))
        recorder.record(span("second"))
    [recording] = read_jsonl(path)
    assert recording.spans == (span("first"), span("second"))
    assert recording.anchor.unix > 1_700_000_000


def test_every_line_is_there_before_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorder = JsonlRecorder(path)
    assert path.read_text().startswith('{"record":"anchor"')
    recorder.record(span("open"))
    assert read_jsonl(path)[0].spans == (span("open"),)
    recorder.close()


def test_a_second_recorder_appends_under_its_own_anchor(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for name in ("first", "second"):
        with JsonlRecorder(path) as recorder:
            recorder.record(span(name))
    assert [recording.spans[0].name for recording in read_jsonl(path)] == ["first", "second"]


def test_a_line_cut_short_is_named_and_does_not_swallow_the_next_recorder_s(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with JsonlRecorder(path) as recorder:
        recorder.record(span("whole"))
    with path.open("a") as file:
        file.write('{"record":"span","span":{"id":')
    with JsonlRecorder(path) as recorder:
        recorder.record(span("later"))
    with pytest.raises(UsageError, match="line 3 is not a record"):
        read_jsonl(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:2] + lines[3:]))
    assert [recording.spans[0].name for recording in read_jsonl(path)] == ["whole", "later"]


def test_a_span_before_any_anchor_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with JsonlRecorder(path) as recorder:
        recorder.record(span("only"))
    path.write_text(path.read_text().splitlines()[1])
    with pytest.raises(UsageError, match="line 1: a span before any anchor"):
        read_jsonl(path)


def test_a_path_that_cannot_be_used_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the recording"):
        JsonlRecorder(tmp_path / "missing" / "run.jsonl")
    with pytest.raises(UsageError, match="cannot read the recording"):
        read_jsonl(tmp_path / "missing.jsonl")


def test_recording_after_close_is_refused(tmp_path: Path) -> None:
    recorder = JsonlRecorder(tmp_path / "run.jsonl")
    recorder.close()
    recorder.close()
    with pytest.raises(UsageError, match="is closed"):
        recorder.record(span("late"))
