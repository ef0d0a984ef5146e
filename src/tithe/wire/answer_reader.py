"""An answer's bytes, read beside those who pass them on: to a `SeenAnswer`, whatever the bytes are.

Whether it is a stream or one piece is told by how it begins, not by its `Content-Type`, which servers get wrong: no
line of server-sent events begins with a brace or a bracket, and all else that a model's answer can be does.
"""

from typing import Literal

from tithe.core.exchange import SeenAnswer
from tithe.wire.answer_draft import AnswerDraft, ApiAnswer
from tithe.wire.content_coding import ContentDecoder
from tithe.wire.error_name import error_name_of
from tithe.wire.sse import BYTE_ORDER_MARK, ServerEvent, SseParser

_MOST = 64 * 1024 * 1024  # of an answer in one piece, which is kept until its end


class AnswerReader:
    """Reads one answer.

    Args:
        answer: the API's reader, which writes into `draft`.
        status: the HTTP status. From 300 on the body is an error, whatever it says.
        coding: the `Content-Encoding`.
    """

    def __init__(self, answer: ApiAnswer, draft: AnswerDraft, *, status: int, coding: str | None) -> None:
        self._answer = answer
        self._draft = draft
        self._status = status
        self._decoder = ContentDecoder(coding)
        self._sse = SseParser()
        self._form: Literal["unknown", "stream", "piece"] = "unknown" if status < 300 else "piece"
        self._held: list[bytes] = []
        self._size = 0
        self._events = 0

    def feed(self, data: bytes, at: float) -> None:
        """Take what one read gave, stamped `at` (monotonic seconds). Never raises."""
        plain = self._decoder.feed(data)
        if self._form == "unknown" and plain:
            self._held.append(plain)
            plain = b"".join(self._held)
            self._held = [plain]
            begun = plain.removeprefix(BYTE_ORDER_MARK).lstrip()
            if not begun or BYTE_ORDER_MARK.startswith(plain):
                return
            self._form = "piece" if begun[:1] in (b"{", b"[") else "stream"
            self._held.clear()
        if self._form == "stream":
            self._stream(self._sse.feed(plain), at)
        elif self._form == "piece" and plain:
            self._keep(plain)

    def end(self, at: float, broken: str | None = None) -> SeenAnswer:
        """There is no more: the answer as it was seen. Never raises.

        Args:
            at: when that was known.
            broken: the class of what broke it off, where something did. An answer that was whole by then is.
        """
        draft = self._draft
        body = b"".join(self._held)
        if self._status >= 300:
            draft.fail(error_name_of(body) or str(self._status))
        elif self._form == "stream":
            self._stream(self._sse.close(), at)
            if not self._events:
                draft.unread = draft.unread or "no events"
        elif self._form == "piece" and draft.unread is None and broken is None:
            self._answer.body(body.removeprefix(BYTE_ORDER_MARK))
        draft.unread = self._decoder.unread or draft.unread
        try:
            self._answer.fill()
        except RecursionError:
            draft.unread = "nested too deep"
        return draft.seal(broken)

    def _keep(self, plain: bytes) -> None:
        self._size += len(plain)
        if self._size > _MOST:
            self._draft.unread = "too large"
            self._held.clear()
        else:
            self._held.append(plain)

    def _stream(self, events: list[ServerEvent], at: float) -> None:
        self._events += len(events)
        for event in events:
            self._answer.event(event.event, event.data, at)
