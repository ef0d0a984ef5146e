import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tithe.core.errors import StreamBroken
from tithe.core.event import (
    Event,
    Finished,
    ReasoningDelta,
    Reported,
    Sent,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
)
from tithe.core.usage import Facts, Usage
from tithe.wire.chat_chunks import ChunkReader, read_completion
from tithe.wire.chat_response import ChunkWriter, Completion

LOGPROBS = (
    TokenLogprob(
        token="é", bytes="é".encode(), logprob=-0.5, top=(TopLogprob(token="e", bytes=b"e", logprob=-1.5),)
    ),
)
USAGE = Usage(prompt_tokens=9, completion_tokens=4, cached_tokens=0, reasoning_tokens=1)
FACTS = Facts(queue_s=0.1, prefill_s=0.2, decode_s=0.3, cached_tokens=8, uncached_tokens=1, prefix_break=5)
EVENTS: list[Event] = [
    Sent(at=0.0),
    ReasoningDelta(at=1.0, text="hm"),
    TextDelta(at=2.0, text='say "hi"\n', logprobs=LOGPROBS),
    ToolCallDelta(at=3.0, call=0, id="c1", name="look"),
    ToolCallDelta(at=4.0, call=0, arguments='{"a"'),
    ToolCallDelta(at=5.0, call=0, arguments=": 1}"),
    Finished(at=6.0, reason="tool_calls"),
    Reported(at=7.0, usage=USAGE, facts=FACTS),
]


def frames_of(events: list[Event], **options: bool) -> list[bytes]:
    writer = ChunkWriter(id="chatcmpl-1", created=7, model="nano", **options)
    return [frame for event in events for frame in writer.write(event)]


def chunks_of(events: list[Event], **options: bool) -> list[dict[str, Any]]:
    frames = frames_of(events, **options)
    assert all(frame.startswith(b"data: {") and frame.endswith(b"}\n\n") for frame in frames)
    return [msgspec.json.decode(frame[6:]) for frame in frames]


def body_of(events: list[Event], **options: bool) -> bytes:
    completion = Completion(id="chatcmpl-1", created=7, model="nano", **options)
    for event in events:
        completion.add(event)
    return completion.body()


def test_a_stream_has_the_chunks_of_openai():
    chunks = chunks_of(EVENTS, include_usage=True, want_facts=True)
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "nano"}
    assert all({name: chunk[name] for name in head} == head for chunk in chunks)
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert [chunk["choices"][0]["delta"] for chunk in chunks[:-1]] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "hm"},
        {"content": 'say "hi"\n'},
        {
            "tool_calls": [
                {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * 6 + ["tool_calls"]
    assert chunks[2]["choices"][0]["logprobs"] == {
        "content": [
            {
                "token": "é",
                "logprob": -0.5,
                "bytes": [195, 169],
                "top_logprobs": [{"token": "e", "logprob": -1.5, "bytes": [101]}],
            }
        ],
        "refusal": None,
    }
    assert chunks[-1] == head | {
        "choices": [],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
        "tithe": msgspec.to_builtins(FACTS),
    }


def test_without_being_asked_there_is_no_usage_and_there_are_no_facts():
    chunks = chunks_of(EVENTS)
    assert len(chunks) == 7
    assert all("usage" not in chunk and "tithe" not in chunk for chunk in chunks)


def test_facts_come_without_usage_too():
    last = chunks_of(EVENTS, want_facts=True)[-1]
    assert last["choices"] == []
    assert last["tithe"]["queue_s"] == 0.1
    assert "usage" not in last


def test_what_was_not_reported_is_left_out():
    told = Usage(prompt_tokens=1, completion_tokens=2)
    usage = chunks_of([Reported(at=0.0, usage=told)], include_usage=True)[0]["usage"]
    assert usage == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert chunks_of([Reported(at=0.0)], include_usage=True, want_facts=True) == []


def test_every_choice_has_a_role_chunk_of_its_own():
    events: list[Event] = [
        TextDelta(at=0.0, index=1, text="b"),
        TextDelta(at=0.0, index=0, text="a"),
        Finished(at=0.0, index=0, reason="stop"),
        Finished(at=0.0, index=2, reason="length"),
    ]
    told = [(chunk["choices"][0]["index"], chunk["choices"][0]["delta"]) for chunk in chunks_of(events)]
    role = {"role": "assistant", "content": ""}
    assert told == [
        (1, role),
        (1, {"content": "b"}),
        (0, role),
        (0, {"content": "a"}),
        (0, {}),
        (2, role),
        (2, {}),
    ]


def test_a_choice_that_begins_with_a_call_has_no_content():
    first = chunks_of([ToolCallDelta(at=0.0, call=0, id="c", name="f")])[0]
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": None}


def test_the_end_is_done():
    assert ChunkWriter(id="1", created=1, model="m").done() == b"data: [DONE]\n\n"


def test_infinite_log_probabilities_have_a_json_form():
    tokens = tuple(TokenLogprob(token="a", bytes=b"a", logprob=lp) for lp in (float("-inf"), float("nan")))
    chunk = chunks_of([TextDelta(at=0.0, text="a", logprobs=tokens)])[-1]
    assert [token["logprob"] for token in chunk["choices"][0]["logprobs"]["content"]] == [-9999.0, -9999.0]


def test_a_completion_has_the_body_of_openai():
    body = msgspec.json.decode(body_of(EVENTS, want_facts=True))
    assert body["object"] == "chat.completion"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": 'say "hi"\n',
                "refusal": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
                ],
            },
            "logprobs": body["choices"][0]["logprobs"],
            "finish_reason": "tool_calls",
        }
    ]
    assert body["usage"]["total_tokens"] == 13
    assert body["tithe"]["prefix_break"] == 5


def test_the_content_is_null_only_beside_calls():
    empty = msgspec.json.decode(body_of([Finished(at=0.0, reason="length")]))
    assert empty["choices"][0]["message"]["content"] == ""
    calling = msgspec.json.decode(
        body_of([ToolCallDelta(at=0.0, call=0, name="f"), Finished(at=0.0, reason="tool_calls")])
    )
    message = calling["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["id"]


def test_an_unfinished_answer_is_no_completion():
    with pytest.raises(StreamBroken):
        body_of([])
    with pytest.raises(StreamBroken):
        body_of([TextDelta(at=0.0, text="a")])


def test_the_official_client_reads_every_chunk_and_body():
    for chunk in chunks_of(EVENTS, include_usage=True, want_facts=True):
        ChatCompletionChunk.model_validate(chunk, strict=False)
    read = ChatCompletion.model_validate(msgspec.json.decode(body_of(EVENTS)))
    assert read.choices[0].message.tool_calls is not None
    assert read.choices[0].message.tool_calls[0].id == "c1"
    assert read.choices[0].logprobs is not None
    assert read.usage is not None
    assert read.usage.prompt_tokens_details is not None
    assert read.usage.prompt_tokens_details.cached_tokens == 0


TOKENS = st.lists(
    st.builds(
        TokenLogprob,
        token=st.text(max_size=3),
        bytes=st.binary(max_size=4),
        logprob=st.floats(-9999, 0),
        top=st.lists(
            st.builds(
                TopLogprob, token=st.text(max_size=3), bytes=st.binary(max_size=4), logprob=st.floats(-99, 0)
            ),
            max_size=2,
        ).map(tuple),
    ),
    max_size=2,
).map(tuple)
WORD = st.text(min_size=1, max_size=6)
COUNT = st.integers(0, 10**6)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """A call's events in a lawful order, all stamped 0."""
    events: list[Event] = []
    choices = draw(st.integers(1, 3))
    calls = [0] * choices
    for _ in range(draw(st.integers(0, 8))):
        index = draw(st.integers(0, choices - 1))
        common = {"at": 0.0, "index": index, "logprobs": draw(TOKENS)}
        kind = draw(st.sampled_from(["text", "reasoning", "open", "arguments"]))
        if kind == "text":
            events.append(TextDelta(text=draw(WORD), **common))
        elif kind == "reasoning":
            events.append(ReasoningDelta(text=draw(WORD), **common))
        elif kind == "open" or not calls[index]:
            identity = f"c{index}-{calls[index]}"
            arguments = draw(st.sampled_from(["", "{"]))
            events.append(
                ToolCallDelta(call=calls[index], id=identity, name=draw(WORD), arguments=arguments, **common)
            )
            calls[index] += 1
        else:
            call = draw(st.integers(0, calls[index] - 1))
            events.append(ToolCallDelta(call=call, arguments=draw(WORD), **common))
    reasons = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])
    events += [Finished(at=0.0, index=index, reason=draw(reasons)) for index in range(choices)]
    cached, reasoning = draw(st.none() | COUNT), draw(st.none() | COUNT)
    usage = Usage(
        prompt_tokens=draw(COUNT),
        completion_tokens=draw(COUNT),
        cached_tokens=cached,
        reasoning_tokens=reasoning,
    )
    return [*events, Reported(at=0.0, usage=usage, facts=draw(st.sampled_from([None, FACTS])))]


@given(answers(), st.lists(st.integers(0, 4000), max_size=6))
@settings(max_examples=120)
def test_what_a_server_writes_is_what_a_client_reads(events: list[Event], cuts: list[int]):
    writer = ChunkWriter(id="1", created=1, model="m", include_usage=True, want_facts=True)
    stream = b"".join(frame for event in events for frame in writer.write(event)) + writer.done()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = ChunkReader()
    read: list[Event] = []
    for a, b in itertools.pairwise(edges):
        read += reader.feed(stream[a:b], 0.0)
    assert read + reader.finish(0.0) == events


@given(answers())
@settings(max_examples=80)
def test_a_body_holds_what_the_events_held(events: list[Event]):
    completion = Completion(id="1", created=1, model="m", want_facts=True)
    for event in events:
        completion.add(event)
    read = read_completion(completion.body(), 0.0)
    assert gathered(read) == gathered(events)
    ChatCompletion.model_validate_json(completion.body())


def gathered(events: list[Event]) -> dict[Any, Any]:
    """What an answer comes to, however it was cut up."""
    whole: dict[Any, Any] = {}
    for event in events:
        if isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta):
            tokens = whole.get((event.index, "logprobs"), ())
            whole[event.index, "logprobs"] = (*tokens, *event.logprobs)
        if isinstance(event, TextDelta | ReasoningDelta):
            key = (event.index, type(event).__name__)
            whole[key] = whole.get(key, "") + event.text
        elif isinstance(event, ToolCallDelta):
            key = (event.index, "call", event.call)
            identity, name, arguments = whole.get(key, (None, None, ""))
            whole[key] = (event.id or identity, event.name or name, arguments + event.arguments)
        elif isinstance(event, Finished):
            whole[event.index, "reason"] = event.reason
        else:
            whole["report"] = event
    return whole
