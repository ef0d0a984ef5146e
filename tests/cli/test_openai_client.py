"""The official client against the running endpoint: the bundled model, a real socket."""

import json
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path

import openai
import pydantic
import pytest
import pytest_asyncio

import tithe
from tithe.engine import Engine, EngineOptions
from tithe.net.options import ServerOptions
from tithe.net.server import Server

NANO = Path(tithe.__file__).parent / "engine" / "nano"
pytestmark = pytest.mark.asyncio(loop_scope="module")

PARAMETERS = {
    "type": "object",
    "properties": {
        "unit": {"type": "string", "enum": ["c", "f"]},
        "days": {"type": "integer", "maximum": 9, "minimum": 1},
    },
    "required": ["unit", "days"],
    "additionalProperties": False,
}


def tool(name: str, strict: bool | None = True) -> dict:
    function = {"name": name, "description": f"Do {name}.", "parameters": PARAMETERS}
    return {"type": "function", "function": function if strict is None else {**function, "strict": strict}}


HELLO = [{"role": "system", "content": "You are an agent."}, {"role": "user", "content": "Hello!"}]
TOOLS = [tool("get_weather"), tool("get_time")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[Engine]:
    engine = Engine.load("nano", EngineOptions(precision="f32"))
    yield engine
    assert engine.gauges()["kv_blocks_used"] == 0
    await engine.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(engine: Engine) -> AsyncIterator[openai.AsyncOpenAI]:
    server = Server(engine, "nano", ServerOptions(port=0), gauges=engine.gauges)
    await server.start()
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        yield client
    await server.stop()


async def test_models(client: openai.AsyncOpenAI):
    assert [model.id async for model in await client.models.list()] == ["nano"]
    assert (await client.models.retrieve("nano")).id == "nano"


async def test_chat_and_its_usage(client: openai.AsyncOpenAI):
    first = await client.chat.completions.create(model="nano", messages=HELLO, max_tokens=12, temperature=0)
    again = await client.chat.completions.create(
        model="nano", messages=HELLO, max_completion_tokens=12, temperature=0
    )
    assert first.choices[0].message.content == again.choices[0].message.content
    assert first.choices[0].finish_reason == "length"
    assert first.usage.completion_tokens == 12
    assert first.usage.total_tokens == first.usage.prompt_tokens + 12
    assert again.usage.prompt_tokens_details.cached_tokens == again.usage.prompt_tokens - 1


async def test_a_stream_says_what_the_whole_says(client: openai.AsyncOpenAI):
    asked = {
        "model": "nano",
        "messages": HELLO,
        "max_tokens": 40,
        "seed": 11,
        "temperature": 0.8,
        "top_p": 0.9,
    }
    whole = await client.chat.completions.create(**asked)
    chunks = [
        c
        async for c in await client.chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}
        )
    ]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason
    without = [c async for c in await client.chat.completions.create(**asked, stream=True)]
    assert all(c.usage is None for c in without)


async def test_a_required_tool_is_called_with_valid_arguments(client: openai.AsyncOpenAI):
    done = await client.chat.completions.create(
        model="nano",
        messages=HELLO,
        tools=TOOLS,
        tool_choice="required",
        parallel_tool_calls=False,
        max_tokens=100,
    )
    (call,) = done.choices[0].message.tool_calls
    assert done.choices[0].finish_reason == "tool_calls"
    assert call.function.name in ("get_weather", "get_time")
    arguments = json.loads(call.function.arguments)
    assert arguments["unit"] in ("c", "f")
    assert 1 <= arguments["days"] <= 9


async def test_a_named_tool_streams_its_arguments(client: openai.AsyncOpenAI):
    stream = await client.chat.completions.create(
        model="nano",
        messages=HELLO,
        tools=TOOLS,
        tool_choice={"type": "function", "function": {"name": "get_time"}},
        parallel_tool_calls=False,
        max_tokens=100,
        stream=True,
    )
    deltas = [d async for c in stream if c.choices for d in c.choices[0].delta.tool_calls or []]
    assert [d.function.name for d in deltas if d.function.name] == ["get_time"]
    assert sum(d.id is not None for d in deltas) == 1
    assert set(json.loads("".join(d.function.arguments or "" for d in deltas))) == {"unit", "days"}


async def test_parallel_calls_are_numbered(client: openai.AsyncOpenAI):
    """A model that may not end its turn makes a call after the other."""
    stops = json.loads((NANO / "generation_config.json").read_text("utf-8"))["eos_token_id"]
    done = await client.chat.completions.create(
        model="nano",
        messages=HELLO,
        tools=TOOLS,
        tool_choice="required",
        max_tokens=300,
        logit_bias={str(stop): -100 for stop in stops},
    )
    calls = done.choices[0].message.tool_calls
    assert len({call.id for call in calls}) == len(calls) > 1


async def test_no_tool_is_called_when_none_may_be(client: openai.AsyncOpenAI):
    for choice in ("none", "auto"):
        done = await client.chat.completions.create(
            model="nano", messages=HELLO, tools=TOOLS, tool_choice=choice, max_tokens=20, temperature=0
        )
        assert done.usage.completion_tokens > 0
        if choice == "none":
            assert done.choices[0].message.tool_calls is None


async def test_a_loop_extends_its_prefix(client: openai.AsyncOpenAI):
    messages = list(HELLO)
    cached = []
    for _ in range(4):
        done = await client.chat.completions.create(
            model="nano",
            messages=messages,
            tools=TOOLS,
            tool_choice="required",
            parallel_tool_calls=False,
            max_tokens=100,
            extra_body={"tithe": {"facts": True}, "session_id": "loop"},
        )
        (call,) = done.choices[0].message.tool_calls
        cached.append(done.usage.prompt_tokens_details.cached_tokens)
        assert done.model_extra["tithe"]["prefix_break"] is None
        messages.append(done.choices[0].message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "It is 7 degrees."})
        prompt = done.usage.prompt_tokens
    assert cached == sorted(cached)
    assert cached[-1] > prompt * 0.8


class Unit(StrEnum):
    c = "c"
    f = "f"


class Forecast(pydantic.BaseModel):
    unit: Unit
    rainy: bool
    days: int = pydantic.Field(ge=1, le=9)


async def test_structured_outputs_parse(client: openai.AsyncOpenAI):
    done = await client.chat.completions.parse(
        model="nano", messages=HELLO, response_format=Forecast, max_tokens=100
    )
    assert isinstance(done.choices[0].message.parsed, Forecast)


async def test_tool_calls_parse(client: openai.AsyncOpenAI):
    done = await client.chat.completions.parse(
        model="nano",
        messages=HELLO,
        tools=[openai.pydantic_function_tool(Forecast)],
        tool_choice="required",
        parallel_tool_calls=False,
        max_tokens=100,
    )
    (call,) = done.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Forecast)


async def test_json_object(client: openai.AsyncOpenAI):
    done = await client.chat.completions.create(
        model="nano", messages=HELLO, response_format={"type": "json_object"}, max_tokens=6
    )
    assert done.choices[0].message.content.startswith("{")


async def test_choices_and_logprobs(client: openai.AsyncOpenAI):
    done = await client.chat.completions.create(
        model="nano", messages=HELLO, n=3, seed=4, max_tokens=8, logprobs=True, top_logprobs=2
    )
    assert [choice.index for choice in done.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in done.choices}) == 3
    for choice in done.choices:
        assert len(choice.logprobs.content) == 8
        assert all(len(entry.top_logprobs) == 2 and entry.logprob <= 0 for entry in choice.logprobs.content)


async def test_stop(client: openai.AsyncOpenAI):
    whole = await client.chat.completions.create(model="nano", messages=HELLO, max_tokens=30, temperature=0)
    cut = whole.choices[0].message.content[5:8]
    done = await client.chat.completions.create(
        model="nano", messages=HELLO, max_tokens=30, temperature=0, stop=[cut]
    )
    assert cut not in done.choices[0].message.content
    assert done.choices[0].finish_reason == "stop"


async def test_hints_of_other_servers_are_taken_and_named(client: openai.AsyncOpenAI):
    raw = await client.chat.completions.with_raw_response.create(
        model="nano",
        messages=HELLO,
        max_tokens=1,
        user="u",
        prompt_cache_key="k",
        service_tier="auto",
        extra_body={
            "nvext": {"x": 1},
            "cache_salt": "s",
            "priority": 1,
            "chat_template_kwargs": {"enable_thinking": False},
        },
    )
    unused = {name.strip() for name in raw.headers["x-tithe-unused"].split(",")}
    assert {"user", "service_tier", "nvext"} <= unused
    assert not {"cache_salt", "priority", "chat_template_kwargs.enable_thinking"} & unused


@pytest.mark.parametrize(
    ("hint", "value", "named"),
    [
        ("priority", 0.5, "priority"),
        ("priority", 1e18, None),
        ("priority", 2**31, None),
        ("reasoning_effort", "default", "reasoning_effort"),
        ("session_id", 7, None),
        ("session_id", [], "session_id"),
        ("prompt_cache_key", 5, None),
        ("user", 5, "user"),
        ("service_tier", 5, "service_tier"),
        ("cache_salt", "", None),
        ("cache_salt", [1], None),
        ("nvext", "x", "nvext"),
        ("metadata", "x", "metadata"),
        ("chat_template_kwargs", {"tools": []}, "chat_template_kwargs.tools"),
        ("chat_template_kwargs", {"colour": "blue"}, "chat_template_kwargs.colour"),
        ("chat_template_kwargs", "x", "chat_template_kwargs"),
    ],
)
async def test_a_hint_is_used_or_named_and_never_refused(
    client: openai.AsyncOpenAI, hint: str, value: object, named: str | None
):
    raw = await client.chat.completions.with_raw_response.create(
        model="nano", messages=HELLO, max_tokens=1, extra_body={hint: value}
    )
    assert raw.headers.get("x-tithe-unused") == named


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"max_tokens": 10_000_000}, "max_tokens"),
        ({"messages": [{"role": "user", "content": "word " * 60_000}]}, "messages"),
        ({"tools": [tool("same"), tool("same")]}, "tools[1].function.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"extra_body": {"colour": "blue"}}, "colour"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "strict": True, "schema": {"type": "wrong"}},
                }
            },
            "response_format.json_schema.schema",
        ),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "f",
                            "strict": True,
                            "parameters": {
                                "type": "object",
                                "properties": {"a": {"type": "array", "uniqueItems": True}},
                            },
                        },
                    }
                ]
            },
            "tools[0].function.parameters",
        ),
    ],
)
async def test_errors_name_the_field(client: openai.AsyncOpenAI, fields: dict, param: str):
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(
            **{"model": "nano", "messages": HELLO, "max_tokens": 1, **fields}
        )
    assert caught.value.param == param
    assert caught.value.body["type"] == "invalid_request_error"


async def test_an_unknown_model(client: openai.AsyncOpenAI):
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="gpt-5", messages=HELLO)
    assert caught.value.param == "model"
    assert caught.value.code == "model_not_found"
