"""Prompts in somebody else's spans: as many parts as there are messages, and none of the text."""

import json

import pytest

from tithe.trace.message_parts import message_parts, prompt_of

MESSAGES = [
    {"role": "system", "content": "secret rules"},
    {"role": "user", "content": [{"type": "text", "text": "secret"}]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": {"name": "add"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "secret 3"},
]


@pytest.mark.parametrize("given", [MESSAGES, json.dumps(MESSAGES)], ids=["data", "json"])
def test_a_message_is_a_part(given):
    parts = message_parts(given, tools=[{"name": "add"}])
    assert [(part.place, part.role) for part in parts] == [
        ("tools[0]", "tool_definition"),
        ("messages[0]", "system"),
        ("messages[1]", "user"),
        ("messages[2]", "assistant"),
        ("messages[3]", "tool"),
    ]
    assert (parts[0].name, parts[3].calls, parts[4].calls) == ("add", ("c1",), ("c1",))
    assert "secret" not in repr(parts)


def test_prompts_agree_as_far_as_their_messages_do():
    changed = [*MESSAGES[:1], {"role": "user", "content": "another"}, *MESSAGES[2:]]
    same = [
        one.digest == other.digest
        for one, other in zip(message_parts(MESSAGES), message_parts(changed), strict=True)
    ]
    assert same == [True, False, True, True]


def test_the_genai_conventions_hold_instructions_and_tools_apart():
    told = {
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
        "gen_ai.system_instructions": [{"type": "text", "content": "rules"}],
        "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "add"}]),
    }
    assert [part.place for part in prompt_of(told)] == ["tools[0]", "system", "messages[0]"]


def test_openinference_holds_them_flat():
    told = {
        "llm.tools.0.tool.json_schema": "{}",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "secret",
        "llm.input_messages.10.message.role": "tool",
        "llm.input_messages.10.message.tool_call_id": "c1",
        "llm.input_messages.2.message.role": "assistant",
        "llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1",
    }
    parts = prompt_of(told)
    assert [part.role for part in parts] == ["tool_definition", "user", "assistant", "tool"]
    assert [part.calls for part in parts[2:]] == [("c1",), ("c1",)]


@pytest.mark.parametrize("given", [None, "no json", 7, {}, [1, None], "[", "[" * 100_000])
def test_what_is_no_messages_makes_no_prompt(given):
    assert message_parts(given) == prompt_of({"gen_ai.input.messages": given}) == ()
