"""What is noted of the requests that a proxy passes on, and never at their expense.

A request is read when it is on its way, a long one in another process (`prompt_reader.py`); an answer's bytes are read
when they have been passed on.

Each attempt is written twice: when it has been read, still open, and when it has ended. A record that cannot be written
stops nothing that is passed on.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Protocol

import msgspec

from tithe.core.errors import TitheError
from tithe.core.exchange import Api, SeenAnswer, SeenRequest
from tithe.core.part import Part
from tithe.core.span import Span, new_id
from tithe.net.attempt import answer_attributes, request_attributes
from tithe.net.client import Answer
from tithe.net.prompt_reader import PromptReader
from tithe.trace.grouping import Grouper, Placement
from tithe.wire.exchange import AnswerReader, answer_reader

# An endpoint on this machine gets a core to take the request up before the reading of it wants one.
READ_AFTER_S = 0.01
# Why an attempt has no whole answer, where that is the client's doing.
GONE = "client_closed"


class AttemptRecorder(Protocol):
    """What keeps attempts, their prompts as fingerprints, and their bodies where those are asked for."""

    def record(self, span: Span) -> None: ...

    def add_prompt(self, span_id: str, parts: Sequence[Part]) -> None: ...

    def add_content(self, span_id: str, request: bytes | None, response: bytes | None) -> None: ...


class Notebook:
    """Where all attempts of a recording are noted.

    `failure` is the first error of the recorder's; from then on nothing is written.
    """

    def __init__(self, recorder: AttemptRecorder, grouper: Grouper, *, content: bool = False) -> None:
        self.recorder = recorder
        self.grouper = grouper
        self.content = content
        self.failure: TitheError | None = None
        self.reader = PromptReader()

    def write(self, write: Callable[[AttemptRecorder], None]) -> None:
        """Have the recorder keep something, unless it failed before."""
        if self.failure is None:
            try:
                write(self.recorder)
            except TitheError as error:
                self.failure = error


class AttemptNotes:
    """What is seen of one attempt, told as it happens: `sent`, `head`, `piece` and so on, `ended`.

    `server` is the host and the port that it goes to; `started` is when the request came, in `perf_counter` seconds.
    """

    def __init__(
        self,
        notebook: Notebook,
        api: Api,
        server: tuple[str, int | None],
        headers: Mapping[str, str],
        body: bytes,
        started: float,
    ) -> None:
        self._notebook = notebook
        self._api: Api = api
        self._server = server
        self._headers: Mapping[str, str] | None = headers
        self._body = body
        self._started = started
        self._sent_at: float | None = None
        self._connected: float | None = None
        self._status: int | None = None
        self._reader: AnswerReader | None = None
        self._pieces: list[bytes] = []
        self._span: Span | None = None
        self._placement: Placement | None = None
        self._end: tuple[float, SeenAnswer] | None = None

    def sent(self) -> None:
        """The request has been written: there will be time to read it."""
        self._sent_at = perf_counter()
        asyncio.get_running_loop().call_later(READ_AFTER_S, self._begin)

    def head(self, answer: Answer) -> None:
        """The response's head has come."""
        self._sent_at, self._connected = answer.sent_at, answer.connected
        self._status = answer.status
        self._reader = answer_reader(self._api, status=answer.status, headers=answer.headers)

    def piece(self, data: bytes, at: float) -> None:
        """Some of the answer's body has been passed on; `at` is when it was read from the socket."""
        if self._reader is not None:
            self._reader.feed(data, at)
        if self._notebook.content:
            self._pieces.append(data)

    def ended(self, at: float, broken: str | None = None) -> None:
        """The attempt is over. `broken`: why its answer is not whole."""
        reader = self._reader
        self._end = (at, SeenAnswer(error=broken) if reader is None else reader.end(at, broken))
        if self._span is not None:
            self._close(self._span)
        else:
            self._begin()

    def _begin(self) -> None:
        if self._headers is not None:
            headers, self._headers = self._headers, None
            self._notebook.reader.read(self._api, headers, self._body, self._opened)

    def _opened(self, request: SeenRequest) -> None:
        notebook = self._notebook
        placement = self._placement = notebook.grouper.place(request)
        attributes = request_attributes(request, placement, *self._server)
        span = self._span = Span(
            id=new_id(),
            trace=placement.task,
            kind="attempt",
            name=f"chat {request.model}" if request.model else "chat",
            start=self._started,
            parent=placement.call,
            attributes=attributes,
        )
        body = self._body if notebook.content else None
        self._body = b""
        if self._end is None:
            notebook.write(lambda recorder: recorder.record(span))
        else:
            self._close(span)
        notebook.write(lambda recorder: recorder.add_prompt(span.id, request.parts))
        if body is not None:
            notebook.write(lambda recorder: recorder.add_content(span.id, body, None))

    def _close(self, span: Span) -> None:
        assert self._end is not None
        assert self._placement is not None
        end, seen = self._end
        notebook = self._notebook
        notebook.grouper.answered(self._placement.call, seen)
        told = answer_attributes(
            seen, self._started, status=self._status, sent_at=self._sent_at, connected=self._connected
        )
        ended = msgspec.structs.replace(span, end=end, error=seen.error, attributes=span.attributes | told)
        notebook.write(lambda recorder: recorder.record(ended))
        if self._pieces:
            answer = b"".join(self._pieces)
            notebook.write(lambda recorder: recorder.add_content(span.id, None, answer))
