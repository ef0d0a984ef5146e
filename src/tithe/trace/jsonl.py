"""Spans as JSON lines: a file that can be read while it is written, appended to, and searched with grep.

A line holds one record, told apart by its `record` tag:

    {"record":"anchor","anchor":{"monotonic":12.5,"unix":1790000000.25}}
    {"record":"span","span":{"id":"...","trace":"...","kind":"call", ...}}

The first line is an anchor. A recorder that opens a file anew adds an anchor of its own: the spans after
it are on that clock.
"""

import os
from pathlib import Path
from typing import Self

import msgspec

from tithe.core.clock import Clock, SystemClock
from tithe.core.errors import UsageError
from tithe.core.span import Anchor, Span


class _AnchorLine(msgspec.Struct, frozen=True, tag_field="record", tag="anchor"):
    anchor: Anchor


class _SpanLine(msgspec.Struct, frozen=True, tag_field="record", tag="span"):
    span: Span


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What one recorder wrote: its anchor, and its spans in the order in which they were recorded."""

    anchor: Anchor
    spans: tuple[Span, ...]


class JsonlRecorder:
    """Appends spans to a file, one a line, each written through at once in a single `write`.

    Raises `UsageError` when the file cannot be opened for writing.
    """

    def __init__(self, path: str | Path, clock: Clock | None = None) -> None:
        self._path = Path(path)
        self._encoder = msgspec.json.Encoder()
        try:
            self._file = os.open(
                self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600
            )
        except OSError as error:
            raise UsageError(
                f"cannot write the recording {self._path}: {error.strerror}. Give a path in a folder you can write to"
            ) from error
        # A writer that was killed may have left half a line: what follows must not be glued to it.
        size = os.fstat(self._file).st_size
        if size:
            os.lseek(self._file, size - 1, os.SEEK_SET)
            if os.read(self._file, 1) != b"\n":
                os.write(self._file, b"\n")
        now = (clock if clock is not None else SystemClock()).now()
        self._write(_AnchorLine(Anchor.take(now)))

    def record(self, span: Span) -> None:
        """Append one span. Raises `UsageError` when the disk refuses it or the recorder is closed."""
        self._write(_SpanLine(span))

    def _write(self, line: _AnchorLine | _SpanLine) -> None:
        if self._file < 0:
            raise UsageError(f"the recording {self._path} is closed: record before closing it")
        try:
            os.write(self._file, self._encoder.encode(line) + b"\n")
        except OSError as error:
            raise UsageError(f"cannot write to the recording {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_jsonl(path: str | Path) -> list[Recording]:
    """Every recording in a file, in order: one for each anchor.

    Raises `UsageError` when the file cannot be read, a line is not a record (it is named), or a span
    comes before any anchor.
    """
    decoder = msgspec.json.Decoder(_AnchorLine | _SpanLine)
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"cannot read the recording {path}: {error.strerror}") from error
    anchor: Anchor | None = None
    spans: list[Span] = []
    recordings: list[Recording] = []
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{path}, line {number} is not a record: {error}. Is it a recording of Tithe's? "
                "A line cut short by a crash can be deleted"
            ) from error
        if isinstance(line, _AnchorLine):
            if anchor is not None:
                recordings.append(Recording(anchor=anchor, spans=tuple(spans)))
            anchor, spans = line.anchor, []
        elif anchor is None:
            raise UsageError(
                f"{path}, line {number}: a span before any anchor, so this is not a whole recording"
            )
        else:
            spans.append(line.span)
    if anchor is not None:
        recordings.append(Recording(anchor=anchor, spans=tuple(spans)))
    return recordings
