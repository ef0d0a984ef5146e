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
    sent again. `attempt` is the SDK's own count of retries (0: the first), where it sends one.
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


class Phase(msgspec.Struct, frozen=True, array_like=True):
    """A run of tokens of one kind: the stamps of its first and its last chunk."""

    kind: PhaseKind
    start: float
    end: float


class SeenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, whole or not. `error` is the class or code of what went wrong, never its text.

    `tool_calls`: (id, name) of each call that it asks for. `part` is the answer as it would stand in the next
    request's history, if it is sent back unchanged; its digest is then equal to that part's. `first_token`,
    `first_visible` and `last_token` are None where the answer came in one piece.
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
    part: Part | None = None
