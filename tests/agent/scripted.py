"""Scripted models and what they are given, for the tests of this room."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tithe.agent import Agent, CallTime, Outcome
from tithe.core import FakeClock, Request, Script, ScriptedBackend, TextDelta, ToolCallDelta, Usage

USAGE = Usage(prompt_tokens=100, completion_tokens=10)


def says(text: str, **timing: Any) -> Script:
    """An answer in text."""
    return Script(deltas=(TextDelta(at=0, text=text),), usage=USAGE, **timing)


def calls(*asked: tuple[str, str], **timing: Any) -> Script:
    """Tool calls: each a name and arguments, the arguments in two pieces."""
    deltas: list[Any] = []
    for number, (name, arguments) in enumerate(asked):
        half = len(arguments) // 2
        deltas.append(
            ToolCallDelta(at=0, call=number, id=f"call_{number}", name=name, arguments=arguments[:half])
        )
        deltas.append(ToolCallDelta(at=0, call=number, arguments=arguments[half:]))
    return Script(deltas=deltas, usage=USAGE, finish="tool_calls", **timing)


def turn_by_turn(*scripts: Script | Callable[[Request], Script], clock: Any = None) -> ScriptedBackend:
    """A model that answers the n-th request of it with the n-th script, and with the last from there on."""
    asked = iter(range(1 << 30))

    def script(request: Request) -> Script:
        chosen = scripts[min(next(asked), len(scripts) - 1)]
        return chosen(request) if callable(chosen) else chosen

    return ScriptedBackend(script, clock)


def last(requests: Sequence[Request]) -> list[tuple[str, str | None]]:
    """The last conversation that was sent, as roles and texts."""
    return [(message.role, message.content) for message in requests[-1].messages]


def run(agent: Agent, clock: FakeClock, budget: float = 60.0, goal: str = "goal") -> Outcome:
    """A run on a clock that only moves when everything waits."""

    async def main() -> Outcome:
        return await clock.run(asyncio.ensure_future(agent.run(goal, budget)))

    return asyncio.run(main())


def seconds(first: float) -> CallTime:
    """A call that had its whole answer after so long."""
    return CallTime(first, 0.0)
