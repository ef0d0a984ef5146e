"""The remote backend against scripted bytes with known answers: MEASURING.md's pitfalls, by number."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from tithe.core import (
    Event,
    Facts,
    Finished,
    Message,
    ReasoningDelta,
    Reported,
    Request,
    Script,
    ScriptedBackend,
    Sent,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tithe.core.errors import EndpointRefused, StreamBroken, Unreachable
from tithe.net.remote import RemoteBackend, retry_after
from tithe.net.scripted import Reply, ScriptedServer

Serve = Callable[..., Any]
Until = Callable[..., Any]
ASK = Request(model="nano", messages=(Message(role="user", content="hello"),))
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    payload = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return b"data: " + msgspec.json.encode(payload | more) + b"\n\n"


def usage(prompt: int, completion: int) -> bytes:
    said = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return chunk({}, usage=said, choices=[])


async def ask(*replies: Reply, request: Request = ASK) -> list[Event]:
    async with ScriptedServer(*replies) as server:
        backend = RemoteBackend(server.url)
        try:
            return [event async for event in backend.generate(request)]
        finally:
            await backend.aclose()
            assert len(server.received) == 1, "one call is one attempt"


def sent(events: list[Event]) -> float:
    assert isinstance(events[0], Sent)
    return events[0].at


async def test_pitfall_1_a_role_is_not_a_token() -> None:
    role = chunk({"role": "assistant", "content": ""})
    events = await ask(
        Reply(chunks=[(0.0, role), (0.06, chunk({"content": "Hi"})), (0.0, chunk({}, "stop")), (0.0, DONE)])
    )
    assert [type(event) for event in events] == [Sent, TextDelta, Finished]
    assert events[1].at - sent(events) >= 0.06


async def test_pitfall_2_a_stream_of_tool_calls_alone() -> None:
    function: Any = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "find", "arguments": ""},
    }
    more: Any = {"index": 0, "function": {"arguments": '{"q": 1}'}}
    events = await ask(
        Reply(
            chunks=[
                (0.0, chunk({"role": "assistant", "content": None})),
                (0.03, chunk({"tool_calls": [function]})),
                (0.03, chunk({"tool_calls": [more]})),
                (0.0, chunk({}, "tool_calls") + usage(5, 9) + DONE),
            ]
        )
    )
    first, second = (event for event in events if isinstance(event, ToolCallDelta))
    assert (first.name, second.arguments) == ("find", '{"q": 1}')
    assert first.at - sent(events) >= 0.03
    assert second.at - first.at >= 0.02
    assert isinstance(events[-1], Reported)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_pitfall_3_reasoning_is_a_token_though_not_a_visible_one(field: str) -> None:
    events = await ask(
        Reply(chunks=[(0.0, chunk({field: "hm"})), (0.05, chunk({"content": "Hi"}, "stop")), (0.0, DONE)])
    )
    assert [type(event) for event in events[1:3]] == [ReasoningDelta, TextDelta]
    assert events[2].at - events[1].at >= 0.04


async def test_pitfall_4_tokens_are_counted_by_usage_and_not_by_chunks() -> None:
    events = await ask(
        Reply(
            chunks=[(0.0, chunk({"content": "one two three four"}, "stop")), (0.0, usage(3, 4)), (0.0, DONE)]
        )
    )
    assert sum(isinstance(event, TextDelta) for event in events) == 1
    assert isinstance(events[-1], Reported)
    assert events[-1].usage == Usage(prompt_tokens=3, completion_tokens=4)
    assert events[-1].usage.cached_tokens is None


async def test_pitfall_5_stamps_are_monotonic_and_the_end_is_the_last_content() -> None:
    before = time.perf_counter()
    events = await ask(
        Reply(
            chunks=[
                (0.03, chunk({"content": "a"})),
                (0.03, chunk({"content": "b"})),
                (0.0, chunk({}, "stop")),
                (0.08, DONE),
            ]
        )
    )
    stamps = [event.at for event in events]
    assert stamps == sorted(stamps)
    assert before < stamps[0]
    assert stamps[1] - stamps[0] >= 0.03
    last = max(event.at for event in events if isinstance(event, TextDelta))
    assert time.perf_counter() - last >= 0.08


async def test_pitfall_5_stamps_are_the_socket_s_and_not_the_reader_s() -> None:
    """Two chunks arrive apart while the reader is busy elsewhere, and are read together."""
    script = Reply(chunks=[(0.0, chunk({"content": "a"})), (0.05, chunk({"content": "b"}, "stop") + DONE)])
    async with ScriptedServer(script) as server:
        backend = RemoteBackend(server.url)
        stream = backend.generate(ASK)
        events = [await anext(stream)]
        await asyncio.sleep(0.15)
        read_at = time.perf_counter()
        events += [event async for event in stream]
        await backend.aclose()
    first, second = (event.at for event in events if isinstance(event, TextDelta))
    assert second - first >= 0.04
    assert second < read_at


async def test_pitfall_6_an_error_under_http_200_is_a_failure() -> None:
    error = b'data: {"error": {"message": "the GPU fell off", "type": "server_error"}}\n\n'
    with pytest.raises(StreamBroken, match="the GPU fell off"):
        await ask(Reply(chunks=[(0.0, chunk({"content": "so far"})), (0.0, error)]))
    with pytest.raises(StreamBroken, match="the GPU fell off"):
        await ask(Reply(chunks=[(0.0, error[6:])], headers={"content-type": "application/json"}))


async def test_a_stream_that_just_ends_or_is_cut_is_broken() -> None:
    with pytest.raises(StreamBroken, match="cut off"):
        await ask(Reply(chunks=[(0.0, chunk({"content": "so far"}))]))
    with pytest.raises(StreamBroken, match="closed the connection before its response ended"):
        await ask(Reply(chunks=[(0.0, chunk({"content": "so far"}))], cut=True))


async def test_an_answer_in_one_piece_is_understood() -> None:
    message = {"role": "assistant", "content": "Hi"}
    body = {
        "id": "c",
        "object": "chat.completion",
        "choices": [{"message": message, "finish_reason": "stop"}],
    }
    half = len(msgspec.json.encode(body)) // 2
    encoded = msgspec.json.encode(body)
    events = await ask(
        Reply(
            chunks=[(0.02, encoded[:half]), (0.03, encoded[half:])],
            headers={"content-type": "application/json"},
        )
    )
    assert [type(event) for event in events] == [Sent, TextDelta, Finished]
    assert events[1].at - sent(events) >= 0.05


@pytest.mark.parametrize("status", [307, 400, 401, 404, 429, 500, 503])
async def test_a_refusal_keeps_what_was_said(status: int) -> None:
    body = b'{"error": {"message": "not today"}}'
    headers = {"content-type": "application/json", "retry-after": "7"}
    with pytest.raises(EndpointRefused, match=f"HTTP {status}: not today") as refused:
        await ask(Reply(chunks=[(0.0, body)], status=status, headers=headers))
    assert (refused.value.http_status, refused.value.body) == (status, body.decode())
    assert refused.value.retry_after == 7.0


async def test_a_refusal_was_sent_all_the_same() -> None:
    async with ScriptedServer(Reply(status=429)) as server:
        backend = RemoteBackend(server.url)
        events = backend.generate(ASK)
        assert isinstance(await anext(events), Sent)
        with pytest.raises(EndpointRefused):
            await anext(events)
        await backend.aclose()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "9", "retry-after-ms": "150"}, 0.15),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:10 GMT"}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:27:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, 1445412480.0) == seconds


async def test_nothing_is_retried_when_a_kept_connection_was_closed() -> None:
    whole = chunk({"content": "a"}, "stop") + DONE
    async with ScriptedServer(Reply(chunks=[(0.0, whole)]), Reply(head_after=0.02, cut=True)) as server:
        backend = RemoteBackend(server.url, idle_timeout_s=0.5)
        assert [event async for event in backend.generate(ASK)]
        with pytest.raises(StreamBroken):
            [event async for event in backend.generate(ASK)]
        await backend.aclose()
        assert [request.connection for request in server.received] == [0, 0]


async def test_a_response_that_does_not_end_after_done_holds_nobody_up() -> None:
    whole = chunk({"content": "a"}, "stop") + usage(1, 1) + DONE
    events = await ask(Reply(chunks=[(0.0, whole), (3600.0, b"")]))
    assert [type(event) for event in events] == [Sent, TextDelta, Finished, Reported]


async def test_what_is_sent(serve: Serve) -> None:
    async with ScriptedServer(Reply(chunks=[(0.0, chunk({"content": "a"}, "stop") + DONE)])) as server:
        for base_url in (server.url, server.url + "/", server.url.removesuffix("/v1")):
            backend = RemoteBackend(base_url, api_key="k3y", headers={"x-team": "red"})
            assert [event async for event in backend.generate(ASK)]
            await backend.aclose()
    for request in server.received:
        assert (request.method, request.target) == ("POST", "/v1/chat/completions")
        assert request.headers["authorization"] == "Bearer k3y"
        assert request.headers["x-team"] == "red"
        assert msgspec.json.decode(request.body)["stream"] is True


async def test_models_are_listed_or_it_is_said_that_they_are_not(serve: Serve) -> None:
    backend = RemoteBackend((await serve(ScriptedBackend(Script()))).url)
    assert await backend.models() == ["nano"]
    await backend.aclose()
    async with ScriptedServer(Reply(chunks=[(0.0, b"<html>")]), Reply(status=404)) as server:
        backend = RemoteBackend(server.url)
        with pytest.raises(StreamBroken, match="did not answer with a list of models"):
            await backend.models()
        with pytest.raises(EndpointRefused, match="HTTP 404"):
            await backend.models()
        await backend.aclose()


async def test_a_stopped_server_is_unreachable(serve: Serve) -> None:
    server = await serve(ScriptedBackend(Script()))
    backend = RemoteBackend(server.url)
    await server.stop()
    with pytest.raises(Unreachable):
        await anext(backend.generate(ASK))
    await backend.aclose()


async def test_what_a_backend_says_comes_through_server_and_client_unchanged(serve: Serve) -> None:
    facts = Facts(queue_s=0.001, prefill_s=0.004, decode_s=0.02, cached_tokens=5, uncached_tokens=2)
    script = Script(
        deltas=[
            ReasoningDelta(at=0, text="let me see"),
            TextDelta(at=0, text='é "quoted"\n'),
            ToolCallDelta(at=0, call=0, id="call_1", name="find", arguments='{"a": '),
            ToolCallDelta(at=0, call=0, arguments="1}"),
            ToolCallDelta(at=0, call=1, id="call_2", name="stop"),
        ],
        finish="tool_calls",
        usage=Usage(prompt_tokens=7, completion_tokens=20, cached_tokens=5, reasoning_tokens=3),
        facts=facts,
    )
    server = await serve(ScriptedBackend(script))
    backend = RemoteBackend(server.url)
    tools: Any = [{"type": "function", "function": {"name": "find"}}]
    request = msgspec.structs.replace(ASK, extra={"tithe": {"facts": True}, "tools": tools})
    events = [event async for event in backend.generate(request)]
    await backend.aclose()

    def bare(event: Event) -> Event:
        return msgspec.structs.replace(event, at=0)

    assert [bare(event) for event in events[1:-2]] == list(script.deltas)
    assert bare(events[-2]) == Finished(at=0, reason="tool_calls")
    assert bare(events[-1]) == Reported(at=0, usage=script.usage, facts=facts)


async def test_closing_the_iterator_abandons_the_call(serve: Serve, until: Until) -> None:
    backend = ScriptedBackend(Script.of_text("one two", gap=3600))
    client = RemoteBackend((await serve(backend)).url)
    events = client.generate(ASK)
    assert isinstance(events, AsyncIterator)
    async for event in events:
        if isinstance(event, TextDelta):
            break
    await events.aclose()  # type: ignore[attr-defined]
    await until(lambda: backend.abandoned == 1)
    await client.aclose()
