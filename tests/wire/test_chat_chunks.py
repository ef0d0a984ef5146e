import math
from typing import Any

import msgspec
import pytest

from tithe.core.errors import StreamBroken
from tithe.core.event import Event, Finished, ReasoningDelta, Reported, TextDelta, TokenLogprob, ToolCallDelta
from tithe.core.usage import Facts, Usage
from tithe.wire.chat_chunks import ChunkReader, read_completion

STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
DONE = b"data: [DONE]\n\n"


def frame(chunk: Any) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def delta(finish_reason: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": "r1", "choices": [{"index": index, "delta": fields, "finish_reason": finish_reason}]}


def calls(*given: dict[str, Any]) -> dict[str, Any]:
    return delta(tool_calls=list(given))


def read(*chunks: Any) -> list[Event]:
    """The events of a stream whose n-th chunk is stamped n, and whose end len(chunks)."""
    reader = ChunkReader()
    events: list[Event] = []
    for at, chunk in enumerate(chunks):
        events += reader.feed(chunk if isinstance(chunk, bytes) else frame(chunk), float(at))
    return events + reader.finish(float(len(chunks)))


def test_role_chunks_and_empty_deltas_are_no_tokens():
    events = read(
        delta(role="assistant", content=""),
        delta(content=None),
        delta(content="", reasoning_content="", tool_calls=[]),
        b": ping\n\ndata:\n\n",
        delta(content="a"),
        STOP,
        DONE,
    )
    assert events == [TextDelta(at=4.0, text="a"), Finished(at=5.0, reason="stop")]


def test_a_stream_may_hold_nothing_but_calls():
    events = read(
        delta(role="assistant", content=None),
        calls({"index": 0, "id": "c1", "type": "function", "function": {"name": "", "arguments": ""}}),
        calls({"index": 0, "function": {"name": "look"}}),
        calls({"index": 0, "function": {"arguments": "{}"}}),
        delta("tool_calls"),
        DONE,
    )
    assert events == [
        ToolCallDelta(at=2.0, call=0, id="c1", name="look"),
        ToolCallDelta(at=3.0, call=0, arguments="{}"),
        Finished(at=4.0, reason="tool_calls"),
    ]


@pytest.mark.parametrize("fields", [{"reasoning": "hm"}, {"reasoning_content": "hm"}])
def test_reasoning_has_two_names(fields: dict[str, str]):
    assert read(delta(**fields), STOP)[0] == ReasoningDelta(at=0.0, text="hm")


def test_reasoning_sent_under_both_names_is_counted_once():
    events = read(delta(reasoning="hm", reasoning_content="hm", content="a"), STOP)
    assert events[:2] == [ReasoningDelta(at=0.0, text="hm"), TextDelta(at=0.0, text="a")]


def test_the_usage_chunk_is_no_token():
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    events = read(delta(content="a"), STOP, {"choices": [], "usage": usage}, DONE)
    assert events == [
        TextDelta(at=0.0, text="a"),
        Finished(at=1.0, reason="stop"),
        Reported(at=3.0, usage=Usage(prompt_tokens=5, completion_tokens=1)),
    ]


def test_the_last_usage_counts():
    def counted(completion: int) -> dict[str, Any]:
        return delta(content="a") | {"usage": {"prompt_tokens": 5, "completion_tokens": completion}}

    events = read(counted(1), counted(2), STOP | {"usage": None})
    assert events[-1] == Reported(at=3.0, usage=Usage(prompt_tokens=5, completion_tokens=2))


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ({}, None),
        ({"prompt_tokens_details": None}, None),
        ({"prompt_tokens_details": {"audio_tokens": 1}}, None),
        ({"prompt_tokens_details": {"cached_tokens": 0}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": 4}}, 4),
        ({"prompt_cache_hit_tokens": 4}, 4),
        ({"cached_tokens": 4}, 4),
    ],
)
def test_missing_cached_tokens_are_not_reported(details: dict[str, Any], cached: int | None):
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 1}}
    reported = read(STOP, {"choices": [], "usage": usage | details}, DONE)[-1]
    assert reported == Reported(
        at=2.0, usage=Usage(prompt_tokens=5, completion_tokens=1, cached_tokens=cached, reasoning_tokens=1)
    )


def test_incomplete_usage_is_not_reported():
    assert read(STOP, {"choices": [], "usage": {"prompt_tokens": 5}}, DONE) == [
        Finished(at=0.0, reason="stop")
    ]


@pytest.mark.parametrize(
    "bad",
    [
        frame({"error": {"message": "out of memory"}}),
        frame({"error": "out of memory"}),
        frame({"object": "error", "message": "out of memory"}),
        b"event: error\ndata: out of memory\n\n",
        frame({"choices": [], "error": {"message": "out of memory"}}),
    ],
)
def test_an_error_under_200_is_an_error(bad: bytes):
    reader = ChunkReader()
    assert reader.feed(frame(delta(content="a")), 0.0) == [TextDelta(at=0.0, text="a")]
    with pytest.raises(StreamBroken, match="out of memory"):
        reader.feed(bad, 1.0)
    with pytest.raises(StreamBroken, match="out of memory"):
        reader.finish(1.0)


def test_what_came_before_an_error_in_one_read_is_kept():
    reader = ChunkReader()
    both = frame(delta(content="a")) + frame({"error": "gone"}) + DONE
    assert reader.feed(both, 0.0) == [TextDelta(at=0.0, text="a")]
    with pytest.raises(StreamBroken, match="gone"):
        reader.finish(1.0)


def test_a_null_error_is_none():
    assert read(STOP | {"error": None}) == [Finished(at=0.0, reason="stop")]


def test_an_object_in_place_of_a_stream_is_an_error_with_its_words():
    reader = ChunkReader()
    assert reader.feed(b'{"error": {"mess', 0.0) == []
    assert reader.feed(b'age": "no such model"}}', 0.0) == []
    with pytest.raises(StreamBroken, match="no such model"):
        reader.finish(1.0)


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [delta(content="a")],
        [delta(content="a"), delta("stop", index=1)],
        [b": ping\n\n"],
        [b"data: {not json}\n\n"],
        [b'data: {"choices": 5}\n\n'],
        [b"data: []\n\n"],
        [b'data: {"choices": [{"delta": {"content": "a"}'],
        [DONE],
        [{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}}, DONE],
        [delta("error", content="a"), DONE],
        [delta("abort", content="a"), DONE],
    ],
)
def test_a_stream_that_is_not_whole_is_broken(chunks: list[Any]):
    with pytest.raises(StreamBroken):
        read(*chunks)


def test_a_stream_without_done_is_whole_when_every_choice_finished():
    events = read(delta(content="a"), delta(content="b", index=1), delta("stop"), delta("length", index=1))
    assert events[2:] == [Finished(at=2.0, reason="stop"), Finished(at=3.0, index=1, reason="length")]


def test_done_finishes_what_had_no_reason():
    assert read(delta(content="a"), DONE)[-1] == Finished(at=1.0, reason="stop")
    called = read(calls({"index": 0, "id": "c", "function": {"name": "f"}}), DONE)
    assert called[-1] == Finished(at=1.0, reason="tool_calls")


def test_a_repeated_or_empty_finish_reason_ends_nothing_twice():
    assert read(delta("", content="a"), STOP, STOP, DONE) == [
        TextDelta(at=0.0, text="a"),
        Finished(at=1.0, reason="stop"),
    ]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("max_tokens", "length"),
        ("function_call", "tool_calls"),
        ("eos", "stop"),
        ("content_filter", "content_filter"),
    ],
)
def test_finish_reasons_of_other_apis(given: str, reason: str):
    finished = read(delta(given, content="a"))[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == reason


def test_what_comes_after_done_is_not_read():
    reader = ChunkReader()
    assert not reader.done
    events = reader.feed(frame(STOP) + DONE + frame(delta(content="late")), 0.0)
    assert events == [Finished(at=0.0, reason="stop")]
    assert reader.done
    assert reader.finish(1.0) == []


def told(*chunks: Any) -> list[tuple[int, str | None, str | None, str]]:
    events = read(*chunks, STOP)
    return [(e.call, e.id, e.name, e.arguments) for e in events if isinstance(e, ToolCallDelta)]


def opened(name: str, **fields: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": ""}} | fields


def more(arguments: Any, **fields: Any) -> dict[str, Any]:
    return {"function": {"arguments": arguments}} | fields


def test_calls_without_an_index():
    assert told(
        calls(opened("f", id="a")), calls(more("1")), calls(opened("g", id="b")), calls(more("2", id="b"))
    ) == [(0, "a", "f", ""), (0, None, None, "1"), (1, "b", "g", ""), (1, None, None, "2")]


def test_calls_without_an_index_or_an_id_have_ids_made_up():
    opened_calls = told(calls(opened("f")), calls(more("1")), calls(opened("g")), calls(more("2")))
    assert [call for call, *_ in opened_calls] == [0, 0, 1, 1]
    made_up = {made for _, made, _, _ in opened_calls if made is not None}
    assert len(made_up) == 2


def test_calls_that_share_an_index():
    assert told(
        calls(opened("f", index=0, id="a")), calls(opened("g", index=0, id="b")), calls(more("2", index=0))
    ) == [
        (0, "a", "f", ""),
        (1, "b", "g", ""),
        (1, None, None, "2"),
    ]


def test_calls_whose_index_starts_at_one():
    assert told(calls(opened("f", index=1, id="a")), calls(opened("g", index=2, id="b"))) == [
        (0, "a", "f", ""),
        (1, "b", "g", ""),
    ]


def test_calls_interleaved_by_index():
    assert told(
        calls(opened("f", index=0, id="a"), opened("g", index=1, id="b")),
        calls(more("2", index=1), more("1", index=0)),
    ) == [(0, "a", "f", ""), (1, "b", "g", ""), (1, None, None, "2"), (0, None, None, "1")]


def test_an_id_and_a_name_on_every_delta_are_told_once():
    again = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "1"}}
    assert told(calls(again), calls(again)) == [(0, "a", "f", "1"), (0, None, None, "1")]


def test_arguments_given_as_an_object():
    assert told(calls(more({"a": 1}, index=0, id="a")))[0][3] == '{"a":1}'


def test_content_as_parts():
    parts = [{"type": "text", "text": "a"}, {"type": "reference"}, {"type": "text", "text": "b"}]
    assert read(delta(content=parts), STOP)[0] == TextDelta(at=0.0, text="ab")


def test_log_probabilities_without_bytes_or_alternatives():
    chunk = delta(content="é")
    chunk["choices"][0]["logprobs"] = {
        "content": [{"token": "é", "logprob": -1}, {"token": "x", "logprob": None}]
    }
    event = read(chunk, STOP)[0]
    assert isinstance(event, TextDelta)
    assert event.logprobs == (TokenLogprob(token="é", bytes="é".encode(), logprob=-1.0),)


def test_facts_of_the_endpoint_and_of_somebody_else():
    facts = Facts(queue_s=0.5, prefill_s=0.0, decode_s=0.0, cached_tokens=1, uncached_tokens=2)
    reported = read(STOP, {"choices": [], "tithe": msgspec.to_builtins(facts)}, DONE)[-1]
    assert reported == Reported(at=2.0, facts=facts)
    assert read(STOP | {"tithe": "something else"}, DONE) == [Finished(at=0.0, reason="stop")]


def test_a_whole_body_is_read_as_events():
    body = {
        "id": "r1",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "a",
                    "reasoning": "hm",
                    "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                    ],
                },
                "finish_reason": "tool_calls",
            },
            {"index": 1, "message": {"content": "b", "tool_calls": None}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    assert read_completion(msgspec.json.encode(body), 3.0) == [
        ReasoningDelta(at=3.0, text="hm"),
        TextDelta(at=3.0, text="a"),
        ToolCallDelta(at=3.0, call=0, id="c", name="f", arguments="{}"),
        Finished(at=3.0, reason="tool_calls"),
        TextDelta(at=3.0, index=1, text="b"),
        Finished(at=3.0, index=1, reason="stop"),
        Reported(at=3.0, usage=Usage(prompt_tokens=1, completion_tokens=2)),
    ]


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b'{"error": {"message": "Bad gateway"}}', b"{}"]
)
def test_a_body_that_is_no_completion_is_broken(body: bytes):
    with pytest.raises(StreamBroken):
        read_completion(body, 0.0)


def test_the_words_of_a_body_that_is_no_completion_are_kept():
    with pytest.raises(StreamBroken, match="Bad gateway"):
        read_completion(b"<html>Bad gateway</html>", math.pi)
