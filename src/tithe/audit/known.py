"""An endpoint with known answers, so that what an audit finds can be checked against what is true.

It ships with the package for the tests that stand on it and for a client's own self-test. Play it with
`ScriptedBackend(KnownEndpoint(...), clock)`. A word is `tokens_a_word` tokens, the template adds
`overhead`, and with a cache of whole blocks over all that it has been sent,

    TTFT = base_s + uncached_token_s * uncached tokens + cached_token_s * cached tokens
    one token each `decode_s` after the first

Conversations that it knows (`transcripts`) it goes on with as they went; a tool that it does not know from
one is called with an example of its arguments.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import msgspec

from tithe.core import (
    Delta,
    FinishReason,
    Message,
    ReasoningDelta,
    Request,
    Script,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tithe.core.errors import ContextOverflow, EndpointRefused, StreamBroken


class KnownOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about the endpoint. Seconds and tokens.

    `fails_every` n: each n-th call breaks (0: none). `fails_after` n: all after the n-th break (None: none). `turns_away`: the calls of these
    numbers, from 1, are turned away for now (429), and the endpoint wants to be asked again in half a second. `ends_after`: no answer is longer (None: as asked).
    `context` is the most prompt tokens it takes (None: any number). `reasons`: a plain answer's first
    tokens that are reasoning. `free_valid_every` n: each n-th answer to a free structured request is valid (0: none).
    """

    base_s: float = 0.010
    uncached_token_s: float = 0.0001
    cached_token_s: float = 0.0
    decode_s: float = 0.001
    tokens_a_word: int = 1
    overhead: int = 10
    block: int = 16
    caches: bool = True
    reports_usage: bool = True
    reports_cached: bool = True
    fails_every: int = 0
    fails_after: int | None = None
    turns_away: tuple[int, ...] = ()
    ends_after: int | None = None
    context: int | None = None
    reasons: int = 0
    free_valid_every: int = 1


class KnownEndpoint:
    """A script for `ScriptedBackend`: call it with a request, get the answer the options promise."""

    def __init__(self, options: KnownOptions, transcripts: Sequence[tuple[Message, ...]] = ()) -> None:
        self._options = options
        self._next = {
            messages[:place]: messages[place]
            for messages in transcripts
            for place in range(len(messages))
            if messages[place].role == "assistant"
        }
        self._blocks: set[int] = set()
        self._calls = 0
        self._free = 0

    def __call__(self, request: Request) -> Script:
        options = self._options
        self._calls += 1
        broken = options.fails_after is not None and self._calls > options.fails_after
        if broken or (options.fails_every and self._calls % options.fails_every == 0):
            return Script(error=StreamBroken("The known endpoint breaks this call, as it was told to."))
        if self._calls in options.turns_away:
            told = "The known endpoint turns this call away, as it was told to."
            return Script(error=EndpointRefused(told, http_status=429, body="", retry_after=0.5))
        prompt, cached = self._prompt(request)
        if options.context is not None and prompt > options.context:
            return Script(error=ContextOverflow(f"{prompt} tokens do not fit {options.context}."))
        deltas, finish = self._answer(request)
        usage = Usage(
            prompt_tokens=prompt,
            completion_tokens=len(deltas),
            cached_tokens=cached if options.reports_cached else None,
        )
        uncached_s = options.uncached_token_s * (prompt - cached)
        return Script(
            deltas=deltas,
            ttft=options.base_s + uncached_s + options.cached_token_s * cached,
            gap=options.decode_s,
            finish=finish,
            usage=usage if options.reports_usage else None,
        )

    def _prompt(self, request: Request) -> tuple[int, int]:
        """Prompt tokens, and how many of them are cached; what was sent is cached from here on."""
        options = self._options
        words = [
            word for message in request.messages for word in (message.role, *(message.content or "").split())
        ]
        tokens = [word for word in words for _ in range(options.tokens_a_word)]
        prompt = len(tokens) - options.tokens_a_word * len(request.messages) + options.overhead
        cached, known, chain = 0, options.caches, 0
        for start in range(0, len(tokens) - options.block, options.block):
            chain = hash((chain, *tokens[start : start + options.block]))
            known = known and chain in self._blocks
            cached += options.block * known
            self._blocks.add(chain)
        return prompt, cached

    def _answer(self, request: Request) -> tuple[tuple[Delta, ...], FinishReason]:
        schema = request.response_format.schema
        known = self._next.get(request.messages)
        if known is not None:
            return _spoken(known)
        if request.tools and self._valid(constrained=request.tool_choice.mode == "required"):
            tool = request.tools[0]
            written = msgspec.json.encode(example(tool.parameters or {})).decode()
            opened = ToolCallDelta(at=0.0, call=0, id="call_0", name=tool.name)
            pieces = [ToolCallDelta(at=0.0, call=0, arguments=piece) for piece in _split(written)]
            return (opened, *pieces), "tool_calls"
        if schema is not None:
            written = msgspec.json.encode(example(schema)).decode()
            return tuple(TextDelta(at=0.0, text=piece) for piece in _split(written)), "stop"
        wanted = request.max_tokens or 16
        length = min(wanted, self._options.ends_after or wanted)
        finish: FinishReason = "length" if length == wanted else "stop"
        if request.tools:
            finish = "stop"
        thought = [ReasoningDelta(at=0.0, text=" hm") for _ in range(min(length, self._options.reasons))]
        spoken = [TextDelta(at=0.0, text=" word") for _ in range(length - len(thought))]
        return (*thought, *spoken), finish

    def _valid(self, *, constrained: bool) -> bool:
        if constrained:
            return True
        self._free += 1
        every = self._options.free_valid_every
        return every > 0 and self._free % every == 0


def _spoken(message: Message) -> tuple[tuple[Delta, ...], FinishReason]:
    """An assistant's turn in pieces, and how it ended."""
    deltas: list[Delta] = [TextDelta(at=0.0, text=piece) for piece in _split(message.content or "")]
    for place, call in enumerate(message.tool_calls):
        deltas.append(ToolCallDelta(at=0.0, call=place, id=call.id, name=call.name))
        deltas += [ToolCallDelta(at=0.0, call=place, arguments=piece) for piece in _split(call.arguments)]
    return tuple(deltas), "tool_calls" if message.tool_calls else "stop"


def example(schema: dict[str, Any]) -> Any:
    """A value that is valid against `schema`, as far as enums, booleans, numbers, strings and objects go."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = cast(dict[str, dict[str, Any]], schema.get("properties", {}))
            return {name: example(part) for name, part in properties.items()}
        case "boolean":
            return True
        case "integer" | "number":
            return 0
        case _:
            return ""


def _split(text: str, size: int = 4) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


class KnownLag:
    """A lag watch of a loop that is always `lag` seconds late."""

    def __init__(self, lag: float) -> None:
        self.lag = lag
        self.running = False

    def start(self) -> None:
        self.running = True

    def take(self) -> tuple[float, ...]:
        return (self.lag,) * 20

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def stop(self) -> None:
        self.running = False
