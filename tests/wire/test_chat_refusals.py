"""Every body that is refused, with the path that the refusal names."""

from typing import Any

import msgspec
import pytest

from tithe.core.errors import InvalidRequest
from tithe.wire.chat_request import decode_request

BASE: dict[str, Any] = {"model": "nano", "messages": [{"role": "user", "content": "hi"}]}
USER = BASE["messages"][0]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def refusal(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        decode_request(body)
    assert caught.value.status == 400
    assert caught.value.kind == "invalid_request_error"
    assert caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b"\xff\xfe",
        b'{"model": NaN}',
        b'{"model": "x", "messages": [], "user": "\xff"}',
        b'{"model": "x", "messages": [], "user": "\\ud800"}',
        b'{"model": "x", "messages": []} {}',
        b'{"metadata": {"a": ' + b"[" * 100_000,
        b'{"nvext": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_refused(body: bytes):
    assert refusal(body).code == "invalid_json"


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"1e999"])
def test_what_is_no_object_is_refused(body: bytes):
    refused = refusal(body)
    assert refused.code == "invalid_type"
    assert "object" in refused.message


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    # Shape.
    ({"model": None}, "model", "invalid_type"),
    ({"model": ""}, "model", "invalid_value"),
    ({"model": 5}, "model", "invalid_type"),
    ({"messages": None}, "messages", "invalid_type"),
    ({"messages": "hi"}, "messages", "invalid_type"),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": ["hi"]}, "messages[0]", "invalid_type"),
    ({"fog": 1}, "fog", "unknown_parameter"),
    ({"`": 1}, "`", "unknown_parameter"),
    ({"top_k": 4}, "top_k", "unknown_parameter"),
    # Messages.
    ({"messages": [{"content": "hi"}]}, "messages[0].role", "missing_required_parameter"),
    ({"messages": [{"role": "robot", "content": "hi"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [{"role": 1, "content": "hi"}]}, "messages[0].role", "invalid_type"),
    ({"messages": [USER, {**USER, "fog": 1}]}, "messages[1].fog", "unknown_parameter"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content", "invalid_value"),
    (
        {"messages": [{"role": "assistant", "content": None}]},
        "messages[0].content",
        "missing_required_parameter",
    ),
    ({"messages": [{**USER, "tool_calls": [CALL]}]}, "messages[0].tool_calls", "invalid_value"),
    ({"messages": [{**USER, "reasoning_content": "x"}]}, "messages[0].reasoning_content", "invalid_value"),
    ({"messages": [{**USER, "tool_call_id": "c1"}]}, "messages[0].tool_call_id", "invalid_value"),
    (
        {"messages": [{**USER, "function_call": {"name": "f"}}]},
        "messages[0].function_call",
        "unsupported_parameter",
    ),
    ({"messages": [{**CALLING, "audio": {"id": "a"}}]}, "messages[0].audio", "unsupported_parameter"),
    (
        {"messages": [{**CALLING, "reasoning": "a", "reasoning_content": "b"}]},
        "messages[0].reasoning",
        "invalid_value",
    ),
    *(
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]},
            "messages[0].content[1].type",
            "unsupported_value",
        )
        for part in (
            {"type": "image_url", "image_url": {"url": "x"}},
            {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
            {"type": "file", "file": {"file_id": "x"}},
            {"type": "fog"},
        )
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
        "missing_required_parameter",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "file": {}}]}]},
        "messages[0].content[0].file",
        "unsupported_parameter",
    ),
    (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages[0].tool_call_id",
        "missing_required_parameter",
    ),
    (
        {"messages": [CALLING, {"role": "tool", "content": "x", "tool_call_id": "c2"}]},
        "messages[1].tool_call_id",
        "invalid_value",
    ),
    (
        {"messages": [{"role": "tool", "content": "x", "tool_call_id": "c1"}, CALLING]},
        "messages[0].tool_call_id",
        "invalid_value",
    ),
    (
        {
            "messages": [
                {**CALLING, "tool_calls": [{**CALL, "type": "custom", "custom": {}, "function": None}]}
            ]
        },
        "messages[0].tool_calls[0].type",
        "unsupported_parameter",
    ),
    (
        {"messages": [{**CALLING, "tool_calls": [{"id": "c1", "type": "function"}]}]},
        "messages[0].tool_calls[0].function",
        "missing_required_parameter",
    ),
    (
        {"messages": [{**CALLING, "tool_calls": [{**CALL, "function": {"name": "look"}}]}]},
        "messages[0].tool_calls[0].function.arguments",
        "missing_required_parameter",
    ),
    # Tools.
    ({"tools": [TOOL, TOOL]}, "tools[1].function.name", "invalid_value"),
    (
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        "tools[0].function.name",
        "invalid_value",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a" * 65}}]},
        "tools[0].function.name",
        "invalid_value",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a\n"}}]},
        "tools[0].function.name",
        "invalid_value",
    ),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
    ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type", "missing_required_parameter"),
    (
        {"tools": [TOOL, {"type": "custom", "custom": {"name": "x"}}]},
        "tools[1].type",
        "unsupported_parameter",
    ),
    (
        {"tools": [TOOL, {"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]},
        "tools[1].function.parameters",
        "invalid_function_parameters",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
        "tools[0].function.parameters",
        "invalid_type",
    ),
    (
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "parameters": {"type": "object", "x": nested(200)}},
                }
            ]
        },
        "tools[0].function.parameters",
        "invalid_value",
    ),
    ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice", "invalid_value"),
    ({"tools": [TOOL], "tool_choice": 1}, "tool_choice", "invalid_type"),
    ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
    ({"tool_choice": {"type": "function", "function": {"name": "look"}}}, "tool_choice", "invalid_value"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "hear"}}},
        "tool_choice.function.name",
        "invalid_value",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function"}},
        "tool_choice.function",
        "missing_required_parameter",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
        "tool_choice.allowed_tools",
        "unsupported_parameter",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "x"}}},
        "tool_choice.type",
        "unsupported_parameter",
    ),
    # Response format.
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
    (
        {"response_format": {"type": "json_schema"}},
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        "response_format.json_schema.name",
        "missing_required_parameter",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        "response_format.json_schema.schema",
        "missing_required_parameter",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
        "response_format.json_schema.name",
        "invalid_value",
    ),
    (
        {"response_format": {"type": "json_object", "json_schema": {"name": "a", "schema": {}}}},
        "response_format.json_schema",
        "invalid_value",
    ),
    # Numbers.
    ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    ({"max_tokens": "5"}, "max_tokens", "invalid_type"),
    ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
    ({"max_tokens": True}, "max_tokens", "invalid_type"),
    ({"max_completion_tokens": -1}, "max_completion_tokens", "invalid_value"),
    ({"min_tokens": -1}, "min_tokens", "invalid_value"),
    ({"min_tokens": 6, "max_tokens": 5}, "min_tokens", "invalid_value"),
    ({"min_tokens": 6, "max_completion_tokens": 5}, "min_tokens", "invalid_value"),
    ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", "invalid_value"),
    ({"temperature": 2.1}, "temperature", "invalid_value"),
    ({"temperature": -1}, "temperature", "invalid_value"),
    ({"top_p": 1.1}, "top_p", "invalid_value"),
    ({"n": 0}, "n", "invalid_value"),
    ({"n": 17}, "n", "invalid_value"),
    ({"seed": 2**70}, "seed", "invalid_value"),
    ({"seed": "x"}, "seed", "invalid_type"),
    ({"frequency_penalty": 2.1}, "frequency_penalty", "invalid_value"),
    ({"presence_penalty": -2.1}, "presence_penalty", "invalid_value"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "invalid_value"),
    ({"top_logprobs": 3}, "top_logprobs", "invalid_value"),
    ({"logprobs": 3}, "logprobs", "invalid_type"),
    ({"logit_bias": {"5": 101}}, "logit_bias", "invalid_value"),
    ({"logit_bias": {"the": 1}}, "logit_bias", "invalid_value"),
    ({"logit_bias": {"5": "x"}}, "logit_bias", "invalid_type"),
    ({"logit_bias": {"-5": 1}}, "logit_bias", "invalid_value"),
    ({"logit_bias": {"05": 1}}, "logit_bias", "invalid_value"),
    ({"logit_bias": {"5.0": 1}}, "logit_bias", "invalid_value"),
    ({"logit_bias": {str(i): 1 for i in range(1025)}}, "logit_bias", "invalid_value"),
    # Hints of any value beside a fault that is one.
    ({"priority": "x", "cache_salt": [], "nvext": 5, "user": {}, "n": 0}, "n", "invalid_value"),
    # Stops, streams.
    ({"stop": ""}, "stop", "invalid_value"),
    ({"stop": ["a", ""]}, "stop[1]", "invalid_value"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "invalid_value"),
    ({"stop": ["a", 1]}, "stop[1]", "invalid_type"),
    ({"stream": "yes"}, "stream", "invalid_type"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
    ({"stream": True, "stream_options": {"fog": True}}, "stream_options.fog", "unknown_parameter"),
    # Refused by name.
    ({"audio": {"voice": "x", "format": "wav"}}, "audio", "unsupported_parameter"),
    ({"modalities": ["text", "audio"]}, "modalities", "invalid_value"),
    ({"functions": []}, "functions", "unsupported_parameter"),
    ({"function_call": "auto"}, "function_call", "unsupported_parameter"),
    ({"web_search_options": {}}, "web_search_options", "unsupported_parameter"),
    ({"store": True}, "store", "unsupported_parameter"),
    # What Tithe adds.
    ({"tithe": {"fact": True}}, "tithe.fact", "unknown_parameter"),
]


@pytest.mark.parametrize(("change", "param", "code"), REFUSED)
def test_a_refusal_names_the_field_and_the_reason(change: dict[str, Any], param: str, code: str):
    refused = refusal(msgspec.json.encode(BASE | change))
    assert (refused.param, refused.code) == (param, code)
    assert param in refused.message or code == "unsupported_value"


@pytest.mark.parametrize("field", ["model", "messages"])
def test_what_is_missing_is_named(field: str):
    refused = refusal(msgspec.json.encode({name: value for name, value in BASE.items() if name != field}))
    assert (refused.param, refused.code) == (field, "missing_required_parameter")


def test_a_legacy_field_says_what_to_use():
    assert "'tools'" in refusal(msgspec.json.encode(BASE | {"functions": []})).message
    assert "'tool_choice'" in refusal(msgspec.json.encode(BASE | {"function_call": "none"})).message


def test_a_long_unknown_name_is_shortened():
    assert len(refusal(msgspec.json.encode(BASE | {"x" * 10_000: 1})).message) < 500
