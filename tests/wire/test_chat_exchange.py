from typing import Any

import msgspec
import openai
import pytest

from tithe.core import attributes
from tithe.core.exchange import Phase, SeenAnswer, SeenRequest
from tithe.core.usage import Facts, Usage
from tithe.wire.exchange import answer_reader, read_request

DONE = b"data: [DONE]\n\n"
LOOK = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}
USAGE = {
    "prompt_tokens": 50,
    "completion_tokens": 9,
    "total_tokens": 59,
    "prompt_tokens_details": {"cached_tokens": 32},
    "completion_tokens_details": {"reasoning_tokens": 4},
}


def chunk(finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "r1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice]}


def called(index: int = 0, **call: Any) -> dict[str, Any]:
    function = {key: call.pop(key) for key in ("name", "arguments") if key in call}
    return chunk(tool_calls=[{"index": index, "function": function, **call}])


CALLING = (
    chunk(role="assistant", content=""),
    chunk(reasoning_content="I shall"),
    chunk(reasoning_content=" look."),
    chunk(content="Let me "),
    chunk(content="look."),
    called(0, id="call_a", type="function", name="look", arguments=""),
    called(0, arguments='{"at": '),
    called(0, arguments='"x"}'),
    called(1, id="call_b", type="function", name="look", arguments='{"at": "y"}'),
    chunk("tool_calls"),
    {
        "id": "r1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m-1",
        "choices": [],
        "usage": USAGE,
    },
    DONE,
)


def seen(*chunks: Any, status: int = 200) -> SeenAnswer:
    """The answer whose n-th chunk is stamped n."""
    reader = answer_reader("chat", status=status, headers={})
    for at, given in enumerate(chunks):
        reader.feed(
            given if isinstance(given, bytes) else b"data: " + msgspec.json.encode(given) + b"\n\n", float(at)
        )
    return reader.end(100.0)


def asked(*messages: dict[str, Any], **fields: Any) -> SeenRequest:
    return read_request("chat", {}, msgspec.json.encode({"model": "m", "messages": messages, **fields}))


def test_a_streamed_answer_is_stamped_by_its_tokens(tape, openai_client):
    tape.stream(*CALLING)
    with openai_client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "go"}], stream=True
    ) as stream:
        list(stream)
    answer = tape.answer()
    assert (answer.id, answer.model) == ("r1", "m-1")
    assert (answer.first_token, answer.first_visible, answer.last_token) == (1.0, 3.0, 8.0)
    assert answer.phases == (
        Phase("reasoning", 1.0, 3.0),
        Phase("answer", 3.0, 5.0),
        Phase("arguments", 5.0, 8.0),
    )
    assert answer.finish_reasons == ("tool_calls",)
    assert answer.usage == Usage(prompt_tokens=50, completion_tokens=9, cached_tokens=32, reasoning_tokens=4)
    assert answer.tool_calls == (("call_a", "look"), ("call_b", "look"))
    assert (answer.error, answer.unread) == (None, None)


def test_an_answer_sent_back_by_the_client_is_the_part_that_was_seen(tape, openai_client: openai.OpenAI):
    """The client's own helper puts the stream together; its message goes back as it is."""
    tape.stream(*(c for c in CALLING if c == DONE or "reasoning_content" not in str(c)))
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "go"}]
    with openai_client.chat.completions.stream(model="m", messages=messages, tools=[LOOK]) as stream:
        message = stream.get_final_completion().choices[0].message
    messages.append(message)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": "seen"} for call in message.tool_calls or ()
    ]
    tape.stream(chunk(content="Done."), chunk("stop"), DONE)
    openai_client.chat.completions.create(model="m", messages=messages, tools=[LOOK], stream=True).close()

    first, second = tape.request(0), tape.request(1)
    assert second.parts[: len(first.parts)] == first.parts
    assert second.parts[3].digest == tape.answer(0).parts[0].digest
    assert second.parts[3].calls == ("call_a", "call_b")
    assert second.results == ("call_a", "call_b")
    assert [part.place for part in second.parts[:3]] == ["tools[0]", "messages[0]", "messages[1]"]
    assert [part.role for part in second.parts[4:]] == ["tool", "tool"]
    assert second.has_tools


def test_a_message_in_one_piece_is_the_part_that_its_stream_would_be(tape, openai_client: openai.OpenAI):
    call = {"id": "call_a", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}
    message = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    tape.piece(
        {
            "id": "r",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": USAGE,
        }
    )
    tape.piece(
        {
            "id": "r",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": USAGE,
        }
    )
    messages: list[Any] = [{"role": "user", "content": "go"}]
    got = openai_client.chat.completions.create(model="m", messages=messages).choices[0].message
    openai_client.chat.completions.create(model="m", messages=[*messages, got])
    answer = tape.answer(0)
    assert answer.parts[0].digest == tape.request(1).parts[1].digest
    assert (answer.first_token, answer.first_visible, answer.last_token, answer.phases) == (
        None,
        None,
        None,
        (),
    )
    assert (answer.finish_reasons, answer.error) == (("tool_calls",), None)
    assert answer.usage is not None
    assert answer.usage.cached_tokens == 32


def test_the_clients_retries_are_counted_and_have_one_digest(tape, openai_client: openai.OpenAI):
    tape.piece({"error": {"message": "it said: go", "type": "server_error", "code": None}}, status=503)
    tape.stream(chunk(content="a"), chunk("stop"), DONE)
    client = openai_client.with_options(max_retries=1)
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "go"}], stream=True
    ).close()
    assert (tape.request(0).attempt, tape.request(1).attempt) == (0, 1)
    assert tape.request(0).digest == tape.request(1).digest
    assert tape.answer(0).error == "server_error"


def test_what_the_conventions_name_is_among_the_attributes():
    request = asked(stream=True, max_completion_tokens=7, temperature=0, n=2)
    assert request.attributes == {
        attributes.REQUEST_MODEL: "m",
        attributes.REQUEST_STREAM: True,
        attributes.MAX_TOKENS: 7,
        attributes.TEMPERATURE: 0,
        attributes.CHOICES: 2,
    }


def test_a_text_is_one_however_it_comes():
    plain = asked({"role": "user", "content": "Look here."}).parts[0]
    parts = [{"type": "text", "text": "Look "}, {"text": "here.", "type": "text"}]
    assert asked({"content": parts, "role": "user"}).parts[0].digest == plain.digest
    assert asked({"role": "system", "content": "Look here."}).parts[0].digest != plain.digest
    assert plain.size == len("Look here.")


def test_stripped_reasoning_has_the_same_bare_digest():
    kept = asked({"role": "assistant", "reasoning": "hm", "content": "a"}).parts[0]
    stripped = asked({"role": "assistant", "content": "a"}).parts[0]
    assert kept.digest != stripped.digest
    assert kept.bare == stripped.bare == stripped.digest
    assert asked({"role": "assistant", "reasoning_content": "hm", "content": "a"}).parts[0] == kept


def test_the_order_of_a_tools_keys_is_no_difference_of_meaning():
    turned = {"function": dict(reversed(LOOK["function"].items())), "type": "function"}
    one, other = asked(tools=[LOOK]).parts[0], asked(tools=[turned]).parts[0]
    assert one.digest != other.digest
    assert one.canonical == other.canonical
    assert (one.name, one.role) == ("look", "tool_definition")


def test_rewritten_arguments_are_the_same_json():
    def call(arguments: str) -> dict[str, Any]:
        function = {"name": "look", "arguments": arguments}
        return {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}

    one, other = (asked(call(given)).parts[0] for given in ('{"a": 1, "b": 2}', '{"b":2,"a":1}'))
    assert one.digest != other.digest
    assert one.canonical == other.canonical


def test_a_changed_time_in_the_system_prompt_is_masked():
    one, other = (
        asked({"role": "system", "content": f"Be brief. It is {now}."}).parts[0]
        for now in ("2026-03-01T10:00:00Z", "2026-03-01T10:00:07Z")
    )
    assert one.digest != other.digest
    assert one.masked == other.masked
    assert one.volatile == (("timestamp", len("Be brief. It is "), 20),)


def test_images_are_told_apart_without_their_data():
    def shown(data: str) -> Any:
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        return asked({"role": "user", "content": [{"type": "text", "text": "this?"}, picture]}).parts[0]

    assert shown("A" * 5000).digest != shown("B" * 5000).digest
    assert shown("A" * 5000).size < 100


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        ((chunk(content="a"),), "StreamBroken"),
        ((), "StreamBroken"),
        (
            (chunk(content="a"), {"error": {"message": "secret", "type": "server_error", "code": "oom"}}),
            "oom",
        ),
        ((b'event: error\ndata: {"message": "secret"}\n\n',), "error"),
        (
            (b'{"object": "error", "message": "secret", "type": "BadRequestError", "code": 400}',),
            "BadRequestError",
        ),
        ((chunk("error", content="a"), DONE), "error"),
        ((chunk(content="a"), DONE), None),
        ((chunk("stop", content="a"),), None),
    ],
)
def test_an_answer_that_is_not_whole_or_tells_of_an_error_has_one(chunks: tuple[Any, ...], error: str | None):
    answer = seen(*chunks)
    assert answer.error == error
    assert b"secret" not in msgspec.json.encode(answer)


def test_what_broke_off_a_stream_is_its_error_unless_it_was_whole():
    for chunks, error in (((chunk(content="a"),), "ConnectionReset"), ((chunk("stop", content="a"),), None)):
        reader = answer_reader("chat", status=200, headers={})
        for given in chunks:
            reader.feed(b"data: " + msgspec.json.encode(given) + b"\n\n", 1.0)
        assert reader.end(2.0, "ConnectionReset").error == error


def test_what_comes_after_the_end_is_not_of_the_answer():
    after = [chunk(content="b"), {"error": {"code": "late"}}]
    answer = seen(chunk("stop", content="a"), DONE, *after)
    assert (answer.last_token, answer.error) == (0.0, None)


def test_a_count_that_is_not_whole_leaves_the_one_before():
    half = {"choices": [], "usage": {"prompt_tokens": 7}}
    answer = seen(chunk("stop", content="a"), {"choices": [], "usage": USAGE}, half, DONE)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 50


def test_the_first_of_two_errors_counts():
    assert seen({"error": {"code": "first"}}, {"error": {"code": "second"}}).error == "first"


def test_kinds_that_alternate_are_phases_that_tile():
    answer = seen(
        chunk(reasoning="a"),
        chunk(content="b"),
        chunk(reasoning="c"),
        chunk(content="d"),
        chunk(content="e"),
        DONE,
    )
    assert [(phase.kind, phase.start, phase.end) for phase in answer.phases] == [
        ("reasoning", 0.0, 1.0),
        ("answer", 1.0, 2.0),
        ("reasoning", 2.0, 3.0),
        ("answer", 3.0, 4.0),
    ]


def test_a_tithe_endpoint_tells_its_facts():
    facts = Facts(queue_s=0.1, prefill_s=0.2, decode_s=0.3, cached_tokens=4, uncached_tokens=5)
    told = {"choices": [], "tithe": msgspec.to_builtins(facts)}
    assert seen(chunk("stop", content="a"), told, DONE).facts == facts


def test_a_custom_tools_input_is_tokens_and_comes_back_as_it_was():
    answer = seen(
        chunk(tool_calls=[{"index": 0, "id": "c", "type": "custom", "custom": {"name": "run", "input": ""}}]),
        chunk(tool_calls=[{"index": 0, "custom": {"input": "ls -l"}}]),
        chunk("tool_calls"),
        DONE,
    )
    assert answer.phases == (Phase("arguments", 0.0, 1.0),)
    assert answer.tool_calls == (("c", "run"),)
    call = {"id": "c", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}
    assert answer.parts[0].digest == asked({"role": "assistant", "tool_calls": [call]}).parts[0].digest


def test_of_several_choices_all_are_stamped_and_the_first_is_the_message():
    answer = seen(
        chunk(content="a", index=1),
        chunk(content="b", index=0),
        chunk("length", index=1),
        chunk("stop", index=0),
        DONE,
    )
    assert answer.finish_reasons == ("stop", "length")
    assert (answer.first_token, answer.last_token) == (0.0, 1.0)
    assert answer.parts[0].digest == asked({"role": "assistant", "content": "b"}).parts[0].digest


def test_a_chunk_that_cannot_be_read_is_told_and_the_rest_is_read():
    answer = seen(chunk(content="a"), b"data: {oops\n\n", chunk("stop", content="b"), DONE)
    assert answer.unread == "chunk"
    assert (answer.last_token, answer.finish_reasons) == (2.0, ("stop",))
