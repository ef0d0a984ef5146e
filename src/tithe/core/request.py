"""A request: one logical inference call, as every backend understands it."""

from typing import Any, Literal

import msgspec

from tithe.core.message import Message


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function the model may call. `parameters` is a JSON schema of an object, or None for no arguments.

    `strict` True: arguments are held to the schema, and an unsupported schema is refused. None: held
    to the schema as far as it is supported. False: not held to it at all.
    """

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Whether tools may (`auto`), must not (`none`) or must (`required`, `named`) be called."""

    mode: Literal["auto", "none", "required", "named"] = "auto"
    name: str | None = None


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the answer's text. `schema` is set for `json_schema` alone."""

    kind: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How a token is drawn from the model's distribution.

    `temperature` 0 is greedy. `seed` None means a fresh one a request. Penalties follow OpenAI's
    definition: logit[t] -= frequency * count(t) + presence * (count(t) > 0), over generated tokens.
    `logit_bias` maps a token id to what is added to its logit.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: dict[int, float] = {}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One logical call.

    `max_tokens` None means up to the end of the context. Before `min_tokens` of a choice the model cannot end its
    turn (vLLM's and SGLang's field); a stop string, or a grammar that is at its end, ends it all the same. `top_logprobs` is how many alternatives are
    reported a token; `logprobs` False means none are. `session` names the conversation where the
    caller knows it (a hint: it never changes the answer). `priority`: higher is served sooner, 0 is
    ordinary. `isolation` is the cache domain: KV blocks are shared only between equal ones (the API
    key, and the request's own salt). `extra` holds wire fields that only a remote endpoint
    understands; `template` holds arguments of the chat template.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    response_format: ResponseFormat = ResponseFormat()
    max_tokens: int | None = None
    min_tokens: int = 0
    stop: tuple[str, ...] = ()
    n: int = 1
    sampling: Sampling = Sampling()
    logprobs: bool = False
    top_logprobs: int = 0
    session: str | None = None
    priority: int = 0
    isolation: str = ""
    template: dict[str, Any] = {}
    extra: dict[str, Any] = {}
