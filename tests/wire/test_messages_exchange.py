from typing import Any

import anthropic
import msgspec
import pytest

from tithe.core import attributes
from tithe.core.exchange import Phase, SeenAnswer, SeenRequest
from tithe.core.usage import Usage
from tithe.wire.exchange import answer_reader, read_request

LOOK: Any = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}
MARK = {"type": "ephemeral"}
COUNTED = {
    "input_tokens": 5,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 20,
    "output_tokens": 1,
}


def start(**usage: int) -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage or COUNTED,
    }
    return {"type": "message_start", "message": message}


def opened(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def grown(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def closed(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def stopped(reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 30}}


STOP = {"type": "message_stop"}
CALLING = (
    start(),  # 0
    {"type": "ping"},
    opened(0, type="thinking", thinking="", signature=""),
    grown(0, type="thinking_delta", thinking="I shall"),  # 3
    grown(0, type="thinking_delta", thinking=" look."),
    grown(0, type="signature_delta", signature="c2ln"),
    closed(0),
    opened(1, type="text", text=""),
    grown(1, type="text_delta", text="Let me"),  # 8
    grown(1, type="text_delta", text=" look."),
    closed(1),
    opened(2, type="tool_use", id="toolu_a", name="look", input={}),  # 11
    grown(2, type="input_json_delta", partial_json=""),
    grown(2, type="input_json_delta", partial_json='{"at": '),
    grown(2, type="input_json_delta", partial_json='"é"}'),  # 14
    closed(2),
    opened(3, type="tool_use", id="toolu_b", name="look", input={}),  # 16
    closed(3),
    stopped("tool_use"),
    STOP,
)


def seen(*events: dict[str, Any]) -> SeenAnswer:
    """The answer whose n-th event is stamped n."""
    reader = answer_reader("messages", status=200, headers={})
    for at, event in enumerate(events):
        name = event["type"].encode()
        reader.feed(b"event: " + name + b"\ndata: " + msgspec.json.encode(event) + b"\n\n", float(at))
    return reader.end(100.0)


def asked(*messages: dict[str, Any], **fields: Any) -> SeenRequest:
    return read_request("messages", {}, msgspec.json.encode({"model": "m", "messages": messages, **fields}))


def test_a_streamed_answer_is_stamped_by_its_tokens():
    answer = seen(*CALLING)
    assert (answer.id, answer.model) == ("msg_1", "claude")
    assert (answer.first_token, answer.first_visible, answer.last_token) == (3.0, 8.0, 16.0)
    assert answer.phases == (
        Phase("reasoning", 3.0, 8.0),
        Phase("answer", 8.0, 11.0),
        Phase("arguments", 11.0, 16.0),
    )
    assert answer.finish_reasons == ("tool_calls",)
    assert answer.tool_calls == (("toolu_a", "look"), ("toolu_b", "look"))
    assert (answer.error, answer.unread) == (None, None)


def test_the_prompt_is_all_of_its_tokens_cached_or_not():
    answer = seen(*CALLING)
    assert answer.usage == Usage(prompt_tokens=125, completion_tokens=30, cached_tokens=100)
    assert answer.cache_write_tokens == 20


def test_a_later_count_replaces_an_earlier_one_and_what_is_not_told_stays_unknown():
    details = {"thinking_tokens": 7}
    end = {**stopped(), "usage": {"input_tokens": 9, "output_tokens": 30, "output_tokens_details": details}}
    answer = seen(start(input_tokens=5, output_tokens=1), end, STOP)
    assert answer.usage == Usage(prompt_tokens=9, completion_tokens=30, reasoning_tokens=7)
    assert answer.cache_write_tokens is None


def test_an_answer_cut_off_has_no_true_count_of_its_output():
    answer = seen(*CALLING[:9])
    assert (answer.usage, answer.error, answer.last_token) == (None, "StreamBroken", 8.0)


def test_an_answer_sent_back_by_the_client_is_the_part_that_was_seen(
    tape, anthropic_client: anthropic.Anthropic
):
    tape.stream(*CALLING, named=True)
    tape.stream(start(), opened(0, type="text", text=""), stopped(), STOP, named=True)
    common: Any = {"model": "claude", "max_tokens": 99, "system": "Be brief.", "tools": [LOOK]}
    messages: list[Any] = [{"role": "user", "content": "go"}]
    with anthropic_client.messages.stream(messages=messages, **common) as stream:
        message = stream.get_final_message()
    messages.append({"role": "assistant", "content": message.content})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "seen"}
        for block in message.content
        if block.type == "tool_use"
    ]
    messages.append({"role": "user", "content": [*results, {"type": "text", "text": "(reminder)"}]})
    with anthropic_client.messages.stream(messages=messages, **common) as stream:
        stream.until_done()

    first, second = tape.request(0), tape.request(1)
    assert [part.place for part in first.parts] == ["tools[0]", "system", "messages[0]"]
    assert second.parts[: len(first.parts)] == first.parts
    assert second.parts[3].digest == tape.answer(0).parts[0].digest
    assert second.parts[3].calls == ("toolu_a", "toolu_b")
    assert (second.parts[4].role, second.results) == ("tool", ("toolu_a", "toolu_b"))
    assert first.attributes[attributes.MAX_TOKENS] == 99
    assert first.attempt == 0


def test_a_message_in_one_piece_is_the_part_that_its_stream_would_be(
    tape, anthropic_client: anthropic.Anthropic
):
    content = [
        {"type": "thinking", "thinking": "I shall look.", "signature": "c2ln"},
        {"type": "text", "text": "Let me look.", "citations": None},
        {"type": "tool_use", "id": "toolu_a", "name": "look", "input": {"at": "é"}},
        {"type": "tool_use", "id": "toolu_b", "name": "look", "input": {}},
    ]
    tape.piece({**start()["message"], "content": content, "stop_reason": "tool_use"})
    tape.piece({**start()["message"], "content": content, "stop_reason": "tool_use"})
    messages: list[Any] = [{"role": "user", "content": "go"}]
    got = anthropic_client.messages.create(model="m", max_tokens=9, messages=messages)
    messages.append({"role": "assistant", "content": got.content})
    anthropic_client.messages.create(model="m", max_tokens=9, messages=messages)
    answer = tape.answer(0)
    assert answer.parts[0].digest == seen(*CALLING).parts[0].digest == tape.request(1).parts[1].digest
    assert answer.usage == Usage(prompt_tokens=125, completion_tokens=1, cached_tokens=100)
    assert (answer.first_token, answer.phases, answer.finish_reasons) == (None, (), ("tool_calls",))


def test_markers_for_the_cache_may_move():
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}

    def asked_with(first: dict[str, Any], last: dict[str, Any]) -> SeenRequest:
        return asked(
            {"role": "user", "content": [{"type": "text", "text": "go", **first}, {**picture, **last}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}, **first}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x", **last}],
            },
            system=[{"type": "text", "text": "Be brief.", **first}],
            tools=[{**LOOK, **last}],
        )

    marked, moved = asked_with({"cache_control": MARK}, {}), asked_with({}, {"cache_control": MARK})
    assert marked.parts == moved.parts
    assert marked.digest == moved.digest


def test_a_text_is_one_however_it_comes():
    as_string = asked({"role": "user", "content": "go"}, system="Be brief.")
    block = {"type": "text", "text": "go"}
    as_blocks = asked({"content": [block], "role": "user"}, system=[{"text": "Be brief.", "type": "text"}])
    assert [part.digest for part in as_string.parts] == [part.digest for part in as_blocks.parts]


def test_stripped_thinking_has_the_same_bare_digest():
    text = {"type": "text", "text": "a"}
    hidden = {"type": "redacted_thinking", "data": "c2VhbGVk"}
    kept, stripped = (
        asked({"role": "assistant", "content": content}).parts[0]
        for content in ([{"type": "thinking", "thinking": "hm", "signature": "s"}, hidden, text], [text])
    )
    assert kept.digest != stripped.digest
    assert kept.bare == stripped.bare


def test_thoughts_that_are_withheld_are_told_apart_by_their_signatures():
    one, other = (
        asked(
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": signature}]}
        ).parts[0]
        for signature in ("a", "b")
    )
    assert one.digest != other.digest
    assert one.bare == other.bare == ""


def test_only_the_results_since_the_last_answer_are_new():
    def turn(call: str) -> tuple[dict[str, Any], dict[str, Any]]:
        use = {"type": "tool_use", "id": call, "name": "look", "input": {}}
        result = {"type": "tool_result", "tool_use_id": call, "content": "x"}
        return {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}

    request = asked({"role": "user", "content": "go"}, *turn("t1"), *turn("t2"))
    assert request.results == ("t2",)
    assert [part.calls for part in request.parts] == [(), ("t1",), ("t1",), ("t2",), ("t2",)]


def test_a_failed_result_is_another_result():
    def result(**more: Any) -> str:
        block = {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "text", "text": "x"}],
            **more,
        }
        return asked({"role": "user", "content": [block]}).parts[0].digest

    assert result() == result(is_error=False) != result(is_error=True)


def test_the_servers_own_tools_are_tokens_and_no_calls_of_the_agents():
    answer = seen(
        start(),
        opened(0, type="server_tool_use", id="srv", name="web_search", input={}),
        grown(0, type="input_json_delta", partial_json='{"query": "x"}'),
        opened(1, type="web_search_tool_result", tool_use_id="srv", content=[]),
        grown(2, type="text_delta", text="a"),
        stopped("pause_turn"),
        STOP,
    )
    assert [phase.kind for phase in answer.phases] == ["arguments", "answer"]
    assert (answer.tool_calls, answer.finish_reasons) == ((), ("pause_turn",))


def test_an_error_under_status_200_is_an_error():
    error = {"type": "overloaded_error", "message": "secret"}
    answer = seen(start(), grown(0, type="text_delta", text="a"), {"type": "error", "error": error})
    assert (answer.error, answer.last_token) == ("overloaded_error", 1.0)
    reader = answer_reader("messages", status=200, headers={})
    reader.feed(msgspec.json.encode({"type": "error", "error": error}), 0.0)
    assert reader.end(1.0).error == "overloaded_error"


def test_an_error_body_gives_its_type_and_no_word_of_its_text(tape, anthropic_client: anthropic.Anthropic):
    tape.piece({"type": "error", "error": {"type": "rate_limit_error", "message": "secret"}}, status=429)
    with pytest.raises(anthropic.RateLimitError):
        anthropic_client.with_options(max_retries=0).messages.create(model="m", max_tokens=9, messages=[])
    assert tape.answer().error == "rate_limit_error"
    assert b"secret" not in msgspec.json.encode(tape.answer())
