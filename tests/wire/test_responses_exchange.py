from typing import Any

import msgspec
import openai
import pytest

from tithe.core.exchange import Phase, SeenAnswer, SeenRequest
from tithe.core.usage import Usage
from tithe.wire.exchange import answer_reader, read_request

LOOK: Any = {
    "type": "function",
    "name": "look",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
USAGE = {
    "input_tokens": 50,
    "output_tokens": 9,
    "total_tokens": 59,
    "input_tokens_details": {"cached_tokens": 32, "cache_write_tokens": 16},
    "output_tokens_details": {"reasoning_tokens": 4},
}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "I shall look."}],
    "encrypted_content": "c2VhbGVk",
}
TEXT = {"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [TEXT]}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_a",
    "name": "look",
    "arguments": '{"at": "x"}',
    "status": "completed",
}


def response(*output: dict[str, Any], status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m-1",
        "status": status,
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE if status == "completed" else None,
        **fields,
    }


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "sequence_number": 0, **fields}


def added(index: int, **item: Any) -> dict[str, Any]:
    return event("response.output_item.added", output_index=index, item=item)


def done(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return event("response.output_item.done", output_index=index, item=item)


def grown(kind: str, index: int, delta: str) -> dict[str, Any]:
    places = {"content_index": 0, "summary_index": 0, "item_id": "i"}
    return event(f"response.{kind}.delta", output_index=index, delta=delta, **places)


PART = {"type": "output_text", "text": "", "annotations": []}
SUMMARY = {"type": "summary_text", "text": ""}
CALLING = (
    event("response.created", response=response(status="in_progress")),
    added(0, type="reasoning", id="rs_1", summary=[]),
    event(
        "response.reasoning_summary_part.added", item_id="i", output_index=0, summary_index=0, part=SUMMARY
    ),
    grown("reasoning_summary_text", 0, "I shall look."),  # 3
    done(0, REASONING),
    added(1, type="message", id="msg_1", role="assistant", status="in_progress", content=[]),
    event("response.content_part.added", item_id="i", output_index=1, content_index=0, part=PART),
    {**grown("output_text", 1, "Let me "), "logprobs": []},  # 7
    {**grown("output_text", 1, "look."), "logprobs": []},
    done(1, MESSAGE),
    added(2, **{**CALL, "arguments": "", "status": "in_progress"}),  # 10
    grown("function_call_arguments", 2, '{"at": '),
    grown("function_call_arguments", 2, '"x"}'),  # 12
    done(2, CALL),
    event("response.completed", response=response(REASONING, MESSAGE, CALL)),
)


def seen(*events: dict[str, Any]) -> SeenAnswer:
    """The answer whose n-th event is stamped n."""
    reader = answer_reader("responses", status=200, headers={})
    for at, given in enumerate(events):
        reader.feed(b"data: " + msgspec.json.encode(given) + b"\n\n", float(at))
    return reader.end(100.0)


def asked(*items: dict[str, Any], **fields: Any) -> SeenRequest:
    return read_request("responses", {}, msgspec.json.encode({"model": "m", "input": items, **fields}))


def digests(answer: SeenAnswer | SeenRequest) -> list[str]:
    return [part.digest for part in answer.parts]


def test_a_streamed_answer_is_stamped_by_its_tokens():
    answer = seen(*CALLING)
    assert (answer.id, answer.model) == ("resp_1", "m-1")
    assert (answer.first_token, answer.first_visible, answer.last_token) == (3.0, 7.0, 12.0)
    assert answer.phases == (
        Phase("reasoning", 3.0, 7.0),
        Phase("answer", 7.0, 10.0),
        Phase("arguments", 10.0, 12.0),
    )
    assert answer.usage == Usage(prompt_tokens=50, completion_tokens=9, cached_tokens=32, reasoning_tokens=4)
    assert answer.cache_write_tokens == 16
    assert (answer.finish_reasons, answer.tool_calls) == (("tool_calls",), (("call_a", "look"),))
    assert (answer.error, answer.unread) == (None, None)


def test_an_answer_sent_back_by_the_client_is_the_parts_that_were_seen(tape, openai_client: openai.OpenAI):
    tape.stream(*CALLING, named=True)
    tape.stream(*CALLING, named=True)
    common: Any = {"model": "m", "instructions": "Be brief.", "tools": [LOOK], "store": False}
    with openai_client.responses.stream(input="go", **common) as stream:
        output = stream.get_final_response().output
    items: list[Any] = [{"role": "user", "content": "go"}, *output]
    items.append({"type": "function_call_output", "call_id": "call_a", "output": "seen"})
    with openai_client.responses.stream(input=items, **common) as stream:
        stream.until_done()

    first, second = tape.request(0), tape.request(1)
    assert [part.place for part in first.parts] == ["tools[0]", "instructions", "input"]
    assert digests(second)[:3] == digests(first)
    assert digests(second)[3:6] == digests(tape.answer(0))
    assert [part.role for part in second.parts[3:]] == ["assistant", "assistant", "assistant", "tool"]
    assert (second.parts[5].calls, second.results) == (("call_a",), ("call_a",))


def test_a_response_in_one_piece_has_the_parts_of_its_stream(tape, openai_client: openai.OpenAI):
    tape.piece(response(REASONING, MESSAGE, CALL))
    openai_client.responses.create(model="m", input="go", previous_response_id="resp_0")
    answer = tape.answer()
    assert answer.parts == seen(*CALLING).parts
    assert (answer.first_token, answer.phases, answer.finish_reasons) == (None, (), ("tool_calls",))
    assert tape.request().previous == "resp_0"


def test_a_last_event_without_output_leaves_the_items_that_came():
    bare = event("response.completed", response=response())
    assert seen(*CALLING[:-1], bare).parts == seen(*CALLING).parts
    assert seen(*CALLING[:-1], bare).tool_calls == (("call_a", "look"),)


def test_ids_and_statuses_of_items_are_no_difference():
    plain = {key: value for key, value in CALL.items() if key not in ("id", "status")}
    text = {"role": "assistant", "content": "Let me look."}
    assert digests(asked(MESSAGE, CALL)) == digests(asked(text, plain))


def test_reasoning_that_is_sealed_anew_is_the_same_and_one_that_lost_its_seal_is_not():
    sealed, anew, lost = (
        asked({**REASONING, "encrypted_content": seal}).parts[0] for seal in ("c2VhbGVk", "YW5ldw", None)
    )
    assert sealed.digest == anew.digest != lost.digest
    assert sealed.bare == lost.bare == ""


def test_items_of_other_kinds_are_told_apart_and_answer_their_calls():
    call = {"type": "shell_call", "id": "sh_1", "call_id": "call_s", "action": {"commands": ["ls"]}}
    output = {"type": "shell_call_output", "call_id": "call_s", "output": [{"stdout": "a"}]}
    one = asked(call, output)
    assert (one.results, one.parts[0].calls) == (("call_s",), ("call_s",))
    assert one.parts[0].digest != asked({**call, "action": {"commands": ["cd"]}}).parts[0].digest
    assert seen(event("response.completed", response=response(call))).tool_calls == (("call_s", "shell"),)


def test_items_without_deltas_are_stamped_when_they_are_done():
    answer = seen(CALLING[0], done(0, REASONING), done(1, MESSAGE), CALLING[-1])
    assert [(phase.kind, phase.start) for phase in answer.phases] == [("reasoning", 1.0), ("answer", 2.0)]


@pytest.mark.parametrize(
    ("last", "error", "reasons"),
    [
        (
            event(
                "response.failed",
                response=response(status="failed", error={"code": "oom", "message": "secret"}),
            ),
            "oom",
            (),
        ),
        (event("error", code="rate_limit_exceeded", message="secret", param=None), "rate_limit_exceeded", ()),
        (
            event("error", error={"type": "too_many_requests", "code": None, "message": "secret"}),
            "too_many_requests",
            (),
        ),
        (
            event(
                "response.incomplete",
                response=response(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            ),
            None,
            ("length",),
        ),
        (grown("output_text", 0, "a"), "StreamBroken", ()),
    ],
)
def test_how_an_answer_may_end(last: dict[str, Any], error: str | None, reasons: tuple[str, ...]):
    answer = seen(CALLING[0], grown("output_text", 0, "a"), last)
    assert (answer.error, answer.finish_reasons) == (error, reasons)
    assert b"secret" not in msgspec.json.encode(answer)
