"""What the server keeps of its calls: Prometheus figures and spans, and never what was said."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import openai as sdk
import pytest
from openai import AsyncOpenAI
from prometheus_client.parser import text_string_to_metric_families

from tithe.core import Facts, Script, ScriptedBackend, Span, TextDelta, ToolCallDelta, Usage
from tithe.core.errors import EngineError, UsageError

Serve = Callable[..., Any]
OpenAI = Callable[..., AsyncOpenAI]
Until = Callable[..., Any]
SECRET = "the secret plan"
ASK: Any = {"model": "nano", "messages": [{"role": "user", "content": SECRET}]}
FACTS = Facts(
    queue_s=0.001, prefill_s=0.004, decode_s=0.02, cached_tokens=5, uncached_tokens=2, prefix_break=3
)
SCRIPT = Script(
    deltas=[TextDelta(at=0, text=SECRET), ToolCallDelta(at=0, call=0, id="c", name="find", arguments=SECRET)],
    usage=Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=5),
    facts=FACTS,
)


class Spans(list[Span]):
    def record(self, span: Span) -> None:
        self.append(span)


async def figures(server: Any) -> dict[str, float]:
    url = server.url.removesuffix("/v1") + "/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.headers["content-type"].startswith("text/plain; version=")
        text = await response.text()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name + (f"[{sample.labels['status']}]" if "status" in sample.labels else "")] = (
                sample.value
            )
    return found


async def test_a_call_is_counted_with_what_the_backend_reported(serve: Serve, openai: OpenAI) -> None:
    server = await serve(
        ScriptedBackend(SCRIPT), gauges=lambda: {"tithe_kv_blocks_used": 12.0, "kv_blocks": 99.0}
    )
    client = openai(server)
    await client.chat.completions.create(**ASK)
    async for _ in await client.chat.completions.create(**ASK, stream=True):
        pass
    found = await figures(server)
    assert found["tithe_requests_total[200]"] == 2
    assert found["tithe_prompt_tokens_total"] == 14
    assert found["tithe_cached_prompt_tokens_total"] == 10
    assert found["tithe_output_tokens_total"] == 4
    assert found["tithe_prefix_breaks_total"] == 2
    assert found["tithe_ttft_seconds_count"] == 2
    assert found["tithe_ttft_seconds_sum"] > 0
    for part in ("queue", "prefill", "decode"):
        assert found[f"tithe_{part}_seconds_sum"] == pytest.approx(2 * getattr(FACTS, f"{part}_s"))
    assert (found["tithe_kv_blocks_used"], found["tithe_kv_blocks"]) == (12.0, 99.0)
    assert found["tithe_calls_running"] == 0


async def test_what_a_figure_tells_stands_beside_it(serve: Serve) -> None:
    given = {"waiting": 3.0, "computed_tokens": 5.0, "steps": 2.0, "kv_blocks_evicted": 1.0, "fog": 0.5}
    server = await serve(ScriptedBackend(SCRIPT), gauges=lambda: given)
    url = server.url.removesuffix("/v1") + "/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        text = await response.text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["tithe_waiting"].documentation == "Sequences that wait for the engine to take them up"
    for name in ("computed_tokens", "steps", "kv_blocks_evicted"):
        family = families[f"tithe_{name}"]
        assert (family.type, family.samples[0].value) == ("counter", given[name])
        assert f"tithe_{name}_total {given[name]}\n" in text
    assert families["tithe_fog"].type == "gauge"
    assert all(family.documentation for name, family in families.items() if name != "tithe_fog")
    assert "_created" not in text


async def test_gauges_are_read_at_every_scrape(serve: Serve, until: Until) -> None:
    waiting = [3.0]
    backend = ScriptedBackend(Script.of_text("one two", gap=3600))
    server = await serve(backend, gauges=lambda: {"waiting": waiting[0]})
    assert (await figures(server))["tithe_waiting"] == 3.0
    waiting[0] = 1.0
    async with aiohttp.ClientSession() as session:
        asking = asyncio.ensure_future(session.post(f"{server.url}/chat/completions", json=ASK))
        await until(lambda: bool(backend.requests))
        found = await figures(server)
        asking.cancel()
    assert (found["tithe_waiting"], found["tithe_calls_running"]) == (1.0, 1.0)


async def test_what_was_not_reported_is_not_observed(serve: Serve, openai: OpenAI) -> None:
    server = await serve(ScriptedBackend(Script(deltas=[TextDelta(at=0, text="x")])))
    await openai(server).chat.completions.create(**ASK)
    found = await figures(server)
    assert found["tithe_ttft_seconds_count"] == 1
    assert found["tithe_queue_seconds_count"] == 0


async def test_failures_and_those_who_left_are_counted_by_status(
    serve: Serve, openai: OpenAI, until: Until
) -> None:
    scripts = iter(
        [
            Script(deltas=[TextDelta(at=0, text="so far")], error=EngineError("a step failed")),
            Script.of_text("one two", gap=3600),
        ]
    )
    backend = ScriptedBackend(lambda _: next(scripts))
    spans = Spans()
    server = await serve(backend, recorder=spans)
    client = openai(server)

    async def read() -> None:
        async for _ in await client.chat.completions.create(**ASK, stream=True):
            pass

    with pytest.raises(sdk.APIError):
        await read()
    with pytest.raises(sdk.NotFoundError):
        await client.chat.completions.create(**(ASK | {"model": "other"}))
    leaving = asyncio.ensure_future(read())
    await until(lambda: len(backend.requests) == 2)
    leaving.cancel()
    await until(lambda: len(spans) == 3)
    found = await figures(server)
    assert [found[f"tithe_requests_total[{status}]"] for status in (500, 404, 499)] == [1, 1, 1]
    assert [span.error for span in spans] == ["engine_error", "model_not_found", "client_closed"]


async def test_a_span_holds_the_facts_and_nothing_that_was_said(serve: Serve, openai: OpenAI) -> None:
    spans = Spans()
    server = await serve(ScriptedBackend(SCRIPT), recorder=spans, api_key=("k3y-of-mine",))
    client = openai(server, "k3y-of-mine")
    answer = await client.chat.completions.create(**ASK, prompt_cache_key="s1")
    with pytest.raises(sdk.BadRequestError):
        await client.chat.completions.create(**ASK, stop=[SECRET, "", "", "", ""])
    whole, refused = spans
    seen = whole.attributes
    assert (whole.kind, whole.error) == ("call", None)
    assert seen["gen_ai.request.model"] == "nano"
    assert seen["gen_ai.response.id"] == answer.id
    assert seen["gen_ai.response.finish_reasons"] == ["stop"]
    assert seen["gen_ai.usage.input_tokens"] == 7
    assert seen["gen_ai.usage.output_tokens"] == 2
    assert seen["gen_ai.conversation.id"] == "s1"
    assert seen["tithe.prefill_s"] == FACTS.prefill_s
    assert seen["tithe.prefix_break"] == 3
    assert whole.end is not None
    assert 0 <= seen["gen_ai.server.time_to_first_token"] <= whole.end - whole.start
    assert refused.attributes["http.response.status_code"] == 400
    for hidden in (SECRET, "k3y-of-mine"):
        assert hidden not in repr(spans)


async def test_a_recorder_that_fails_takes_no_answer_from_anyone(serve: Serve, openai: OpenAI) -> None:
    class Full:
        def record(self, span: Span) -> None:
            raise UsageError("cannot write: no space left on device")

    server = await serve(ScriptedBackend(SCRIPT), recorder=Full())
    assert (await openai(server).chat.completions.create(**ASK)).choices[0].message.content == SECRET
