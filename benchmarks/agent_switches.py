"""What switches a craft off where the loop has no switch: policies, what stands between loop and endpoint, and changes of the loop itself."""

from __future__ import annotations

import contextvars
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import msgspec

from tithe.agent import Crafts, Decision, Environment, Situation, budgeted, minimal
from tithe.agent.candidates import Candidates
from tithe.core import Backend, Event, Finished, Message, Reported, Request, Sent
from tithe.core.errors import EndpointRefused

WAIT_FOR_ALL = contextvars.ContextVar("WAIT_FOR_ALL", default=False)
"""Of candidates the last is waited for, whatever the others say."""

UNCHECKED = contextvars.ContextVar("UNCHECKED", default=False)
"""Candidates are chosen without the checks; what is taken is checked all the same."""


def let_switch() -> None:
    """Let the loop do what these say: it has no such switches itself."""
    enough, passed = Candidates._enough, Candidates._passed

    def all_of_them(self: Candidates, count: int, began: float) -> Any:
        if WAIT_FOR_ALL.get():
            return lambda found: len(found) == count
        return enough(self, count, began)

    async def all_passed(self: Candidates, sound: Any) -> Any:
        return list(sound) if UNCHECKED.get() else await passed(self, sound)

    Candidates._enough = all_of_them  # type: ignore[method-assign]
    Candidates._passed = all_passed  # type: ignore[method-assign]


def always(situation: Situation, crafts: Crafts) -> Decision:
    """Candidates at every step, the first answer taken."""
    decision = minimal(situation, crafts)
    return (
        msgspec.structs.replace(decision, candidates=crafts.candidates)
        if decision.kind == "step"
        else decision
    )


def never_now(situation: Situation, crafts: Crafts) -> Decision:
    """The budgeted policy, but that the model is never told to answer at once: it goes on."""
    decision = budgeted(situation, crafts)
    return minimal(situation, crafts) if decision.kind == "answer now" else decision


def without_check(environment: Environment) -> Environment:
    """Answers are taken as they come."""
    return msgspec.structs.replace(environment, check=None)


class Wrapped:
    """A backend before another. What it does to a request or an answer is in `generate`."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    async def aclose(self) -> None:
        """The inner one is closed by whoever made it."""

    async def passed(self, request: Request) -> AsyncIterator[Event]:
        events = cast("Any", self.inner.generate(request))
        async with aclosing(events):
            async for event in events:
                yield event


class WithoutN(Wrapped):
    """An endpoint that has no `n`."""

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        if request.n > 1:
            raise EndpointRefused("n is not known here.", http_status=400, body="", retry_after=None)
        async for event in self.passed(request):
            yield event


class Reserialized(Wrapped):
    """A history whose JSON is parsed and written anew, as many libraries do."""

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        messages = tuple(
            msgspec.structs.replace(
                message,
                tool_calls=tuple(
                    msgspec.structs.replace(call, arguments=compact(call.arguments))
                    for call in message.tool_calls
                ),
            )
            for message in request.messages
        )
        async for event in self.passed(msgspec.structs.replace(request, messages=messages)):
            yield event


class Clocked(Wrapped):
    """A system prompt that tells the time, another at each call."""

    told = 0

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        self.told += 1
        first, *rest = request.messages
        clock = f"{self.told // 60:02}:{self.told % 60:02} {first.content}"
        messages = (Message(role=first.role, content=clock), *rest)
        async for event in self.passed(msgspec.structs.replace(request, messages=messages)):
            yield event


def compact(text: str) -> str:
    try:
        return json.dumps(json.loads(text), separators=(",", ":"))
    except ValueError:
        return text


class Loose(Wrapped):
    """An endpoint that holds no call to its form, and no arguments to their schema.

    One call an answer is a form too, so that there may be several.
    """

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        tools = tuple(msgspec.structs.replace(tool, strict=False) for tool in request.tools)
        free = msgspec.structs.replace(request, tools=tools, parallel_tool_calls=True)
        async for event in self.passed(free):
            yield event


class CacheWatch(Wrapped):
    """Of each call that extends a conversation: TTFT in seconds, prompt tokens, and how many of them were cached."""

    def __init__(self, inner: Backend, into: list[tuple[float, int, int]]) -> None:
        super().__init__(inner)
        self._into = into

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        sent = first = None
        async for event in self.passed(request):
            if isinstance(event, Sent):
                sent = event.at
            elif isinstance(event, Reported):
                usage = event.usage
                extends = any(message.role == "assistant" for message in request.messages)
                if extends and usage is not None and usage.cached_tokens is not None and first and sent:
                    self._into.append((first - sent, usage.prompt_tokens, usage.cached_tokens))
            elif not isinstance(event, Finished):
                first = first or event.at
            yield event
