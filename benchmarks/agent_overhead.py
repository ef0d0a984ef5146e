"""The loop's own time and memory a step, along a task of 100 steps with an endpoint that answers at once; peers beside it.

    python benchmarks/agent_overhead.py [--rounds 20] [--steps 100] [--out steps.json] [--quick]

In one process: `tithe.Agent` on a scripted backend, from one request to the next. There is no socket and no endpoint in that: it is the
loop's own. Once more with a record kept (`tithe.trace.record_to`).

Over a socket: a server in a process of its own that answers at once (`instant_server.py`) notes how long it waited between an answer and the
next request. That is the client's own time, whatever client it is: loop, tool, JSON, HTTP. Beside `tithe.Agent` stand pydantic-ai and
openai-agents, both with OpenAI's client and their tracing off, and beside those the two clients alone, each in a loop of ten lines: what an
agent has over its client is its loop's. All do the same task by turns in an order of chance, with a tool whose result has
400 characters; the first round opens connections and is left out. Tithe streams, as it always does; the others ask for whole
answers, as they do unless told otherwise.

Memory is what Python's allocator holds when the tool runs, in a round of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import agents
import numpy as np
import pydantic_ai
from agent_runs import Progress, head, row, to_end, write_json
from agents import Runner, function_tool, set_tracing_disabled
from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
from endpoint import machine
from openai import AsyncOpenAI
from openai import __version__ as openai_version
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import UsageLimits

import tithe
from tithe.agent import Agent, Crafts, tool, tool_of
from tithe.core import Message, Request, Script, ScriptedBackend, TextDelta, ToolCallDelta, Usage
from tithe.core.statistics import median, slope_of_medians
from tithe.net.remote import RemoteBackend
from tithe.trace import record_to
from tithe.wire.hearing import Hearing

# All that the loop does but further calls, of which the others have none.
CRAFTS = Crafts(candidates=1, review=False, ways=1, hedge=0.0)
BUDGET_S = 600.0
RESULT = "a result that is as long as many are. " * 10 + "It ends here, at 400"
# Steps whose medians are shown, first to last.
PARTS = ((2, 11), (46, 55), (91, 100))
OURS = "tithe.Agent"

Client = Callable[[Callable[[int], str]], Awaitable[Any]]


@contextlib.contextmanager
def served(steps: int) -> Iterator[str]:
    """The server; gives its URL."""
    script = str(Path(__file__).with_name("instant_server.py"))
    with subprocess.Popen(
        [sys.executable, script, "--steps", str(steps)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def waits(url: str) -> list[float]:
    """Seconds that the server waited for each request after the first of its latest task."""
    with urlopen(f"{url}/stamps") as answer:
        stamps: list[tuple[float, float]] = json.load(answer)
    return [later[0] - earlier[1] for earlier, later in itertools.pairwise(stamps)]


def tithe_tool(looked: Callable[[int], str]) -> Any:
    @tool(idempotent=True)
    async def look(x: int) -> str:
        """Look something up."""
        return looked(x)

    return look


@contextlib.asynccontextmanager
async def clients(url: str, steps: int) -> AsyncIterator[dict[str, Client]]:
    """Each does one task, calling back from its tool."""
    remote, openai = RemoteBackend(url), AsyncOpenAI(base_url=url, api_key="none")
    set_tracing_disabled(True)
    try:
        yield {
            OURS: with_tithe(remote, steps),
            "tithe's RemoteBackend alone": with_backend(remote),
            f"pydantic-ai {pydantic_ai.__version__}": with_pydantic(openai),
            f"openai-agents {agents.version.__version__}": with_openai_agents(openai, steps),
            f"openai {openai_version} alone": with_openai(openai),
        }
    finally:
        await remote.aclose()
        await openai.close()


def with_tithe(remote: RemoteBackend, steps: int) -> Client:
    async def run(looked: Callable[[int], str]) -> None:
        agent = Agent(remote, "m", tools=[tithe_tool(looked)], crafts=CRAFTS, max_steps=steps + 1)
        outcome = await agent.run("goal", BUDGET_S)
        assert outcome.answer == "done", outcome

    return run


def with_backend(remote: RemoteBackend) -> Client:
    async def run(looked: Callable[[int], str]) -> None:
        history = [Message(role="user", content="goal")]
        wire = tool_of(tithe_tool(looked)).wire
        while True:
            request = Request(model="m", messages=tuple(history), tools=(wire,))
            hearing = Hearing(request, time.perf_counter())
            async for event in remote.generate(request):
                hearing.take(event)
            message = hearing.choices[0].message
            if not message.tool_calls:
                return
            history.append(message)
            for call in message.tool_calls:
                told = looked(json.loads(call.arguments)["x"])
                history.append(Message(role="tool", content=told, tool_call_id=call.id))

    return run


def with_pydantic(openai: AsyncOpenAI) -> Client:
    async def run(looked: Callable[[int], str]) -> None:
        async def look(x: int) -> str:
            """Look something up."""
            return looked(x)

        model = OpenAIChatModel("m", provider=OpenAIProvider(openai_client=openai))
        agent = pydantic_ai.Agent(model, tools=[look])
        ran = await agent.run("goal", usage_limits=UsageLimits(request_limit=None))
        assert ran.output == "done"

    return run


def with_openai_agents(openai: AsyncOpenAI, steps: int) -> Client:
    async def run(looked: Callable[[int], str]) -> None:
        @function_tool
        async def look(x: int) -> str:
            """Look something up."""
            return looked(x)

        model = OpenAIChatCompletionsModel(model="m", openai_client=openai)
        ran = await Runner.run(agents.Agent(name="a", tools=[look], model=model), "goal", max_turns=steps + 2)
        assert ran.final_output == "done"

    return run


def with_openai(openai: AsyncOpenAI) -> Client:
    async def run(looked: Callable[[int], str]) -> None:
        history: list[Any] = [{"role": "user", "content": "goal"}]
        parameters = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
        tools: list[Any] = [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "description": "Look something up.",
                    "parameters": parameters,
                },
            }
        ]
        while True:
            answer = await openai.chat.completions.create(model="m", messages=history, tools=tools)
            message = answer.choices[0].message
            if not message.tool_calls:
                return
            history.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls:
                told = looked(json.loads(call.function.arguments)["x"])  # pyright: ignore[reportAttributeAccessIssue]
                history.append({"role": "tool", "content": told, "tool_call_id": call.id})

    return run


async def over_socket(url: str, steps: int, rounds: int, found: dict[str, list[list[float]]]) -> None:
    """Each client's waits by round and step."""
    async with clients(url, steps) as doing:
        progress = Progress((rounds + 1) * len(doing))
        for number in range(rounds + 1):
            for name in random.sample(list(doing), len(doing)):
                await doing[name](lambda _: RESULT)
                progress.step()
                waited = waits(url)
                assert len(waited) == steps, f"{name} made {len(waited) + 1} requests, not {steps + 1}"
                if number:
                    found.setdefault(name, []).append(waited)


async def in_process(steps: int, rounds: int, found: dict[str, list[list[float]]]) -> None:
    """The loop's steps on a scripted backend, without a record and with one."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name in random.sample(("loop alone", "loop alone, recorded"), 2):
                record_to(Path(folder) / "record.db" if name.endswith("recorded") else None)
                try:
                    waited = await scripted(steps)
                finally:
                    record_to(None)
                if number:
                    found.setdefault(name, []).append(waited)


async def scripted(steps: int) -> list[float]:
    """Seconds from each request to the next."""
    stamps: list[float] = []
    usage = Usage(prompt_tokens=100, completion_tokens=10)

    def script(_: Request) -> Script:
        stamps.append(time.perf_counter())
        if len(stamps) > steps:
            return Script(deltas=(TextDelta(at=0, text="done"),), usage=usage)
        call = ToolCallDelta(
            at=0, call=0, id=f"call_{len(stamps)}", name="look", arguments=f'{{"x": {len(stamps)}}}'
        )
        return Script(deltas=(call,), usage=usage, finish="tool_calls")

    agent = Agent(
        ScriptedBackend(script),
        "m",
        tools=[tithe_tool(lambda _: RESULT)],
        crafts=CRAFTS,
        max_steps=steps + 1,
    )
    outcome = await agent.run("goal", BUDGET_S)
    assert outcome.answer == "done", outcome
    return [later - earlier for earlier, later in itertools.pairwise(stamps)]


async def memory(url: str, steps: int, found: dict[str, list[int]]) -> None:
    """Bytes held at each step, by client."""
    async with clients(url, steps) as doing:
        for name, client in doing.items():
            held: list[int] = []

            def looked(_: int, held: list[int] = held) -> str:
                held.append(tracemalloc.get_traced_memory()[0])
                return RESULT[:-3] + f"{len(held):03}"  # no two are one object

            tracemalloc.start()
            try:
                await client(looked)
            finally:
                tracemalloc.stop()
            found[name] = held
    waits(url)


def table(found: dict[str, list[list[float]]]) -> str:
    """A row a client: medians of parts of the task, the slope, and the ratio to ours."""
    parts = [f"steps {first} to {last} (ms)" for first, last in PARTS]
    lines = [
        head(
            "client", "tasks", *parts, "p99 of all (ms)", "slope (µs a step)", "times tithe.Agent [of rounds]"
        )
    ]
    for name, rounds in sorted(found.items(), key=lambda one: float(np.median(one[1]))):
        waited = 1e3 * np.asarray(rounds)
        cells = [
            f"{one.value:.2f} [{one.low:.2f} to {one.high:.2f}]"
            if one is not None and one.low is not None
            else "-"
            for one in (
                median([float(value) for value in np.median(waited[:, first - 2 : last - 1], axis=1)])
                for first, last in PARTS
            )
        ]
        slope = slope_of_medians({float(n + 2): list(1e3 * waited[:, n]) for n in range(waited.shape[1])})
        told = "-" if slope is None else f"{slope.value:.1f} [{slope.low:.1f} to {slope.high:.1f}]"
        lines.append(
            row(name, len(rounds), *cells, f"{np.percentile(waited, 99):.2f}", told, ratio(found, name))
        )
    return "\n".join(lines)


def ratio(found: dict[str, list[list[float]]], name: str) -> str:
    """Of the rounds' medians, which stood beside each other: the median, and the least and greatest."""
    if name == OURS or OURS not in found:
        return ""
    each = [
        float(np.median(theirs) / np.median(ours))
        for theirs, ours in zip(found[name], found[OURS], strict=False)
    ]
    return f"{np.median(each):.2f} [{min(each):.2f} to {max(each):.2f}]"


def memory_table(held: dict[str, list[int]]) -> str:
    """A row a client."""
    lines = [head("client", "more at step 100 than at step 10 (KiB)", "a step (KiB)")]
    for name, each in held.items():
        steps = len(each) - 10
        more = (each[-1] - each[9]) / 1024
        lines.append(row(name, f"{more:.0f}", f"{more / steps:.2f}"))
    return "\n".join(lines)


async def measure(
    steps: int,
    rounds: int,
    alone: dict[str, list[list[float]]],
    found: dict[str, list[list[float]]],
    held: dict[str, list[int]],
) -> None:
    """All of it."""
    await in_process(steps, rounds, alone)
    with served(steps) as url:
        await over_socket(url, steps, rounds, found)
        await memory(url, steps, held)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--out", type=Path, help="where each step's seconds are kept, as JSON")
    parser.add_argument("--quick", action="store_true", help="3 rounds")
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    alone: dict[str, list[list[float]]] = {}
    found: dict[str, list[list[float]]] = {}
    held: dict[str, list[int]] = {}
    to_end(measure(options.steps, rounds, alone, found, held))
    print(f"a step's own time in a task of {options.steps} steps, tithe {tithe.__version__}; {machine()}\n")
    for each in (alone, found):
        if each:
            print(table(each), "\n")
    if held:
        print(memory_table(held))
    write_json(options.out, {"in process": alone, "over a socket": found, "bytes held": held})


if __name__ == "__main__":
    main()
