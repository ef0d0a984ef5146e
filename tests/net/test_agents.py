"""Agents of the field, unmodified, past the proxy: the right tasks, calls, tools and branches."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from itertools import chain
from typing import Any

import openai
import pytest
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from pydantic_ai import Agent as TypedAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tithe.core import Span
from tithe.net.scripted import Received, Reply

Start = Callable[..., Coroutine[Any, Any, Any]]


def completion(message: dict[str, Any], number: int) -> Reply:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    body = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": None} | message, "finish_reason": finish}
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    return Reply(chunks=[(0.0, json.dumps(body).encode())], headers={"content-type": "application/json"})


class Loop:
    """Answers as a model would that calls each tool it is offered in turn, and then says what it was told last."""

    def __init__(self, *, fail_first: bool = False) -> None:
        self._asked = 0
        self._failing = fail_first

    def __call__(self, request: Received) -> Reply:
        self._asked += 1
        if self._failing:
            self._failing = False
            return Reply(
                status=500,
                chunks=[(0.0, b"{}")],
                headers={"content-type": "application/json", "retry-after-ms": "5"},
            )
        body = json.loads(request.body)
        messages = body["messages"]
        turn = sum(message["role"] == "assistant" for message in messages)
        tools = [tool["function"]["name"] for tool in body.get("tools", [])]
        if turn < len(tools):
            arguments = json.dumps({"input": f"find out about {turn} in some detail, please"})
            function = {"name": tools[turn], "arguments": arguments}
            call = {"id": f"call_{self._asked}", "type": "function", "function": function}
            return completion({"tool_calls": [call]}, self._asked)
        return completion({"content": f"answer {self._asked}"}, self._asked)


@pytest.fixture
async def library() -> Any:
    made: list[openai.AsyncOpenAI] = []

    def make(recorded: Any) -> openai.AsyncOpenAI:
        made.append(openai.AsyncOpenAI(base_url=f"{recorded.url}/openai/v1", api_key="k"))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def look(input: str) -> str:  # noqa: A002 - the scripted model gives this argument
    """Looks something up."""
    return f"seen: {input}"


def note(input: str) -> str:  # noqa: A002
    """Notes something."""
    return f"noted: {input}"


def relations(spans: list[Span]) -> list[str]:
    return [span.attributes["tithe.relation"] for span in spans]


async def test_openai_agents_with_an_agent_as_a_tool(start: Start, library: Any) -> None:
    set_tracing_disabled(True)
    recorded = await start(by=Loop(fail_first=True))
    model = OpenAIChatCompletionsModel(model="m", openai_client=library(recorded))
    searcher = Agent(name="searcher", instructions="You search.", model=model, tools=[function_tool(look)])
    writer = Agent(
        name="writer",
        instructions="You write.",
        model=model,
        tools=[function_tool(note), searcher.as_tool("ask_searcher", "Asks the searcher.")],
    )
    result = await Runner.run(writer, "Write about parsers.")
    assert result.final_output.startswith("answer")
    spans = await recorded.spans()
    assert len({span.trace for span in spans}) == 1
    assert relations(spans) == ["new", "retry", "extends", "new", "extends", "extends"]
    assert spans[0].parent == spans[1].parent
    branches = [span.attributes.get("tithe.branch") for span in spans]
    assert [branch is not None for branch in branches] == [False, False, False, True, True, False]
    assert spans[3].attributes["tithe.branch_of"] == spans[2].parent
    brought = [span.attributes.get("tithe.tool_results", []) for span in spans]
    asked = [[call for call, _ in span.attributes.get("tithe.tool_calls", [])] for span in spans]
    assert [len(each) for each in brought] == [0, 0, 1, 0, 1, 1]
    assert sorted(chain(*brought)) == sorted(chain(*asked))


async def test_pydantic_ai_in_two_runs_at_once(start: Start, library: Any) -> None:
    recorded = await start(by=Loop(), nested=False)
    model = OpenAIChatModel("m", provider=OpenAIProvider(openai_client=library(recorded)))
    agent = TypedAgent(model, instructions="You help.", tools=[look, note])
    results = await asyncio.gather(*(agent.run(f"Goal {number}") for number in range(2)))
    assert all(result.output.startswith("answer") for result in results)
    spans = await recorded.spans()
    assert len({span.trace for span in spans}) == 2
    for task in {span.trace for span in spans}:
        assert relations([span for span in spans if span.trace == task]) == ["new", "extends", "extends"]
