"""Tools that start before the answer that asks for them is complete.

A call whose arguments are all there, and whose tool is idempotent, is run while the rest of the answer is still being decoded. If the
answer then breaks off, the run was for nothing and is booked as `speculation`; that it was idempotent is what makes this harmless.
"""

import asyncio
import contextvars

from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.fault import Fault
from tithe.agent.tool_run import Ran, Ready, Toolbox
from tithe.core import ToolCall
from tithe.wire.hearing import Hearing


class _Run:
    def __init__(self, call: ToolCall) -> None:
        loop = asyncio.get_running_loop()
        self.call = call
        self.ran: asyncio.Future[Ran] = loop.create_future()
        self.used: asyncio.Future[bool] = loop.create_future()
        self.task: asyncio.Future[Ran] | None = None


class EarlyRuns:
    """The runs that one answer's calls were given early. `watch` is for `Caller.ask`; made where the tools' spans belong."""

    def __init__(self, toolbox: Toolbox, deadline: Deadline) -> None:
        self._toolbox = toolbox
        self._deadline = deadline
        self._context = contextvars.copy_context()
        self._runs: dict[int, _Run] = {}
        self._next = 0
        self._hearing: Hearing | None = None

    def watch(self, hearing: Hearing) -> bool:
        """The answer so far: start what can be. False: all of it is wanted."""
        self._see(hearing)
        return False

    def _see(self, hearing: Hearing) -> None:
        if hearing is not self._hearing:
            self.end()  # those of an attempt that broke off
            self._hearing, self._next = hearing, 0
        choice = hearing.choices.get(0)
        if choice is None or choice.pending is None:
            return
        last, text = choice.pending
        while self._next < last or (self._next == last and text.endswith("}")):
            call = choice.message.tool_calls[self._next]
            ready = self._sound(call)
            if ready is None:
                if self._next == last:
                    return  # it may only be incomplete
                self._next = 1 << 30  # what comes after it must wait for it
                return
            self._start(self._next, ready)
            self._next += 1

    def _sound(self, call: ToolCall) -> Ready | None:
        try:
            ready = self._toolbox.examine(call)
        except Fault:
            return None
        traits = ready.tool.traits
        return ready if traits.idempotent and traits.parallel and not traits.final else None

    def _start(self, number: int, ready: Ready) -> None:
        run = _Run(ready.call)
        self._runs[number] = run
        task: asyncio.Task[Ran] = asyncio.get_running_loop().create_task(
            self._toolbox.run(ready, run.used, run.ran), context=self._context.copy()
        )
        run.task = task

    async def outcome(self, number: int, call: ToolCall) -> Ran | None:
        """What came of a call that was started early, waited for; None: it was not. Raises `OutOfTime`."""
        run = self._runs.get(number)
        if run is None or run.task is None or run.call != call:
            return None
        await self._deadline.until_one({run.ran, run.task}, self._deadline.left)
        if run.ran.done():
            del self._runs[number]
            run.used.set_result(True)
            self._deadline.release(run.task)
            return run.ran.result()
        if run.task.done():
            run.task.result()
        raise OutOfTime

    def end(self) -> None:
        """What was not asked for is given up."""
        for run in self._runs.values():
            if not run.used.done():
                run.used.set_result(False)
            if run.task is None:
                continue
            if run.ran.done():
                self._deadline.release(run.task)
            else:
                self._deadline.abandon(run.task)
        self._runs.clear()
