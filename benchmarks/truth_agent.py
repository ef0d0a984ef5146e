"""An agent whose every second is known: it does what a scenario says, through the official client. See ledger_truth.py.

    python benchmarks/truth_agent.py SCENARIO.json [--spans]

It leaves the seconds that its process computed, the client library's and its own, in SCENARIO.json.cpu. With --spans it reports its task, steps and tools through `tithe.trace`; without, it knows nothing of Tithe.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from pathlib import Path
from typing import Any

from openai import APIStatusError, OpenAI

TOOLS = [
    {"type": "function", "function": {"name": "work", "parameters": {"type": "object", "properties": {}}}}
]


class Reporting:
    """What the agent reports of itself: spans, or nothing."""

    def __init__(self, *, spans: bool) -> None:
        self._spans = spans

    def __call__(self, kind: str, *arguments: str, **named: str) -> AbstractContextManager[Any]:
        if not self._spans:
            return nullcontext()
        import tithe.trace

        return getattr(tithe.trace, kind)(*arguments, **named)


def ask(client: OpenAI, messages: list[dict[str, Any]], failures: int, backoff: float) -> dict[str, Any]:
    """One call: as many refusals as the scenario has, each waited out, then the answer, streamed to its end."""
    for _ in range(failures):
        try:
            client.chat.completions.create(model="truth", messages=messages, tools=TOOLS)
        except APIStatusError:
            time.sleep(backoff)
        else:
            raise SystemExit("the server was to refuse this attempt")
    text, calls = "", list[dict[str, Any]]()
    for chunk in client.chat.completions.create(model="truth", messages=messages, tools=TOOLS, stream=True):
        if not chunk.choices:
            continue
        delta = chunk.choices[0].delta
        text += delta.content or ""
        for piece in delta.tool_calls or ():
            if piece.id:
                function = {"name": piece.function.name, "arguments": ""}
                calls.append({"id": piece.id, "type": "function", "function": function})
            calls[-1]["function"]["arguments"] += piece.function.arguments or ""
    answer: dict[str, Any] = {"role": "assistant", "content": text or None}
    return answer | ({"tool_calls": calls} if calls else {})


def run_tools(step: dict[str, Any], calls: list[dict[str, Any]], tell: Reporting) -> None:
    """Sleep as long as each tool takes, one after the other or all at once."""

    def work(place: int) -> None:
        with tell("tool", "work", call_id=calls[place]["id"]):
            time.sleep(step["tools"][place])

    if not step.get("parallel"):
        for place in range(len(calls)):
            work(place)
        return
    with ThreadPoolExecutor(len(calls)) as hands:
        jobs: list[Callable[[int], None]] = [copy_context().run for _ in calls]
        list(hands.map(lambda job, place: job(work, place), jobs, range(len(calls))))


def main(path: str, *, spans: bool) -> None:
    """Run the scenario."""
    scenario = json.loads(Path(path).read_text("utf-8"))
    client, tell = OpenAI(max_retries=0, api_key="none"), Reporting(spans=spans)
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You work."},
        {"role": "user", "content": path},
    ]
    # A client's first call imports half of itself, which no delay of the scenario knows.
    client.chat.completions.create(model="truth", messages=[{"role": "user", "content": "warm up"}])
    began = time.process_time()
    with tell("task", "truth"):
        for step in scenario:
            with tell("step"):
                answer = ask(client, messages, step.get("failures", 0), step.get("backoff", 0.0))
                messages.append(answer)
                calls = answer.get("tool_calls", [])
                run_tools(step, calls, tell)
                messages += [
                    {"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in calls
                ]
            time.sleep(step.get("framework", 0.0))
            if "pause" in step:
                with tell("user"):
                    time.sleep(step["pause"])
                messages.append({"role": "user", "content": "go on"})
    Path(f"{path}.cpu").write_text(str(time.process_time() - began), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], spans="--spans" in sys.argv)
