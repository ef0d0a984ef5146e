"""A Chat Completions request body: bytes to `core.Request` for a server, and back for a client.

Every field is honoured, or refused by name with the path in `param`, or is a hint (`chat_hints`), which is
used or named in `Incoming.unused`.

`logit_bias` maps token ids, as JSON has them ("0", "1", ...), to -100 .. 100, for at most `MOST_BIASES` tokens.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from tithe.core.errors import InvalidRequest
from tithe.core.request import Request, ResponseFormat, Sampling, ToolChoice
from tithe.wire.chat_fault import invalid_value, translated, unsupported
from tithe.wire.chat_hints import decode_hints, encode_hints
from tithe.wire.chat_messages import decode_messages, encode_messages
from tithe.wire.chat_payload import ChatPayload
from tithe.wire.chat_tools import (
    decode_choice,
    decode_format,
    decode_tools,
    encode_choice,
    encode_format,
    encode_tools,
)

_decoder = msgspec.json.Decoder(ChatPayload)

MOST_BIASES = 1024
_TOKEN_ID = re.compile(r"0|[1-9][0-9]{0,8}")
_REFUSED = {
    "audio": "This endpoint answers with text only.",
    "functions": "Use 'tools' instead.",
    "function_call": "Use 'tool_choice' instead.",
    "web_search_options": "This endpoint does not search the web; offer a tool that does.",
}


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came in: the call itself, and how its sender wants to be answered.

    `unused` names the accepted fields that nothing here makes use of, in no particular order.
    `variables` says which of the template's variables each hint to it sets.
    """

    request: Request
    stream: bool
    include_usage: bool
    want_facts: bool
    unused: tuple[str, ...] = ()
    variables: dict[str, tuple[str, ...]] = {}

    def unused_with(self, unread: Iterable[str]) -> tuple[str, ...]:
        """The fields that made no difference, once the backend has told what it left `unread`
        (`Sent.unused`). A hint that sets several variables counts when one of them is read."""
        told = set(unread)
        idle = [field for field, names in self.variables.items() if told.issuperset(names)]
        return (*self.unused, *idle)


def decode_request(body: bytes, *, isolation: str = "") -> Incoming:
    """Read a request body.

    Args:
        body: the JSON text, as it came.
        isolation: the cache domain of whoever sent it, in which a `cache_salt` makes one of its own.

    Raises:
        InvalidRequest: whatever is wrong with it, `param` set to the path of the field to blame.
    """
    try:
        payload = _decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise translated(error) from None
    _refuse_unserved(payload)
    tools = decode_tools(payload.tools or ())
    options = payload.stream_options
    if options is not None and not payload.stream:
        raise invalid_value("stream_options", "it is for streams: set 'stream' to true or leave it out.")
    hints = decode_hints(payload, isolation)
    request = Request(
        model=payload.model,
        messages=decode_messages(payload.messages),
        tools=tools,
        tool_choice=decode_choice(payload.tool_choice, tools),
        parallel_tool_calls=payload.parallel_tool_calls is not False,
        response_format=decode_format(payload.response_format),
        max_tokens=_max_tokens(payload),
        min_tokens=_min_tokens(payload),
        stop=_stop(payload.stop),
        n=payload.n or 1,
        sampling=_sampling(payload),
        logprobs=bool(payload.logprobs),
        top_logprobs=_top_logprobs(payload),
        session=hints.session,
        priority=hints.priority,
        isolation=hints.isolation,
        template=hints.template,
        extra=hints.extra,
    )
    return Incoming(
        request=request,
        stream=bool(payload.stream),
        include_usage=options is not None and bool(options.include_usage),
        want_facts=payload.tithe is not None and bool(payload.tithe.facts),
        unused=(*hints.unused, *_unused(payload)),
        variables=hints.variables,
    )


def _refuse_unserved(payload: ChatPayload) -> None:
    for field, instead in _REFUSED.items():
        if getattr(payload, field) is not None:
            raise unsupported(field, instead)
    if payload.store:
        raise unsupported("store", "This endpoint stores no completions: leave it out or send false.")
    if any(modality != "text" for modality in payload.modalities or ()):
        raise invalid_value("modalities", 'this endpoint answers with text only: send ["text"].')


def _max_tokens(payload: ChatPayload) -> int | None:
    old, new = payload.max_tokens, payload.max_completion_tokens
    if old is not None and new is not None and old != new:
        raise invalid_value("max_tokens", "it differs from 'max_completion_tokens'. Send one of them.")
    return old if new is None else new


def _min_tokens(payload: ChatPayload) -> int:
    least, most = payload.min_tokens or 0, _max_tokens(payload)
    if most is not None and least > most:
        raise invalid_value("min_tokens", f"it is over 'max_tokens', {most}. Send at most that.")
    return least


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > 4:
        raise invalid_value("stop", f"expected at most 4 strings, but got {len(stops)}.")
    for i, text in enumerate(stops):
        if not text:
            raise invalid_value(
                "stop" if isinstance(stop, str) else f"stop[{i}]", "an empty string stops nothing."
            )
    return stops


def _top_logprobs(payload: ChatPayload) -> int:
    if payload.top_logprobs and not payload.logprobs:
        raise invalid_value("top_logprobs", "it needs 'logprobs' set to true.")
    return payload.top_logprobs or 0


def _sampling(payload: ChatPayload) -> Sampling:
    return Sampling(
        temperature=1.0 if payload.temperature is None else payload.temperature,
        top_p=1.0 if payload.top_p is None else payload.top_p,
        seed=payload.seed,
        frequency_penalty=payload.frequency_penalty or 0.0,
        presence_penalty=payload.presence_penalty or 0.0,
        logit_bias=_logit_bias(payload.logit_bias or {}),
    )


def _logit_bias(payload: dict[str, float]) -> dict[int, float]:
    if len(payload) > MOST_BIASES:
        raise invalid_value("logit_bias", f"expected at most {MOST_BIASES} tokens, but got {len(payload)}.")
    biases: dict[int, float] = {}
    for token, bias in payload.items():
        if not _TOKEN_ID.fullmatch(token):
            raise invalid_value(
                "logit_bias", f"'{token[:200]}' is not a token id: expected an integer of 0 or more."
            )
        if not -100 <= bias <= 100:
            raise invalid_value("logit_bias", f"the bias of token {token} is not within -100 and 100.")
        biases[int(token)] = bias
    return biases


def _unused(payload: ChatPayload) -> tuple[str, ...]:
    names: list[str] = []
    if payload.stream_options is not None and payload.stream_options.include_obfuscation:
        names.append("stream_options.include_obfuscation")
    form = payload.response_format
    if form is not None and form.json_schema is not None and form.json_schema.description is not None:
        names.append("response_format.json_schema.description")
    for i, message in enumerate(payload.messages):
        if message.annotations:
            names.append(f"messages[{i}].annotations")
        if message.refusal is not None and message.content is not None:
            names.append(f"messages[{i}].refusal")
    return tuple(names)


def encode_request(request: Request, *, stream: bool) -> bytes:
    """Write a request body, in the fields that OpenAI's API and the servers of open models share.

    What is at its default is left out, so the endpoint's own default applies. `max_tokens` is sent
    under that name, which more servers know than the newer one. A stream is asked for its usage.
    `isolation` stays here: it may hold an API key. `extra` is put on top last, and wins.

    Raises:
        InvalidRequest: the request holds something that has no JSON form.
    """
    payload: dict[str, Any] = {"model": request.model, "messages": encode_messages(request.messages)}
    if request.tools:
        payload["tools"] = encode_tools(request.tools)
    if request.tool_choice != ToolChoice():
        payload["tool_choice"] = encode_choice(request.tool_choice)
    if not request.parallel_tool_calls:
        payload["parallel_tool_calls"] = False
    if request.response_format != ResponseFormat():
        payload["response_format"] = encode_format(request.response_format)
    if request.max_tokens is not None:
        payload["max_tokens"] = request.max_tokens
    if request.min_tokens:
        payload["min_tokens"] = request.min_tokens
    if request.stop:
        payload["stop"] = request.stop
    if request.n != 1:
        payload["n"] = request.n
    payload |= _encode_sampling(request.sampling)
    if request.logprobs:
        payload["logprobs"] = True
        if request.top_logprobs:
            payload["top_logprobs"] = request.top_logprobs
    payload |= encode_hints(request)
    if stream:
        payload["stream"] = True
        payload["stream_options"] = {"include_usage": True}
    try:
        return msgspec.json.encode(payload | request.extra)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise InvalidRequest(f"The request cannot be written as JSON: {error}.") from error


def _encode_sampling(sampling: Sampling) -> dict[str, Any]:
    written = msgspec.to_builtins(sampling)
    usual = msgspec.to_builtins(Sampling())
    payload = {field: value for field, value in written.items() if value != usual[field]}
    if sampling.logit_bias:
        payload["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    return payload
