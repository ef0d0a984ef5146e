"""Undoes the `Content-Encoding` of a body, read by read (RFC 9110, 8.4.1): gzip and deflate, which are all that the
standard library has. Some servers send `deflate` without its zlib wrapper (RFC 1950); both are read."""

import zlib

_RAW = -zlib.MAX_WBITS
_WRAPPED = zlib.MAX_WBITS | 32  # gzip or zlib, whichever its header says
_PIECE = 1024 * 1024
_MOST = 256 * 1024 * 1024  # a body that unpacks to more is no answer of a model


class ContentDecoder:
    """Reads one body. `unread` says why it can't be read (any further), once that is known."""

    def __init__(self, coding: str | None) -> None:
        named = (coding or "").strip().lower()
        self.unread: str | None = None
        self._packed = named in ("gzip", "x-gzip", "deflate")
        self._may_be_raw = named == "deflate"
        self._head = b""
        self._bits = _WRAPPED
        self._inflate = zlib.decompressobj(_WRAPPED)
        self._size = 0
        if not self._packed and named not in ("", "identity"):
            self.unread = f"content-encoding {named}"[:80]

    def feed(self, data: bytes) -> bytes:
        """What more of the body is plain now. Never raises."""
        if self.unread is not None:
            return b""
        if not self._packed:
            return data
        if self._may_be_raw:
            self._head += data
            if len(self._head) < 2:
                return b""
            data, self._may_be_raw = self._head, False
            if not _is_wrapped(data):
                self._bits = _RAW
                self._inflate = zlib.decompressobj(_RAW)
        return self._unpacked(data)

    def _unpacked(self, data: bytes) -> bytes:
        plain: list[bytes] = []
        try:
            while data and self.unread is None:
                if self._inflate.eof:  # a further member of a gzip file
                    self._inflate = zlib.decompressobj(self._bits)
                plain.append(self._inflate.decompress(data, _PIECE))
                data = self._inflate.unconsumed_tail or self._inflate.unused_data
                self._size += len(plain[-1])
                if self._size > _MOST:
                    self.unread = "too large"
        except zlib.error:
            self.unread = "content-encoding damaged"
        return b"".join(plain)


def _is_wrapped(data: bytes) -> bool:
    """Whether data begins with zlib's two bytes: the method, deflate, and a check by 31."""
    return data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
