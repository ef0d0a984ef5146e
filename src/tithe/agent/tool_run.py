"""Running tools: one call to its end, and all calls of an answer in an order that their traits allow."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tithe.agent.calling import called
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.fault import Fault, no_time, raised, timed_out, unknown_tool
from tithe.agent.speculation import wanted
from tithe.agent.speeds import Speeds
from tithe.agent.tool import AgentTool
from tithe.core import ToolCall
from tithe.core import attributes as at
from tithe.trace import tracing

LONGEST_RESULT = 20_000
"""Characters of a tool's result that the model is told."""

# Runs, before it is known what a tool takes.
_KNOWN = 3


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call that was found sound: the tool, and its arguments as read."""

    call: ToolCall
    tool: AgentTool
    arguments: dict[str, Any]


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call: what the tool returned, and the text that the model is told; or the fault."""

    value: Any = None
    text: str = ""
    fault: Fault | None = None


class Toolbox:
    """The tools of one way from goal to answer, and how they are run."""

    def __init__(self, tools: Sequence[AgentTool], speeds: Speeds, deadline: Deadline) -> None:
        self.tools = {tool.name: tool for tool in tools}
        self.final = next((tool for tool in tools if tool.traits.final), None)
        self._speeds = speeds
        self._deadline = deadline

    def examine(self, call: ToolCall) -> Ready:
        """The call as it can be run. Raises `Fault`: no such tool, malformed, or not what the schema asks for."""
        tool = self.tools.get(call.name)
        if tool is None:
            raise unknown_tool(call.name, list(self.tools))
        return Ready(call=call, tool=tool, arguments=tool.read(call.arguments))

    async def run(self, ready: Ready, used: "asyncio.Future[bool] | None" = None, ran: Any = None) -> Ran:
        """Check the arguments by the tool's own check, and run it. A fault of either is in what is returned.

        Where the answer that asks for it is not complete yet, `ran` is a future that is given the outcome, and `used` one that
        says afterwards whether it was wanted; the span is marked by that.

        Raises `OutOfTime` when the task's deadline came before the tool's end.
        """
        with tracing.tool(ready.tool.name, call_id=ready.call.id) as scope:
            try:
                outcome = await self.outcome(ready)
            except asyncio.CancelledError:
                scope.note({at.SPECULATIVE: True} if used is not None else {})
                raise
            if outcome.fault is not None:
                scope.note({at.ERROR: outcome.fault.kind})
            if used is not None:
                ran.set_result(outcome)
                await wanted(scope, used)
            return outcome

    async def check(self, ready: Ready) -> None:
        """See what the tool's own check says of the arguments. Raises `Fault` where that is something, and `OutOfTime`."""
        check = ready.tool.traits.check
        if check is None:
            return
        limit = self._deadline.clamp(ready.tool.traits.timeout)
        with tracing.validation(ready.tool.name):
            wrong = await self._limited(ready, lambda: called(check, **ready.arguments), limit)
        if wrong is not None and not isinstance(wrong, str):
            raise raised(
                ready.tool.name, TypeError(f"its check returned {wrong!r} in place of words or None")
            )
        if wrong is not None:
            raise Fault("failed check", f"{ready.tool.name} was not run: {wrong}")

    async def outcome(self, ready: Ready) -> Ran:
        """What comes of a call, with no span of its own. Raises `OutOfTime`."""
        try:
            self._see_time(ready)
            await self.check(ready)
            value = await self._call(ready)
        except Fault as fault:
            return Ran(text=fault.words, fault=fault)
        return Ran(value=value, text=told(value))

    def _see_time(self, ready: Ready) -> None:
        """Raises `Fault` for a tool that cannot be expected to end: it never was as fast as that."""
        seen, left = self._speeds.tool(ready.tool.name), self._deadline.left
        if not ready.tool.traits.final and len(seen.seconds) >= _KNOWN and seen.seconds[0] > left:
            raise no_time(ready.tool.name, seen.seconds[0], left)

    async def _call(self, ready: Ready) -> Any:
        began, traits = self._deadline.clock.now(), ready.tool.traits
        cut = traits.timeout is None or traits.idempotent
        limit = self._deadline.clamp(traits.timeout) if cut else traits.timeout or 0.0
        try:
            return await self._limited(ready, lambda: called(ready.tool.run, **ready.arguments), limit)
        finally:
            self._speeds.saw_tool(ready.tool.name, self._deadline.clock.now() - began)

    async def _limited(self, ready: Ready, work: Callable[[], Any], limit: float) -> Any:
        """What `work` gives within so many seconds. Raises `Fault` for what it raises, and `OutOfTime` at the deadline."""
        traits = ready.tool.traits
        # What ends the task is the answer that there is, and has its turn at the last moment too.
        if self._deadline.over and not (traits.final and traits.idempotent):
            raise OutOfTime
        try:
            return await self._deadline.within(work(), limit)
        except OutOfTime:
            if self._deadline.over:
                raise
            raise timed_out(ready.tool.name, limit) from None
        except Exception as error:
            if isinstance(error, Fault):
                raise
            # Whatever a tool raises is its answer: the model is told, and may do better.
            raise raised(ready.tool.name, error) from error


def told(value: Any) -> str:
    """A tool's result as the model reads it: text as it is, anything else as JSON."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = msgspec.json.encode(value).decode()
        except (TypeError, ValueError, RecursionError):
            text = str(value)
    if len(text) <= LONGEST_RESULT:
        return text
    return f"{text[:LONGEST_RESULT]}\n(cut: {len(text) - LONGEST_RESULT:,} more characters)"
