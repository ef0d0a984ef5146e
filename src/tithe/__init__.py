"""Tithe measures, explains and cuts the agentic inference tax.

    from tithe import Agent

`Agent`, `tool` and `Environment` are here for programs; each is imported when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tithe.agent import Environment, tool
    from tithe.endpoint_agent import Agent

__version__ = "0.1.0"
__all__ = ["Agent", "Environment", "__version__", "tool"]


def __getattr__(name: str) -> Any:
    if name == "Agent":
        from tithe.endpoint_agent import Agent

        return Agent
    if name in ("Environment", "tool"):
        from tithe import agent

        return getattr(agent, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
