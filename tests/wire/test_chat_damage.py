"""Whatever happens to a body on its way, a server refuses it in its own words and a client calls it broken."""

import copy
import math
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core.errors import InvalidRequest, StreamBroken
from tithe.core.event import Event, Finished
from tithe.wire.chat_chunks import ChunkReader, read_completion
from tithe.wire.chat_request import decode_request

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}

FULL: dict[str, Any] = {
    "model": "nano",
    "messages": [
        {"role": "system", "content": "be kind", "name": "s"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "refusal": None,
            "tool_calls": [CALL],
        },
        {"role": "tool", "content": "done", "tool_call_id": "c1"},
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    "max_tokens": 5,
    "stop": ["a"],
    "n": 2,
    "temperature": 0.5,
    "top_p": 0.5,
    "seed": 1,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.1,
    "logit_bias": {"5": 1},
    "logprobs": True,
    "top_logprobs": 2,
    "stream": True,
    "stream_options": {"include_usage": True},
    "store": False,
    "modalities": ["text"],
    "user": "u",
    "metadata": {"a": "b"},
    "priority": 1,
    "cache_salt": "s",
    "session_id": "x",
    "chat_template_kwargs": {"a": 1},
    "reasoning_effort": "low",
    "tithe": {"facts": True},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, ...]] = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        inner += places(item, (*path, key))
    return inner


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["auto", "tool"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
CHANGE = st.tuples(
    st.sampled_from(places(FULL)), st.sampled_from(["set", "drop", "add"]), JSON, st.text(max_size=6)
)


def changed(body: dict[str, Any], path: tuple[Any, ...], how: str, value: Any, name: str) -> None:
    holder: Any = body
    for key in path[:-1]:
        if isinstance(holder, list) and isinstance(key, int) and key < len(holder):
            holder = holder[key]
        elif isinstance(holder, dict):
            holder = holder.get(key)
        else:
            return
    key = path[-1]
    if isinstance(holder, dict):
        if how == "set":
            holder[key] = value
        elif how == "drop":
            holder.pop(key, None)
        else:
            holder[name] = value
    elif isinstance(holder, list) and isinstance(key, int) and key < len(holder):
        if how == "set":
            holder[key] = value
        elif how == "drop":
            del holder[key]
        else:
            holder.append(value)


def accepted_or_refused(body: bytes) -> None:
    refused: InvalidRequest | None = None
    try:
        decode_request(body, isolation="k")
    except InvalidRequest as error:
        refused = error
    assert refused is None or (refused.message and refused.code)
    assert refused is None or refused.param is not None or refused.code in ("invalid_json", "invalid_type")


@given(st.lists(CHANGE, min_size=1, max_size=3))
@settings(max_examples=400)
def test_a_damaged_body_is_accepted_or_refused_and_nothing_else(changes: list[tuple[Any, str, Any, str]]):
    body = copy.deepcopy(FULL)
    for path, how, value, name in changes:
        changed(body, path, how, value, name)
    accepted_or_refused(msgspec.json.encode(body))


@given(st.binary(max_size=40), st.integers(0, 2000), st.integers(0, 2000))
@settings(max_examples=200)
def test_damaged_bytes_are_accepted_or_refused_and_nothing_else(junk: bytes, start: int, end: int):
    whole = msgspec.json.encode(FULL)
    accepted_or_refused(whole[:start] + junk + whole[end:])


def test_the_body_that_is_damaged_above_is_sound():
    assert decode_request(msgspec.json.encode(FULL)).request.n == 2
    assert math.isclose(decode_request(msgspec.json.encode(FULL)).request.sampling.top_p, 0.5)


CHUNK: dict[str, Any] = {
    "id": "r1",
    "object": "chat.completion.chunk",
    "choices": [
        {
            "index": 0,
            "delta": {
                "content": "a",
                "reasoning": "b",
                "tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}],
            },
            "logprobs": {"content": [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
    "tithe": {"queue_s": 0.1},
    "error": None,
}
CHUNK_CHANGE = st.tuples(
    st.sampled_from(places(CHUNK)), st.sampled_from(["set", "drop", "add"]), JSON, st.text(max_size=6)
)


@given(st.lists(CHUNK_CHANGE, max_size=3), st.binary(max_size=30))
@settings(max_examples=300)
def test_a_damaged_answer_is_read_or_broken_and_nothing_else(
    changes: list[tuple[Any, str, Any, str]], junk: bytes
):
    chunk = copy.deepcopy(CHUNK)
    for path, how, value, name in changes:
        changed(chunk, path, how, value, name)
    body = msgspec.json.encode(chunk)
    for answer in (b"data: " + body + b"\n\n" + junk, b"data: " + body + b"\n\ndata: [DONE]\n\n"):
        assert broken_or_finished(lambda data=answer: streamed(data))
    assert broken_or_finished(lambda: read_completion(body, 0.0))


def streamed(data: bytes) -> list[Event]:
    reader = ChunkReader()
    return reader.feed(data, 0.0) + reader.finish(0.0)


def broken_or_finished(read: Callable[[], list[Event]]) -> bool:
    try:
        return any(isinstance(event, Finished) for event in read())
    except StreamBroken:
        return True
