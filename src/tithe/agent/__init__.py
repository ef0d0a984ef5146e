"""The agent: a loop that is robust within a deadline. `Agent` is all of it; the parts are here for those who want a loop of their own."""

from tithe.agent.agent import Agent
from tithe.agent.candidates import Choose
from tithe.agent.crafts import PLAIN, Crafts
from tithe.agent.environment import Environment
from tithe.agent.fault import FAULTS, FaultKind, FaultSeen
from tithe.agent.outcome import Decided, Outcome, Stopped
from tithe.agent.policy import Decision, Policy, Situation, budgeted, minimal
from tithe.agent.speeds import CallTime, Speeds, Spread
from tithe.agent.tool import AgentTool, Traits, described_tool, tool, tool_of

__all__ = [
    "FAULTS",
    "PLAIN",
    "Agent",
    "AgentTool",
    "CallTime",
    "Choose",
    "Crafts",
    "Decided",
    "Decision",
    "Environment",
    "FaultKind",
    "FaultSeen",
    "Outcome",
    "Policy",
    "Situation",
    "Speeds",
    "Spread",
    "Stopped",
    "Traits",
    "budgeted",
    "described_tool",
    "minimal",
    "tool",
    "tool_of",
]
