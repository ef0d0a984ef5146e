"""What an agent acts on: its tools, and whatever state they share. A way from goal to answer has one of its own.

To make one and to close it is the user's, and may be slow: both are done without being waited for longer than the task has.
"""

import threading
import warnings
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

import msgspec

from tithe.agent.calling import called
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.tool import AgentTool
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
    close: Callable[[], None] | None = None

    async def end(self, deadline: Deadline) -> None:
        """Close it. At the deadline that goes on by itself."""
        if self.close is None:
            return
        try:
            await deadline.within(called(self.close), deadline.left)
        except OutOfTime:
            return
        except Exception as error:  # noqa: BLE001 - the outcome is not lost for it
            warnings.warn(f"An environment could not be closed: {error!r}", RuntimeWarning, stacklevel=2)


MakeEnvironment = Callable[[], Environment | Awaitable[Environment]]


class Opening:
    """An environment that is being made. One that comes when nobody waits for it any more is closed."""

    def __init__(self, make: MakeEnvironment) -> None:
        self._make = make
        self._made: Environment | None = None
        self._given_up = False
        self._turn = threading.Lock()

    async def environment(self, deadline: Deadline) -> Environment:
        """What is made. Raises `OutOfTime` where that is not in time, and `UsageError` for what it raises, or where it is none."""
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
        if isinstance(made, Environment):
            with self._turn:
                self._made = made
                late = self._given_up
            if late:
                _close(made)
        return made

    def _give_up(self) -> None:
        with self._turn:
            self._given_up = True
            made = self._made
        if made is not None:
            threading.Thread(target=_close, args=(made,), name="close", daemon=True).start()


def _close(environment: Environment) -> None:
    if environment.close is not None:
        environment.close()
