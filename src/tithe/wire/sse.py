"""Server-sent events: bytes off a socket to events, and back.

Theory (WHATWG HTML, "9.2 Server-sent events"): a stream is lines ended by LF, CR or CRLF; a line
`field: value` adds to the event under construction (one space after the colon is dropped), a line
that begins with a colon is a comment, and an empty line gives the event out, unless it has no data.
Several `data` lines are joined by LF. A byte order mark before the first line is dropped.

All of it is done on bytes: line ends are ASCII, and no byte of a multi-byte UTF-8 sequence is, so a
read may end anywhere, within a character too, and nothing is decoded twice.

One departure: the standard drops an event whose blank line never came. Some servers close right after
`data: [DONE]`, so `close` gives such an event out; one that was cut in its middle is then not valid
JSON, and the reader of the events says so.
"""

import msgspec

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ServerEvent(msgspec.Struct, frozen=True):
    """One event: its type (`message` when the server named none) and its data as UTF-8 bytes."""

    event: str
    data: bytes


class SseParser:
    """Splits a stream of bytes into events, whatever the reads' sizes."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        self._after_cr = False
        self._first_line = True
        self._event = ""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[ServerEvent]:
        """Take what one read gave; return the events it completed, in order. Never raises."""
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\n" not in data and b"\r" not in data:
            if data:
                self._partial.append(data)
            return []
        self._after_cr = data.endswith(b"\r")
        if self._partial:
            self._partial.append(data)
            data = b"".join(self._partial)
            self._partial.clear()
        lines = data.splitlines()
        if not data.endswith((b"\n", b"\r")):
            self._partial.append(lines.pop())
        return self._events(lines)

    def close(self) -> list[ServerEvent]:
        """The stream has ended: return the event whose blank line never came, if there is one."""
        rest = b"".join(self._partial)
        self._partial.clear()
        return self._events([rest, b""] if rest else [b""])

    def _events(self, lines: list[bytes]) -> list[ServerEvent]:
        events: list[ServerEvent] = []
        for line in lines:
            if self._first_line:
                self._first_line = False
                line = line.removeprefix(BYTE_ORDER_MARK)
            if line:
                self._take(line)
                continue
            if self._data:
                events.append(ServerEvent(self._event or "message", b"\n".join(self._data)))
                self._data = []
            self._event = ""
        return events

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        elif field == b"event":
            self._event = value.removeprefix(b" ").decode("utf-8", "replace")


def encode(data: bytes, *, event: str | None = None) -> bytes:
    """One event as bytes. A line end within `data` starts a further `data` line, and arrives as LF."""
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    if b"\n" in data or b"\r" in data:
        text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        data = text.replace(b"\n", b"\ndata: ")
    return head + b"data: " + data + b"\n\n"
