"""Agents of the field, unmodified: what they send back of an answer, against what was seen of it."""

from collections.abc import AsyncIterator
from typing import Any

import agents
import httpx2
import openai
import pytest
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

CALL = {"id": "call_a", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}


def completion(finish: str, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    return {"id": "r", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def response(*output: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "tools": [],
    }
    return {**fields, "output": output, "tool_choice": "auto", "parallel_tool_calls": True}


@pytest.fixture
async def client(tape) -> AsyncIterator[openai.AsyncOpenAI]:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(tape))
    async with openai.AsyncOpenAI(api_key="k", base_url="http://upstream/v1", http_client=http) as client:
        yield client


def look(at: str) -> str:
    """Look there."""
    return f"seen {at}"


def agent_of_openai(model: agents.Model) -> agents.Agent[None]:
    tool = agents.function_tool(look)
    return agents.Agent(name="a", instructions="Be brief.", tools=[tool], model=model)


QUIET = agents.RunConfig(tracing_disabled=True)


async def test_the_agents_sdk_strips_reasoning_of_a_chat_and_nothing_else(tape, client: openai.AsyncOpenAI):
    tape.piece(completion("tool_calls", content="Let me look.", reasoning_content="hm", tool_calls=[CALL]))
    tape.piece(completion("stop", content="Done."))
    await agents.Runner.run(
        agent_of_openai(agents.OpenAIChatCompletionsModel("m", client)), "go", run_config=QUIET
    )
    first, second, answer = tape.request(0), tape.request(1), tape.answer(0)
    assert second.parts[:3] == first.parts
    assert second.parts[3].digest != answer.parts[0].digest
    assert second.parts[3].bare == answer.parts[0].bare
    assert second.results == ("call_a",)


async def test_the_agents_sdk_sends_back_what_a_response_was(tape, client: openai.AsyncOpenAI):
    text = {"type": "output_text", "text": "Let me look.", "annotations": []}
    tape.piece(
        response(
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text]},
            {
                "type": "function_call",
                "id": "f",
                "call_id": "call_a",
                "name": "look",
                "arguments": '{"at": "x"}',
            },
        )
    )
    done = {**text, "text": "Done."}
    tape.piece(
        response(
            {"type": "message", "id": "n", "role": "assistant", "status": "completed", "content": [done]}
        )
    )
    await agents.Runner.run(agent_of_openai(agents.OpenAIResponsesModel("m", client)), "go", run_config=QUIET)
    first, second, answer = tape.request(0), tape.request(1), tape.answer(0)
    assert second.parts[:3] == first.parts
    assert [part.digest for part in second.parts[3:6]] == [part.digest for part in answer.parts]
    assert second.results == ("call_a",)


async def test_pydantic_ai_writes_a_calls_arguments_anew(tape, client: openai.AsyncOpenAI):
    tape.piece(completion("tool_calls", content="Let me look.", tool_calls=[CALL]))
    tape.piece(completion("stop", content="Done."))
    agent = Agent(OpenAIChatModel("m", provider=OpenAIProvider(openai_client=client)), tools=[look])
    await agent.run("go")
    sent, answer = tape.request(1).parts[-2], tape.answer(0).parts[0]
    assert sent.digest != answer.digest
    assert sent.canonical == answer.canonical
