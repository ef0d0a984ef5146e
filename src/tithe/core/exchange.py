"""What is seen of a call from outside, by someone who passes its bytes on: request, answer, and no content.

`wire/` reads these from the bytes of any API, the recording proxy stamps and keeps them. Times are monotonic
seconds. None is "not reported".
"""

from typing import Any, Literal

import msgspec

from tithe.core.part import Part
from tithe.core.usage import Facts, Usage

Api = Literal["chat", "responses", "messages"]
PhaseKind = Literal["reasoning", "arguments", "answer"]


class SeenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a generation.

    `parts`: the prompt in the order in which a model reads it. `attributes`: what the conventions have names for
    (`gen_ai.request.*`). `session` is the conversation's name where a header or field gives one, and `session_from`
    which one that is. `previous` is the response that this one continues on the server (Responses API). `results`:
    the ids of the tool results that stand after the last assistant message. `digest` is equal for the same request
    sent again, streamed or not. `attempt` is the SDK's own count of retries (0: the first), where it sends one.
    `trace_parent` is (trace id, span id) of the span that its sender says it is made in (W3C `traceparent`).
    `unread` says why the body could not be read ("not JSON", "content-encoding br"); then only what the headers
    tell is known, and `digest` is of the bytes.
    """

    api: Api
    model: str | None = None
    stream: bool = False
    parts: tuple[Part, ...] = ()
    has_tools: bool = False
    attributes: dict[str, Any] = {}
    session: str | None = None
    session_from: str | None = None
    previous: str | None = None
    results: tuple[str, ...] = ()
    digest: str = ""
    attempt: int | None = None
    trace_parent: tuple[str, str] | None = None
    unread: str | None = None


class Phase(msgspec.Struct, frozen=True, array_like=True):
    """A run of tokens of one kind: from the stamp of its first chunk to that of the next run's, or of its last.

    An answer's phases tile the time from its first token to its last.
    """

    kind: PhaseKind
    start: float
    end: float


class SeenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, whole or not. `error` is the class or code of what went wrong, never its text.

    `finish_reasons` are those of `core.event` where a reason is known, else the API's own. `tool_calls`: (id, name) of
    each call that it asks for. `parts` are the answer as it would stand in the next request's history, if it is sent
    back unchanged; their digests are then equal to those parts'. Chat and Messages make one part (of several
    choices, the first's), Responses one of each output item. `first_token`, `first_visible` and `last_token` are
    None where the answer came in one piece.

    `unread` says what of it could not be read, and why ("content-encoding br", "not JSON", "chunk"): what is missing
    then may have been there, and no `error` is told from its absence.
    """

    id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    usage: Usage | None = None
    cache_write_tokens: int | None = None
    facts: Facts | None = None
    tool_calls: tuple[tuple[str, str], ...] = ()
    first_token: float | None = None
    first_visible: float | None = None
    last_token: float | None = None
    phases: tuple[Phase, ...] = ()
    error: str | None = None
    parts: tuple[Part, ...] = ()
    unread: str | None = None
