"""What a server learns of one call while its events pass: the source of its span and its metrics.

Metadata only. No message, tool argument, header or error text is kept: an error's text may quote what
was sent, so only its class and code are.
"""

from typing import Any

import msgspec

from tithe.core import attributes as at
from tithe.core.errors import TitheError
from tithe.core.event import Event, Finished, FinishReason, Reported, Sent
from tithe.core.request import Request
from tithe.core.span import Span, new_id
from tithe.core.usage import Facts, Pacing, Usage

# What proxies commonly log for a client that went away before its answer's end.
CLIENT_CLOSED = 499


class CallAccount:
    """One call: when it came (`started`, monotonic seconds), and what was seen of it.

    `status` is how the call ended: an error in mid-stream, after HTTP 200 was sent, has the error's own.
    """

    def __init__(self, started: float) -> None:
        self.id = new_id()
        self.started = started
        self.status = 200
        self.error: str | None = None
        self.stream = False
        self.ttft: float | None = None
        self.usage: Usage | None = None
        self.facts: Facts | None = None
        self.pacing: Pacing | None = None
        self._request: Request | None = None
        self._reasons: dict[int, FinishReason] = {}

    def asked(self, request: Request, *, stream: bool) -> None:
        """The request was understood."""
        self._request = request
        self.stream = stream

    def saw(self, event: Event, now: float) -> None:
        """An event passed at `now`. The first delta sets `ttft`, in seconds from the request's arrival."""
        if isinstance(event, Finished):
            self._reasons[event.index] = event.reason
        elif isinstance(event, Reported):
            self.usage = event.usage
            self.facts = event.facts
            self.pacing = event.pacing
        elif self.ttft is None and not isinstance(event, Sent):
            self.ttft = now - self.started

    def failed(self, error: TitheError) -> None:
        """The call ended with an error."""
        self.status = error.status
        self.error = error.code or type(error).__name__

    def left(self) -> None:
        """The client went away before the end."""
        self.status = CLIENT_CLOSED
        self.error = "client_closed"

    def span(self, end: float) -> Span:
        """The call as a span that ended at `end`."""
        seen: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.server.time_to_first_token": self.ttft,
            "http.response.status_code": self.status,
            "error.type": self.error,
            "tithe.stream": self.stream,
        }
        if self._request is not None:
            seen["gen_ai.request.model"] = self._request.model
            seen["gen_ai.conversation.id"] = self._request.session
        if self._reasons:
            seen["gen_ai.response.id"] = f"chatcmpl-{self.id}"
            seen["gen_ai.response.finish_reasons"] = [self._reasons[index] for index in sorted(self._reasons)]
        seen |= at.usage_attributes(self.usage)
        if self.facts is not None:
            seen |= {f"tithe.{name}": value for name, value in msgspec.structs.asdict(self.facts).items()}
        if self.pacing is not None:
            seen |= {
                at.EMULATED_TTFT: self.pacing.ttft_s,
                at.EMULATED_RATE: self.pacing.tokens_per_s,
                at.OWN_FIRST_TOKEN: self.pacing.own_first_token_s,
                at.OWN_LAST_TOKEN: self.pacing.own_last_token_s,
                at.ADDED: self.pacing.added_s,
            }
        return Span(
            id=self.id,
            trace=new_id(),
            kind="call",
            name="chat",
            start=self.started,
            end=end,
            error=self.error,
            attributes={name: value for name, value in seen.items() if value is not None},
        )
