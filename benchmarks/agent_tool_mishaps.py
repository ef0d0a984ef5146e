"""Tools that go wrong as often as they are told: what `tithe.core.FaultyBackend` is for an endpoint."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Literal

import msgspec

from tithe.agent import AgentTool, Environment, tool_of

# tool fails    it raises, and has done nothing
# tool hangs    it does nothing and never ends; it declares `HANG_S` as its timeout, as do all in its environment
# check fails   a tool's own check turns a sound call down, before it is run
ToolMishap = Literal["tool fails", "tool hangs", "check fails"]
TOOL_MISHAPS: tuple[ToolMishap, ...] = ToolMishap.__args__
HANG_S = 1.0
_NEVER_S = 1e9


class FaultyTools:
    """Changes environments. `rate`: the share of tool runs, or of checks, that the mishap befalls, drawn from a seed.

    The tool that ends a task never fails and never hangs, but what its check turns down is an answer.
    """

    def __init__(self, mishap: ToolMishap, rate: float, *, seed: int) -> None:
        self._mishap: ToolMishap = mishap
        self._rate = rate
        self._drawn = random.Random(seed)

    def changed(self, environment: Environment) -> Environment:
        """The same with tools that go wrong."""
        tools = [self._faulty(tool_of(each)) for each in environment.tools]
        return msgspec.structs.replace(environment, tools=tools)

    def _faulty(self, tool: AgentTool) -> AgentTool:
        if self._mishap == "check fails":
            traits = msgspec.structs.replace(tool.traits, check=self._check)
            return msgspec.structs.replace(tool, traits=traits)
        if tool.traits.final:
            return tool

        def run(**arguments: Any) -> Any:
            if not self._happens():
                return tool.run(**arguments)
            if self._mishap == "tool fails":
                raise OSError("out of order: a mishap that was asked for")
            return asyncio.sleep(_NEVER_S)

        timeout = HANG_S if self._mishap == "tool hangs" else tool.traits.timeout
        traits = msgspec.structs.replace(tool.traits, timeout=timeout)
        return msgspec.structs.replace(tool, run=run, traits=traits)

    def _check(self, **arguments: Any) -> str | None:
        """The task world's tools have no check that this could stand before."""
        del arguments
        return "it was turned down: a mishap that was asked for" if self._happens() else None

    def _happens(self) -> bool:
        return self._drawn.random() < self._rate
