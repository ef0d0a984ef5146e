"""Undoes the `Content-Encoding` of a body, read by read (RFC 9110, 8.4.1): gzip and deflate, which are all that the
standard library has. Some servers send `deflate` without its zlib wrapper; both are read."""

import zlib

_WINDOW = zlib.MAX_WBITS
_WRAPPED = _WINDOW | 32  # gzip or zlib, whichever its header says
_MOST = 256 * 1024 * 1024  # a body that unpacks to more is no answer of a model


class ContentDecoder:
    """Reads one body. `unread` says why it can't be read (any further), once that is known."""

    def __init__(self, coding: str | None) -> None:
        named = (coding or "").strip().lower()
        self.unread: str | None = None
        self._inflate = None
        self._begun = False
        self._raw = named == "deflate"
        self._size = 0
        if named in ("gzip", "x-gzip", "deflate"):
            self._inflate = zlib.decompressobj(_WRAPPED)
        elif named not in ("", "identity"):
            self.unread = f"content-encoding {named}"[:80]

    def feed(self, data: bytes) -> bytes:
        """What more of the body is plain now. Never raises."""
        if self.unread is not None:
            return b""
        if self._inflate is None:
            return data
        plain: list[bytes] = []
        try:
            while data and self._size <= _MOST:
                piece, data = self._some(data)
                plain.append(piece)
                self._size += len(piece)
        except zlib.error:
            self.unread = "content-encoding damaged"
        if self._size > _MOST:
            self.unread = "too large"
        return b"".join(plain)

    def _some(self, data: bytes) -> tuple[bytes, bytes]:
        """What the next of the data unpacks to, and what of it is left."""
        assert self._inflate is not None
        if self._inflate.eof:  # a further member of a gzip file
            self._inflate = zlib.decompressobj(_WRAPPED)
        try:
            piece = self._inflate.decompress(data, 1 << 20)
        except zlib.error:
            if self._begun or not self._raw:
                raise
            self._inflate = zlib.decompressobj(-_WINDOW)
            piece = self._inflate.decompress(data, 1 << 20)
        self._begun = True
        return piece, self._inflate.unconsumed_tail or self._inflate.unused_data
