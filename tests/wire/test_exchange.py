import gzip
import itertools
import json
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core.exchange import Api, SeenAnswer
from tithe.wire.exchange import answer_reader, api_of, read_request

APIS: tuple[Api, ...] = ("chat", "responses", "messages")

CHAT = (
    b'data: {"id":"r","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    b': ping\r\n\r\ndata: {"choices":[{"index":0,"delta":{"reasoning":"hm \xc3\xa9"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
)
MESSAGES = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":3}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"tool_use","id":"t","name":"look","input":{}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"input_json_delta","partial_json":"{\\"a\\": 1}"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"tool_use"},'
    b'"usage":{"output_tokens":2}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
RESPONSES = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","output_index":0,"delta":"a"}\n\n'
    b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"r","model":"m",'
    b'"status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text",'
    b'"text":"a"}]}],"usage":{"input_tokens":3,"output_tokens":2}}}\n\n'
)
PIECE = b' {"id":"r","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}\n'
STREAMS: tuple[tuple[Api, bytes], ...] = (
    ("chat", CHAT),
    ("messages", MESSAGES),
    ("responses", RESPONSES),
    ("chat", PIECE),
)


def read(api: Api, *reads: bytes, status: int = 200, coding: str = "") -> SeenAnswer:
    """The answer whose n-th read is stamped n."""
    reader = answer_reader(api, status=status, headers={"Content-Encoding": coding})
    for at, data in enumerate(reads):
        reader.feed(data, float(at))
    return reader.end(float(len(reads)))


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(at % (len(data) + 1) for at in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def unstamped(answer: SeenAnswer) -> SeenAnswer:
    """The answer but for its stamps: of those, which there are."""
    return msgspec.structs.replace(
        answer,
        first_token=None if answer.first_token is None else 0.0,
        first_visible=None if answer.first_visible is None else 0.0,
        last_token=None if answer.last_token is None else 0.0,
        phases=tuple(msgspec.structs.replace(phase, start=0.0, end=0.0) for phase in answer.phases),
    )


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/chat/completions", "chat"),
        ("/openai/deployments/gpt/chat/completions?api-version=1", "chat"),
        ("/chat/completions/", "chat"),
        ("/v1/responses", "responses"),
        ("/v1/messages?beta=true", "messages"),
        ("/anthropic/v1/messages", "messages"),
        ("/v1/completions", None),
        ("/v1/responses/resp_1", None),
        ("/v1/responses/resp_1/cancel", None),
        ("/v1/responses/compact", None),
        ("/v1/messages/count_tokens", None),
        ("/v1/messages/batches", None),
        ("/v1/threads/thread_1/messages", None),
        ("/v1/models?of=/v1/messages", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_path_is_of_the_api_that_it_ends_in(path: str, api: str | None):
    assert api_of(path) == api


@pytest.mark.parametrize(("api", "stream"), STREAMS)
@given(
    cuts=st.lists(st.integers(0, 2000), max_size=12), coding=st.sampled_from(["", "gzip", "deflate", "raw"])
)
@settings(max_examples=60)
def test_an_answer_is_the_same_however_its_bytes_are_cut(
    api: Api, stream: bytes, cuts: list[int], coding: str
):
    whole = read(api, stream)
    assert (whole.error, whole.unread) == (None, None)
    packed = {
        "gzip": gzip.compress(stream),
        "deflate": zlib.compress(stream),
        "raw": zlib.compress(stream)[2:-4],
    }
    data = packed.get(coding, stream)
    answer = read(api, *cut(data, cuts), coding="deflate" if coding == "raw" else coding)
    assert unstamped(answer) == unstamped(whole)


@pytest.mark.parametrize(("api", "stream"), STREAMS)
def test_an_answer_may_come_byte_by_byte(api: Api, stream: bytes):
    assert unstamped(read(api, *(stream[i : i + 1] for i in range(len(stream))))) == unstamped(
        read(api, stream)
    )


@pytest.mark.parametrize(("api", "stream"), STREAMS)
def test_the_last_event_may_lack_its_blank_line(api: Api, stream: bytes):
    assert unstamped(read(api, stream.rstrip())) == unstamped(read(api, stream))


def test_an_answer_in_one_piece_that_broke_off_is_not_called_unreadable():
    reader = answer_reader("chat", status=200, headers={})
    reader.feed(PIECE[:40], 0.0)
    answer = reader.end(1.0, "ConnectionReset")
    assert (answer.error, answer.unread) == ("ConnectionReset", None)


def test_a_packed_stream_is_stamped_as_it_comes():
    packer = zlib.compressobj(wbits=31)
    reads = [
        packer.compress(event + b"\n\n") + packer.flush(zlib.Z_SYNC_FLUSH) for event in CHAT.split(b"\n\n")
    ]
    answer = read("chat", *reads, packer.flush(), coding="gzip")
    assert (answer.first_token, answer.first_visible, answer.error) == (1.0, 2.0, None)


def test_what_cannot_be_unpacked_is_told_and_is_no_error():
    for coding, told in (("br", "content-encoding br"), ("gzip", "content-encoding damaged")):
        answer = read("chat", CHAT, coding=coding)
        assert (answer.unread, answer.error, answer.first_token) == (told, None, None)


@pytest.mark.parametrize(
    ("body", "status", "error", "unread"),
    [
        (b"<html>busy</html>", 502, "502", None),
        (b"", 500, "500", None),
        (b'{"error": {"code": 429, "message": "secret words"}}', 429, "429", None),
        (
            b'{"error": {"code": "context_length_exceeded", "type": "invalid_request_error"}}',
            400,
            "context_length_exceeded",
            None,
        ),
        (b'{"error": {"code": "words of a prompt", "type": null}}', 400, "400", None),
        (b'{"detail": "secret"}', 404, "404", None),
        (b'{"type": "error", "error": "secret"}', 500, "500", None),
        (b"<html>hello</html>", 200, None, "no events"),
        (b"{oops", 200, None, "answer"),
        (b"[]", 200, None, "answer"),
        (b"", 200, "StreamBroken", None),
    ],
)
@pytest.mark.parametrize("api", APIS)
def test_a_body_that_is_no_answer(api: Api, body: bytes, status: int, error: str | None, unread: str | None):
    answer = read(api, body, status=status)
    assert error is None or answer.error == error
    assert answer.unread == unread
    assert b"secret" not in msgspec.json.encode(answer)


@pytest.mark.parametrize("api", APIS)
def test_a_request_that_cannot_be_read_tells_what_its_headers_do(api: Api):
    headers = {"X-Session-Id": "s", "X-Stainless-Retry-Count": "2"}
    for body, more, unread in (
        (b"{oops", {}, "not JSON"),
        (b"[1]", {}, "not an object"),
        (b'{"model": "m"}', {"Content-Encoding": "zstd"}, "content-encoding zstd"),
        (b"[" * 100_000, {}, "nested too deep"),
        (b'{"model": "\xff"}', {}, "not JSON"),
    ):
        request = read_request(api, headers | more, body)
        assert (request.model, request.parts, request.unread) == (None, (), unread)
        assert (request.session, request.attempt) == ("s", 2)
        again, other = (read_request(api, more, sent).digest for sent in (body, body + b" "))
        assert request.digest == again != other


def test_a_packed_request_is_read():
    body = gzip.compress(b'{"model": "m", "messages": [{"role": "user", "content": "go"}]}')
    request = read_request("chat", {"content-encoding": "gzip"}, body)
    assert (request.model, len(request.parts)) == ("m", 1)


@pytest.mark.parametrize("depth", [400, 900, 990])
def test_what_is_nested_almost_too_deep_does_no_harm(depth: int):
    nest = b"[" * depth + b"]" * depth
    for api, body in (
        ("chat", b'{"tools": [%s], "messages": [%s]}'),
        (
            "messages",
            b'{"system": [%s], "messages": [{"role": "user", "content": [{"type": "x", "y": %s}]}]}',
        ),
        ("responses", b'{"tools": [%s], "input": [{"type": "x", "y": %s}]}'),
    ):
        request = read_request(api, {}, body % (nest, nest))
        assert request.parts or request.unread == "nested too deep"
    block = (
        b'{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"a","input":%s}}'
    )
    assert read("messages", b"data: " + block % nest + b"\n\n").first_token in (0.0, None)


def test_the_digest_is_of_what_is_asked_and_not_of_how():
    def asked(order: int = 1, **more: Any) -> str:
        fields = {"model": "m", "messages": [{"role": "user", "content": "go"}], "temperature": 0.5, **more}
        return read_request("chat", {}, json.dumps(dict(list(fields.items())[::order])).encode()).digest

    assert (
        asked()
        == asked(-1)
        == asked(stream=True, stream_options={"include_usage": True}, metadata={"try": "2"})
    )
    assert len({asked(), asked(temperature=0.6), asked(model="n"), asked(messages=[]), asked(seed=1)}) == 5


def test_an_agents_steps_share_the_fingerprints_of_what_they_send_again():
    messages = [{"role": "user", "content": f"message {i} of 2026-01-01"} for i in range(50)]
    longer = {"model": "m", "messages": messages}
    shorter = {"model": "m", "messages": messages[:30]}
    one, other = (read_request("chat", {}, json.dumps(body).encode()).parts for body in (shorter, longer))
    assert other[:30] == one
    assert len({part.digest for part in other}) == 50
    assert {part.masked for part in other} == {one[0].masked}


FIELDS = (
    "model messages role content type text tools tool_calls function name arguments id input system instructions "
    "output summary call_id tool_use_id thinking signature choices delta message usage prompt_tokens index item "
    "content_block partial_json response status error code reasoning finish_reason stop_reason metadata user_id "
    "conversation session_id temperature max_tokens cache_control encrypted_content input_tokens output_index"
).split()
WORDS = (
    "assistant user tool system text reasoning message tool_use tool_result thinking function_call image_url "
    "function_call_output content_block_start content_block_delta message_start message_delta error item_reference "
    "response.output_item.added response.output_item.done response.completed response.output_text.delta completed"
).split()
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=25,
)


@given(st.sampled_from(APIS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8))
@settings(max_examples=200)
def test_no_json_is_too_strange_for_a_request(api: Api, body: dict[str, Any]):
    assert read_request(api, {}, json.dumps(body).encode()).unread in (None, "not JSON")


@given(st.sampled_from(APIS), st.binary(), st.dictionaries(st.text(), st.text()))
def test_no_bytes_are_too_strange_for_a_request(api: Api, body: bytes, headers: dict[str, str]):
    read_request(api, headers, body)


@given(
    st.sampled_from(APIS), st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6)), st.booleans()
)
@settings(max_examples=200)
def test_no_json_is_too_strange_for_an_answer(api: Api, bodies: list[dict[str, Any]], streamed: bool):
    begin, end = (b"data: ", b"\n\n") if streamed else (b"", b"")
    answer = read(api, *(begin + json.dumps(body).encode() + end for body in bodies))
    assert (answer.first_token is None) == (answer.last_token is None) == (not answer.phases)


@given(
    st.sampled_from(APIS),
    st.lists(st.binary()),
    st.sampled_from([200, 204, 429]),
    st.sampled_from(["", "gzip", "deflate", "br"]),
)
def test_no_bytes_are_too_strange_for_an_answer(api: Api, reads: list[bytes], status: int, coding: str):
    read(api, *reads, status=status, coding=coding)


@given(
    st.sampled_from(STREAMS),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_damage_to_an_answer_does_no_harm(of: tuple[Api, bytes], damage: list[tuple[int, int]]):
    damaged = bytearray(of[1])
    for at, byte in damage:
        damaged[at % len(damaged)] = byte
    answer = read(of[0], *cut(bytes(damaged), [at for at, _ in damage]))
    stamps = [stamp for phase in answer.phases for stamp in (phase.start, phase.end)]
    assert stamps == sorted(stamps)
    assert stamps[:1] == ([] if answer.first_token is None else [answer.first_token])
    assert stamps[-1:] == ([] if answer.last_token is None else [answer.last_token])
