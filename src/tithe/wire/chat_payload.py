"""The shape of a Chat Completions request: what msgspec checks by itself, field for field.

Unknown fields are errors at every level. Fields that Tithe refuses by name, and content that it does not
take, are listed too, so that the refusal can say more than "unknown". A field that is null is a field
that was not sent, as in OpenAI's own clients. Free-form JSON (schemas, hints) stays untyped.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Unit = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Word = Annotated[str, Meta(min_length=1)]


class PartPayload(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a message's content. Only text (and an assistant's refusal, which is text) is served."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: Any = None
    input_audio: Any = None
    file: Any = None


class CalledPayload(msgspec.Struct, forbid_unknown_fields=True):
    """The function that an assistant's tool call named, and its arguments as the model wrote them."""

    name: Word
    arguments: str


class ToolCallPayload(msgspec.Struct, forbid_unknown_fields=True):
    """A tool call in an assistant's message."""

    id: Word
    type: str = "function"
    function: CalledPayload | None = None
    custom: Any = None


class MessagePayload(msgspec.Struct, forbid_unknown_fields=True):
    """A message of any role; which fields suit which role is checked afterwards."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[PartPayload] | None = None
    name: str | None = None
    tool_calls: list[ToolCallPayload] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None
    audio: Any = None
    function_call: Any = None


class FunctionPayload(msgspec.Struct, forbid_unknown_fields=True):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolPayload(msgspec.Struct, forbid_unknown_fields=True):
    """A tool; functions are the only kind served."""

    type: str
    function: FunctionPayload | None = None
    custom: Any = None


class NamedPayload(msgspec.Struct, forbid_unknown_fields=True):
    """The function that a tool choice names."""

    name: str


class ToolChoicePayload(msgspec.Struct, forbid_unknown_fields=True):
    """A tool choice that is not a word."""

    type: str
    function: NamedPayload | None = None
    allowed_tools: Any = None
    custom: Any = None


class JsonSchemaPayload(msgspec.Struct, forbid_unknown_fields=True):
    """The schema of a response format."""

    name: str
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class ResponseFormatPayload(msgspec.Struct, forbid_unknown_fields=True):
    """The form asked of the answer's text."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaPayload | None = None


class StreamOptionsPayload(msgspec.Struct, forbid_unknown_fields=True):
    """What a stream carries besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class TithePayload(msgspec.Struct, forbid_unknown_fields=True):
    """Tithe's own extension: `facts` asks for a `tithe` object (`core.Facts`) in the response."""

    facts: bool | None = None


class ChatPayload(msgspec.Struct, forbid_unknown_fields=True):
    """The request body."""

    model: Word
    messages: list[MessagePayload]

    tools: list[ToolPayload] | None = None
    tool_choice: str | ToolChoicePayload | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormatPayload | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    min_tokens: Annotated[int, Meta(ge=0)] | None = None
    stop: str | list[str] | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Unit | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    stream: bool | None = None
    stream_options: StreamOptionsPayload | None = None
    store: bool | None = None
    modalities: list[str] | None = None

    tithe: TithePayload | None = None

    # Hints, OpenAI's and other servers': untyped, since no value of theirs fails a request (`chat_hints`).
    user: Any = None
    metadata: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: Any = None
    service_tier: Any = None
    prediction: Any = None
    verbosity: Any = None
    nvext: Any = None
    prompt_cache_key: Any = None
    session_id: Any = None
    priority: Any = None
    cache_salt: Any = None
    chat_template_kwargs: Any = None
    reasoning_effort: Any = None

    # Refused by name.
    audio: Any = None
    functions: Any = None
    function_call: Any = None
    web_search_options: Any = None
