"""What an agent acts on: its tools, and whatever state they share. A way from goal to answer has one of its own.

To make one and to close it is the user's, and may be slow: both are done without being waited for longer than the task has.
"""

import asyncio
import inspect
import threading
import warnings
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

import msgspec

from tithe.agent.calling import called
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.tool import AgentTool
from tithe.core.clock import WORK
from tithe.core.errors import TitheError, UsageError

AnswerCheck = Callable[[Any], str | Awaitable[str | None] | None]


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Tools, functions or `AgentTool`s. Its functions may be slow: they are called in a thread each.

    check: is given an answer and returns what is wrong with it in words; None: it is right as far as can be told here.
    same: is given an answer and returns what it stands for: two ways agree where that is equal (the answer itself, unless given).
    close: ends it; called for those whose answer was not taken.
    """

    tools: Sequence[Callable[..., Any] | AgentTool] = ()
    check: AnswerCheck | None = None
    same: Callable[[Any], Hashable] | None = None
    close: Callable[[], Awaitable[None] | None] | None = None

    async def end(self, deadline: Deadline) -> None:
        """Close it. At the deadline that goes on by itself."""
        if self.close is None:
            return
        closing = asyncio.ensure_future(_told(self.close))
        await deadline.until_one({closing}, deadline.left)
        if not closing.done():
            deadline.release(closing)


MakeEnvironment = Callable[[], Environment | Awaitable[Environment]]


class Opening:
    """An environment that is being made. One that comes when nobody waits for it any more is closed."""

    def __init__(self, make: MakeEnvironment) -> None:
        self._make = make
        self._made: Environment | None = None
        self._given_up = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = threading.Lock()

    async def environment(self, deadline: Deadline) -> Environment:
        """What is made. Raises `OutOfTime` where that is not in time, and `UsageError` for what it raises, or where it is none."""
        self._loop = asyncio.get_running_loop()
        came = False
        try:
            made = await deadline.within(called(self._make_one), deadline.left)
            came = True
        except (OutOfTime, TitheError):
            raise
        except Exception as error:
            raise UsageError(f"What makes an environment raised {error!r}.") from error
        finally:
            if not came:
                self._give_up()
        if not isinstance(made, Environment):
            raise UsageError(
                f"What makes an environment returned a {type(made).__name__}, and no Environment."
            )
        return made

    def _make_one(self) -> Any:
        made = self._make()
        return self._awaited(made) if inspect.isawaitable(made) else self._kept(made)

    async def _awaited(self, making: Awaitable[Any]) -> Any:
        return self._kept(await making)

    def _kept(self, made: Any) -> Any:
        if isinstance(made, Environment):
            with self._turn:
                self._made = made
                late = self._given_up
            if late:
                self._close(made)
        return made

    def _give_up(self) -> None:
        with self._turn:
            self._given_up = True
            made = self._made
        if made is not None:
            self._close(made)

    def _close(self, made: Environment) -> None:
        """In a thread of its own, as nobody waits for it."""
        threading.Thread(target=_closed, args=(made, self._loop), name=f"{WORK}close", daemon=True).start()


async def _told(close: Callable[[], Any]) -> None:
    try:
        await called(close)
    except Exception as error:  # noqa: BLE001 - the outcome is not lost for it
        _not_closed(error)


def _closed(environment: Environment, loop: asyncio.AbstractEventLoop | None) -> None:
    if environment.close is None:
        return
    try:
        closing = environment.close()
        if inspect.iscoroutine(closing) and loop is not None:
            asyncio.run_coroutine_threadsafe(closing, loop).result()
    except Exception as error:  # noqa: BLE001 - there is nobody to raise it to
        _not_closed(error)


def _not_closed(error: Exception) -> None:
    warnings.warn(f"An environment could not be closed: {error!r}", RuntimeWarning, stacklevel=3)
