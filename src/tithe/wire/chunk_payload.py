"""The shape of what an endpoint answers, as loosely as servers have been seen to write it.

Only what is read is listed; whatever else a server adds is skipped without being decoded. Chunks and
whole completions differ in one name: a choice has a `delta` or a `message`.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Byte = Annotated[int, Meta(ge=0, le=255)]


class AlternativePayload(msgspec.Struct):
    """A token and its probability."""

    token: str = ""
    logprob: float | None = None
    bytes: list[Byte] | None = None


class TokenPayload(AlternativePayload):
    """A generated token, and what else could have stood there."""

    top_logprobs: list[AlternativePayload] | None = None


class LogprobsPayload(msgspec.Struct):
    """The tokens of one chunk."""

    content: list[TokenPayload] | None = None


class CalledPayload(msgspec.Struct):
    """The called function, or custom tool with its `input`. Some servers give the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    input: str | None = None


class CallPayload(msgspec.Struct):
    """Part of a tool call, or a whole one. Some servers leave out `index` or `id`, or repeat `id`."""

    index: int | None = None
    id: str | None = None
    function: CalledPayload | None = None
    custom: CalledPayload | None = None


class DeltaPayload(msgspec.Struct):
    """What a choice grew by. `content` may be a list of parts (Mistral)."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: str | None = None
    tool_calls: list[CallPayload] | None = None


class ChoicePayload(msgspec.Struct):
    """A choice."""

    index: int | None = None
    delta: DeltaPayload | None = None
    message: DeltaPayload | None = None
    logprobs: LogprobsPayload | None = None
    finish_reason: str | None = None


class PromptDetailsPayload(msgspec.Struct):
    """Of the prompt tokens, those read from the cache."""

    cached_tokens: int | None = None


class CompletionDetailsPayload(msgspec.Struct):
    """Of the completion tokens, those that were reasoning."""

    reasoning_tokens: int | None = None


class UsagePayload(msgspec.Struct):
    """Token counts, with the places where DeepSeek and Moonshot put the cached ones."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetailsPayload | None = None
    completion_tokens_details: CompletionDetailsPayload | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class AnswerPayload(msgspec.Struct):
    """A chunk, a whole completion, or an error under HTTP 200."""

    id: str | None = None
    model: str | None = None
    object: str | None = None
    choices: list[ChoicePayload] | None = None
    usage: UsagePayload | None = None
    error: Any = None
    tithe: Any = None
