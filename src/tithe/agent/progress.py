"""Telling what a run does while it does it, from outside the loop: its policy and its tools are wrapped, and tell what they do."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tithe.agent.calling import called
from tithe.agent.crafts import ALL, PLAIN, Crafts
from tithe.agent.fault import Fault
from tithe.agent.policy import Decision, Policy, Situation, budgeted, minimal
from tithe.agent.tool import AgentTool
from tithe.core.errors import UsageError


class WayBegun(msgspec.Struct, frozen=True, kw_only=True):
    """A way from goal to answer begins, the first or another."""

    number: int


class ToolUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A tool ran. `said`: its result; `failed`: what the model was told went wrong in place of one. Neither: it was given up."""

    name: str
    arguments: dict[str, Any]
    seconds: float
    said: Any = None
    failed: str | None = None


Event = WayBegun | Decision | ToolUsed
Tell = Callable[[Event], None]


class Loop(NamedTuple):
    """How an `Agent` is to go about it: two of its arguments."""

    crafts: Crafts
    policy: Policy


def telling_loop(tell: Tell, *, plain: bool, crafts: Crafts = ALL) -> Loop:
    """All of `crafts` that the time allows, or with `plain` the minimal loop; each of its decisions is told."""
    return (
        Loop(PLAIN, telling_policy(minimal, tell)) if plain else Loop(crafts, telling_policy(budgeted, tell))
    )


def telling_policy(policy: Policy, tell: Tell) -> Policy:
    """The policy, each of whose decisions is told."""

    def decide(situation: Situation, crafts: Crafts) -> Decision:
        decision = policy(situation, crafts)
        tell(decision)
        return decision

    return decide


def telling_tool(tool: AgentTool, tell: Tell) -> AgentTool:
    """The tool, each of whose runs is told. A `UsageError` that it raises reaches the model as its message, without its name."""

    async def run(**arguments: Any) -> Any:
        began = time.monotonic()
        said: Any = None
        failed: str | None = None
        try:
            said = await called(tool.run, **arguments)
            return said
        except UsageError as error:
            failed = error.message
            raise Fault("failed tool", failed) from error
        finally:
            took = time.monotonic() - began
            tell(ToolUsed(name=tool.name, arguments=arguments, seconds=took, said=said, failed=failed))

    return msgspec.structs.replace(tool, run=run)
