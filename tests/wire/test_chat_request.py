from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core.errors import InvalidRequest
from tithe.core.message import Message, ToolCall
from tithe.core.request import Request, ResponseFormat, Sampling, Tool, ToolChoice
from tithe.wire.chat_request import Incoming, decode_request, encode_request

USER = {"role": "user", "content": "hi"}


def decode(*, isolation: str = "", **fields: Any) -> Incoming:
    body = {"model": "nano", "messages": [USER]} | fields
    return decode_request(msgspec.json.encode(body), isolation=isolation)


def request(**fields: Any) -> Request:
    return decode(**fields).request


def test_the_least_request_has_openai_defaults():
    incoming = decode()
    assert incoming == Incoming(
        request=Request(model="nano", messages=(Message(role="user", content="hi"),)),
        stream=False,
        include_usage=False,
        want_facts=False,
    )


def test_null_is_not_sent():
    names = set(msgspec.structs.asdict(decode().request)) - {"model", "messages"}
    fields = [*names, "user", "metadata", "stream", "stream_options", "tool_choice", "stop", "audio", "functions",
              "response_format", "logit_bias", "seed", "temperature", "store", "nvext", "tithe"]  # fmt: skip
    known = {
        name: None for name in fields if name not in ("sampling", "session", "isolation", "template", "extra")
    }
    assert decode(**known) == decode()


def test_messages_of_every_role():
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a" : 1}'}}
    messages = request(
        messages=[
            {"role": "system", "content": "s"},
            {"role": "developer", "content": [{"type": "text", "text": "d"}, {"type": "text", "text": "e"}]},
            {"role": "user", "content": "", "name": "ann"},
            {
                "role": "assistant",
                "content": None,
                "reasoning": "hm",
                "tool_calls": [call],
                "refusal": None,
                "annotations": [],
                "audio": None,
                "function_call": None,
            },
            {"role": "tool", "content": [{"type": "text", "text": "t"}], "tool_call_id": "c1"},
            {"role": "assistant", "refusal": "no"},
            {
                "role": "assistant",
                "content": [{"type": "refusal", "refusal": "no"}],
                "reasoning_content": "ah",
            },
        ]
    ).messages
    assert messages == (
        Message(role="system", content="s"),
        Message(role="developer", content="de"),
        Message(role="user", content="", name="ann"),
        Message(
            role="assistant",
            reasoning="hm",
            tool_calls=(ToolCall(id="c1", name="look", arguments='{"a" : 1}'),),
        ),
        Message(role="tool", content="t", tool_call_id="c1"),
        Message(role="assistant", content="no"),
        Message(role="assistant", content="no", reasoning="ah"),
    )


def test_tools_and_their_choice():
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}
    function = {"name": "look", "description": "d", "parameters": schema, "strict": True}
    tools = [{"type": "function", "function": function}, {"type": "function", "function": {"name": "stay"}}]
    asked = request(tools=tools, parallel_tool_calls=False)
    assert asked.tools == (
        Tool(name="look", description="d", parameters=schema, strict=True),
        Tool(name="stay"),
    )
    assert not asked.parallel_tool_calls
    assert asked.tool_choice == ToolChoice()
    for mode in ("auto", "none", "required"):
        assert request(tools=tools, tool_choice=mode).tool_choice == ToolChoice(mode=mode)
    named = {"type": "function", "function": {"name": "stay"}}
    assert request(tools=tools, tool_choice=named).tool_choice == ToolChoice(mode="named", name="stay")


def test_response_formats():
    assert request(response_format={"type": "text"}).response_format == ResponseFormat()
    assert request(response_format={"type": "json_object"}).response_format == ResponseFormat(
        kind="json_object"
    )
    schema = {"name": "answer", "schema": {"type": "object"}, "strict": True, "description": "d"}
    incoming = decode(response_format={"type": "json_schema", "json_schema": schema})
    assert incoming.request.response_format == ResponseFormat(
        kind="json_schema", name="answer", schema={"type": "object"}, strict=True
    )
    assert incoming.unused == ("response_format.json_schema.description",)


def test_sampling_and_limits():
    asked = request(
        temperature=0, top_p=0.9, seed=-5, frequency_penalty=1, presence_penalty=-1, logit_bias={"7": -100},
        stop="end", n=3, logprobs=True, top_logprobs=2, max_tokens=9, max_completion_tokens=9,
    )  # fmt: skip
    assert asked.sampling == Sampling(
        temperature=0.0,
        top_p=0.9,
        seed=-5,
        frequency_penalty=1.0,
        presence_penalty=-1.0,
        logit_bias={7: -100.0},
    )
    assert (asked.stop, asked.n, asked.logprobs, asked.top_logprobs, asked.max_tokens) == (
        ("end",),
        3,
        True,
        2,
        9,
    )
    assert request(max_completion_tokens=4).max_tokens == 4
    assert request(max_tokens=9, min_tokens=9).min_tokens == 9
    assert len(request(logit_bias={str(i): 1 for i in range(1024)}).sampling.logit_bias) == 1024
    assert request(stop=["a", "b"]).stop == ("a", "b")


def test_streams_and_facts():
    incoming = decode(stream=True, stream_options={"include_usage": True}, tithe={"facts": True})
    assert (incoming.stream, incoming.include_usage, incoming.want_facts) == (True, True, True)
    assert not decode(stream=True).include_usage


def test_ignored_parts_of_messages_are_named():
    messages = [USER, {"role": "assistant", "content": "a", "refusal": "b", "annotations": [{"type": "x"}]}]
    assert decode(messages=messages).unused == ("messages[1].annotations", "messages[1].refusal")


def test_the_client_sends_the_fields_that_most_servers_know():
    asked = Request(
        model="m",
        messages=(Message(role="user", content="hi"),),
        max_tokens=5,
        session="s",
        isolation="secret-key",
        extra={"tithe": {"facts": True}, "max_tokens": 6},
    )
    assert msgspec.json.decode(encode_request(asked, stream=True)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 6,
        "prompt_cache_key": "s",
        "stream": True,
        "stream_options": {"include_usage": True},
        "tithe": {"facts": True},
    }
    assert b"stream" not in encode_request(asked, stream=False)


def test_what_has_no_json_form_is_refused():
    with pytest.raises(InvalidRequest):
        encode_request(Request(model="m", messages=(), extra={"a": object()}), stream=False)
    with pytest.raises(InvalidRequest):
        encode_request(Request(model="\ud800", messages=()), stream=False)


NAME = st.text("abcXYZ019_-", min_size=1, max_size=8)
SOME = st.text(max_size=10)
SCHEMA = st.dictionaries(SOME, st.integers() | SOME | st.lists(SOME, max_size=2), max_size=2).map(
    lambda fields: fields | {"type": "object"}
)
TOOLS = st.lists(
    st.builds(
        Tool,
        name=NAME,
        description=st.none() | SOME,
        parameters=st.none() | SCHEMA,
        strict=st.none() | st.booleans(),
    ),
    max_size=3,
    unique_by=lambda tool: tool.name,
).map(tuple)
FORMATS = st.sampled_from([ResponseFormat(), ResponseFormat(kind="json_object")]) | st.builds(
    ResponseFormat, kind=st.just("json_schema"), name=NAME, schema=SCHEMA, strict=st.none() | st.booleans()
)
SAMPLING = st.builds(
    Sampling,
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    frequency_penalty=st.floats(-2, 2),
    presence_penalty=st.floats(-2, 2),
    logit_bias=st.dictionaries(st.integers(0, 10**6), st.floats(-100, 100), max_size=3),
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    messages = [Message(role=draw(st.sampled_from(["system", "developer", "user"])), content=draw(SOME))]
    for turn in range(draw(st.integers(0, 3))):
        calls = tuple(
            ToolCall(id=f"c{turn}-{i}", name=draw(NAME), arguments=draw(SOME))
            for i in range(draw(st.integers(0, 2)))
        )
        messages.append(
            Message(
                role="assistant",
                content=draw(SOME | st.none() if calls else SOME),
                reasoning=draw(st.none() | SOME),
                tool_calls=calls,
            )
        )
        messages += [Message(role="tool", content=draw(SOME), tool_call_id=call.id) for call in calls]
        messages.append(Message(role="user", content=draw(SOME), name=draw(st.none() | SOME)))
    return tuple(messages)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    tools = draw(TOOLS)
    choices = [ToolChoice(), ToolChoice(mode="none")]
    if tools:
        choices += [
            ToolChoice(mode="required"),
            *(ToolChoice(mode="named", name=tool.name) for tool in tools),
        ]
    logprobs = draw(st.booleans())
    return Request(
        model=draw(SOME.filter(bool)),
        messages=draw(conversations()),
        tools=tools,
        tool_choice=draw(st.sampled_from(choices)),
        parallel_tool_calls=draw(st.booleans()),
        response_format=draw(FORMATS),
        max_tokens=draw(st.none() | st.integers(1000, 10**6)),
        min_tokens=draw(st.integers(0, 1000)),
        stop=tuple(draw(st.lists(SOME.filter(bool), max_size=4))),
        n=draw(st.integers(1, 16)),
        sampling=draw(SAMPLING),
        logprobs=logprobs,
        top_logprobs=draw(st.integers(0, 20)) if logprobs else 0,
        session=draw(st.none() | SOME),
        priority=draw(st.integers(-9, 9)),
        template=draw(
            st.sampled_from(
                [
                    {},
                    {"a": 1},
                    {"reasoning_effort": "low", "b": 0},
                    {"reasoning_effort": "none", "enable_thinking": True},
                ]
            )
        ),
        extra=draw(st.sampled_from([{}, {"user": "u"}, {"nvext": {"a": [1]}, "verbosity": "low"}])),
    )


@given(requests(), st.booleans())
@settings(max_examples=120)
def test_what_a_client_sends_is_what_a_server_reads(asked: Request, stream: bool):
    incoming = decode_request(encode_request(asked, stream=stream))
    assert incoming.request == asked
    assert (incoming.stream, incoming.include_usage) == (stream, stream)
