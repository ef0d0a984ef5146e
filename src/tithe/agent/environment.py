"""What an agent acts on: its tools, and whatever state they share. A way from goal to answer has one of its own."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

import msgspec

from tithe.agent.tool import AgentTool

AnswerCheck = Callable[[Any], str | Awaitable[str | None] | None]


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Tools, functions or `AgentTool`s.

    check: is given an answer and returns what is wrong with it in words; None: it is right as far as can be told here.
    same: is given an answer and returns what it stands for: two ways agree where that is equal (the answer itself, unless given).
    close: ends it; called for those whose answer was not taken.
    """

    tools: Sequence[Callable[..., Any] | AgentTool] = ()
    check: AnswerCheck | None = None
    same: Callable[[Any], Hashable] | None = None
    close: Callable[[], None] | None = None
