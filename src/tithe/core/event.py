"""Events: what a backend yields while it answers a request.

Order: one `Sent`; then any number of deltas; one `Finished` a choice; at most one `Reported` last.
`at` is monotonic seconds on the backend's clock, stamped where the thing happened: on the socket for
a remote endpoint (before parsing), after sampling for the embedded engine. `index` is the choice
(0 .. n-1). TTFT is the first delta's `at` less `Sent.at`; a delta is never empty.
"""

from typing import Literal

import msgspec

from tithe.core.usage import Facts, Pacing, Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class TopLogprob(msgspec.Struct, frozen=True):
    """An alternative at one position: its text, its bytes, its natural-log probability."""

    token: str
    bytes: bytes
    logprob: float


class TokenLogprob(msgspec.Struct, frozen=True):
    """A generated token, its natural-log probability, and the likeliest alternatives, best first."""

    token: str
    bytes: bytes
    logprob: float
    top: tuple[TopLogprob, ...] = ()


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag="sent"):
    """The request has left (its last byte written to the socket, or it was handed to the engine).

    `connected` is how many seconds of the wait before it went to opening a connection (0 when reused).
    `unused` names the arguments in `Request.template` that the model's template does not read: hints
    that made no difference.
    """

    at: float
    connected: float = 0.0
    unused: tuple[str, ...] = ()


class TextDelta(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """More of the answer's text."""

    at: float
    index: int = 0
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class ReasoningDelta(msgspec.Struct, frozen=True, kw_only=True, tag="reasoning"):
    """More of the model's reasoning: a generated token, though not a visible one."""

    at: float
    index: int = 0
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class ToolCallDelta(msgspec.Struct, frozen=True, kw_only=True, tag="tool_call"):
    """More of a tool call. `id` and `name` come once, with the first delta of `call` (0, 1, ...)."""

    at: float
    index: int = 0
    call: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """A choice is complete."""

    at: float
    index: int = 0
    reason: FinishReason


class Reported(msgspec.Struct, frozen=True, kw_only=True, tag="reported"):
    """What the backend said of the whole call: token usage and, where it tells, where the time went.

    None is "not reported", never zero. `pacing` is there where the call was held back (`core.paced`).
    """

    at: float
    usage: Usage | None = None
    facts: Facts | None = None
    pacing: Pacing | None = None


Delta = TextDelta | ReasoningDelta | ToolCallDelta
Event = Sent | TextDelta | ReasoningDelta | ToolCallDelta | Finished | Reported
