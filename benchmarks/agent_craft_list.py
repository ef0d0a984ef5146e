"""The ablations of `agent_crafts.py`: each craft's two sides, where they are measured, and what stands between loop and endpoint."""

from __future__ import annotations

import contextvars
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, cast

import msgspec
from agent_runs import JITTER, SPEEDS

from tithe.agent import PLAIN, Crafts, Decision, Policy, Situation, budgeted, minimal
from tithe.agent.beside import Beside
from tithe.core import Backend, Event, Finished, Message, Mishap, Pace, Reported, Request, Sent
from tithe.core.errors import EndpointRefused

CANDIDATES = 3


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A craft there, or not there. `wrap` stands between the loop and the endpoint."""

    crafts: Crafts = PLAIN
    policy: Policy = minimal
    wrap: Callable[[Backend], Backend] = lambda backend: backend
    wait_for_all: bool = False


class Craft(msgspec.Struct, frozen=True, kw_only=True):
    """An ablation.

    pace: None: the endpoint is as fast as it is. calls: how many a scripted model asks for in a step; None: the task world.
    known: the pace is, from the start. greedy: so that both sides are told the same, as far as they ask the same; candidates are drawn,
    from the same seed. workers: runs at once.
    """

    name: str
    there: Side
    away: Side
    pace: Pace | None
    where: str
    calls: int | None = None
    rates: Mapping[Mishap, float] = {}
    known: bool = False
    greedy: bool = True
    workers: int = 2


def always(situation: Situation, crafts: Crafts) -> Decision:
    """Candidates at every step, the first answer taken."""
    decision = minimal(situation, crafts)
    return (
        msgspec.structs.replace(decision, candidates=crafts.candidates)
        if decision.kind == "step"
        else decision
    )


def plain(**crafts: Any) -> Crafts:
    return msgspec.structs.replace(PLAIN, **crafts)


def crafts() -> list[Craft]:
    """All of them."""
    one, ten = SPEEDS["1x"], SPEEDS["10x"]
    three = SPEEDS["3x"]
    spread = msgspec.structs.replace(ten, jitter=1.0)
    both = plain(candidates=CANDIDATES)
    beside = Side(crafts=both, policy=always, wrap=WithoutN)
    several = Side(crafts=plain(ways=5, retries=4), policy=budgeted)
    found: list[Craft] = []
    for name, pace in (("1x", one), ("10x", ten)):
        found.append(
            Craft(
                name=f"parallel tools, {name}",
                there=Side(crafts=plain(parallel=True)),
                away=Side(),
                pace=pace,
                where="scripted, 3 calls a step",
                calls=3,
            )
        )
        found += [
            Craft(
                name=f"early start, {calls} call{'s' * (calls > 1)} a step, {name}",
                there=Side(crafts=plain(parallel=True, early=True)),
                away=Side(crafts=plain(parallel=True)),
                pace=pace,
                where=f"scripted, {calls} call{'s' * (calls > 1)} a step, parallel",
                calls=calls,
            )
            for calls in (1, 3)
        ]
    found += [
        *(
            Craft(
                name=f"hedging of {100 * share:g} %, {what}",
                there=Side(crafts=plain(hedge=share)),
                away=Side(),
                pace=msgspec.structs.replace(three, jitter=jitter),
                where=f"task world, 3x; {where}",
                rates=rates,
                known=True,
            )
            for what, where, jitter, rates in (
                ("some late", "5 % of first tokens 2 s late", JITTER, {"late": 0.05}),
                ("TTFT scatters", "relative spread of the TTFT 1", 1.0, {}),
            )
            for share in (0.1, 0.5)
        ),
        Craft(
            name="retries",
            there=Side(crafts=plain(retries=4)),
            away=Side(crafts=plain(retries=0)),
            pace=ten,
            where="task world, 10x; 5 % unreachable, 5 % broken",
            rates={"unreachable": 0.05, "broken": 0.05},
        ),
        Craft(
            name="n, not calls beside each other",
            there=Side(crafts=both, policy=always),
            away=beside,
            pace=ten,
            where="task world, 10x; 3 candidates at every step",
        ),
        Craft(
            name="early majority",
            there=beside,
            away=msgspec.structs.replace(beside, wait_for_all=True),
            pace=spread,
            where="task world, 60 ms, relative spread 1, 600 tokens/s; 3 candidates beside each other",
        ),
        Craft(
            name="candidates",
            there=Side(crafts=both, policy=always),
            away=Side(),
            pace=ten,
            where="task world, 10x; 3 candidates at every step",
            greedy=False,
        ),
        Craft(
            name="further ways",
            there=several,
            away=Side(crafts=plain(retries=4), policy=budgeted),
            pace=ten,
            where="task world, 10x; up to 5 ways, until 2 agree",
            greedy=False,
        ),
        Craft(
            name="history as written, not anew",
            there=Side(),
            away=Side(wrap=Reserialized),
            pace=None,
            where="task world, no pace",
            workers=1,
        ),
        Craft(
            name="no clock in the system prompt",
            there=Side(),
            away=Side(wrap=Clocked),
            pace=None,
            where="task world, no pace",
            workers=1,
        ),
    ]
    return found


WAIT_FOR_ALL = contextvars.ContextVar("WAIT_FOR_ALL", default=False)


def let_wait_for_all() -> None:
    """Let candidates beside each other wait for the last, where `WAIT_FOR_ALL` says so: the loop itself has no such switch."""
    one_of = Beside.one_of

    async def of_all(self: Beside, requests: Any, enough: Any, best: Any) -> Any:
        if WAIT_FOR_ALL.get():
            return await one_of(self, requests, lambda found: len(found) == len(requests), best)
        return await one_of(self, requests, enough, best)

    Beside.one_of = of_all  # type: ignore[method-assign]


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
