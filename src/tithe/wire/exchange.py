"""A call seen from outside, of any of the three APIs: which one a path is of, its request, its answer.

This is what a recording proxy reads of the bytes that it passes on. Nothing here fails: whoever reads along has no one
to answer to, and what cannot be read is said in `unread`. No content leaves it but as fingerprints.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tithe.core import attributes
from tithe.core.exchange import Api, SeenRequest
from tithe.core.part import Part, digest
from tithe.wire import chat_exchange, messages_exchange, responses_exchange
from tithe.wire.answer_draft import AnswerDraft
from tithe.wire.answer_reader import AnswerReader
from tithe.wire.chat_exchange import ChatAnswer
from tithe.wire.content_coding import ContentDecoder
from tithe.wire.field import as_count, as_object, as_text
from tithe.wire.messages_exchange import MessagesAnswer
from tithe.wire.rendering import ordered
from tithe.wire.responses_exchange import ResponsesAnswer
from tithe.wire.session_hint import lowered, retry_count, session_hint, trace_parent

_PARTS = {
    "chat": chat_exchange.prompt_parts,
    "responses": responses_exchange.prompt_parts,
    "messages": messages_exchange.prompt_parts,
}
_ANSWERS = {"chat": ChatAnswer, "responses": ResponsesAnswer, "messages": MessagesAnswer}
_PROMPT = ("messages", "input", "tools", "functions", "system", "instructions")
# What may differ between two tries of one request: a stream that failed is asked for again in one piece.
_OF_ONE_TRY = ("stream", "stream_options", "metadata", "user", "safety_identifier", "cache_control")
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_LONGEST_AGENT = 200


def api_of(path: str) -> Api | None:
    """The API whose generations a POST to this path asks for; None for any other path.

    Whatever stands before is a prefix, and a query is of no matter: `/v1/messages?beta=true`,
    `/openai/deployments/NAME/chat/completions`.
    """
    *before, last = [step for step in path.partition("?")[0].partition("#")[0].split("/") if step] or [""]
    if last == "completions" and before[-1:] == ["chat"]:
        return "chat"
    if last == "responses":
        return "responses"
    # OpenAI's Assistants have messages too: /threads/ID/messages.
    return "messages" if last == "messages" and before[-2:-1] != ["threads"] else None


def read_request(api: Api, headers: Mapping[str, str], body: bytes) -> SeenRequest:
    """What is seen of a request. Never raises: what a body does not tell is missing, and `unread` says why."""
    given = lowered(headers)
    decoder = ContentDecoder(given.get("content-encoding"))
    fields, unread = _fields(decoder.feed(body))
    unread = decoder.unread or unread
    try:
        if unread is None:
            return _seen(api, given, fields)
    except RecursionError:
        unread = "nested too deep"
    unseen = _seen(api, given, {})
    return msgspec.structs.replace(unseen, unread=unread, digest=digest(body.decode("latin-1")))


def answer_reader(api: Api, *, status: int, headers: Mapping[str, str]) -> AnswerReader:
    """The reader of an answer that began with this status and these headers."""
    draft = AnswerDraft()
    answer = _ANSWERS[api](draft)
    return AnswerReader(answer, draft, status=status, coding=lowered(headers).get("content-encoding"))


def _fields(body: bytes) -> tuple[dict[str, Any], str | None]:
    try:
        decoded = msgspec.json.decode(body)
    except ValueError:
        return {}, "not JSON"
    except RecursionError:
        return {}, "nested too deep"
    return as_object(decoded), None if isinstance(decoded, dict) else "not an object"


def _seen(api: Api, headers: Mapping[str, str], body: dict[str, Any]) -> SeenRequest:
    parts = _PARTS[api](body)
    session, session_from = session_hint(headers, body)
    return SeenRequest(
        api=api,
        model=as_text(body.get("model")) or None,
        stream=body.get("stream") is True,
        parts=parts,
        has_tools=any(part.role == "tool_definition" for part in parts),
        attributes=_attributes(headers, body),
        session=session,
        session_from=session_from,
        previous=as_text(body.get("previous_response_id")) or None,
        results=_results(parts),
        digest=_digest(api, body, parts),
        attempt=retry_count(headers),
        trace_parent=trace_parent(headers),
    )


def _attributes(headers: Mapping[str, str], body: dict[str, Any]) -> dict[str, Any]:
    limits = (as_count(body.get(field)) for field in _LIMITS)
    temperature = body.get("temperature")
    stream = body.get("stream")
    told = {
        attributes.REQUEST_MODEL: as_text(body.get("model")) or None,
        attributes.REQUEST_STREAM: stream if isinstance(stream, bool) else None,
        attributes.MAX_TOKENS: next((limit for limit in limits if limit is not None), None),
        attributes.TEMPERATURE: temperature if isinstance(temperature, float) else as_count(temperature),
        attributes.CHOICES: as_count(body.get("n")),
        attributes.USER_AGENT: headers.get("user-agent", "").strip()[:_LONGEST_AGENT] or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _results(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """The ids of the tool results after the last assistant part, in their order."""
    since: list[Part] = []
    for part in reversed(parts):
        if part.role == "assistant":
            break
        since.append(part)
    return tuple(call for part in reversed(since) for call in part.calls)


def _digest(api: Api, body: dict[str, Any], parts: tuple[Part, ...]) -> str:
    rest = {
        field: value
        for field, value in body.items()
        if value is not None and field not in _PROMPT and field not in _OF_ONE_TRY
    }
    return digest(ordered([api, rest, [part.digest for part in parts]]))
