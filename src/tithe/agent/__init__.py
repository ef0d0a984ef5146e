"""The agent: a loop that is robust within a deadline. `Agent` is all of it; the parts are here for those who want a loop of their own."""

from tithe.agent.agent import Agent
from tithe.agent.caller import Caller
from tithe.agent.candidates import Choose
from tithe.agent.crafts import PLAIN, Crafts
from tithe.agent.deadline import Deadline
from tithe.agent.environment import Environment
from tithe.agent.fault import FAULTS, FaultKind, FaultSeen
from tithe.agent.outcome import Decided, Outcome, Stopped
from tithe.agent.policy import Decision, Policy, Situation, budgeted, minimal
from tithe.agent.run import Run
from tithe.agent.speeds import CallTime, Speeds, Spread
from tithe.agent.tool import AgentTool, Traits, described_tool, tool, tool_of
from tithe.agent.tool_run import Toolbox
from tithe.agent.way import Way

__all__ = [
    "FAULTS",
    "PLAIN",
    "Agent",
    "AgentTool",
    "CallTime",
    "Caller",
    "Choose",
    "Crafts",
    "Deadline",
    "Decided",
    "Decision",
    "Environment",
    "FaultKind",
    "FaultSeen",
    "Outcome",
    "Policy",
    "Run",
    "Situation",
    "Speeds",
    "Spread",
    "Stopped",
    "Toolbox",
    "Traits",
    "Way",
    "budgeted",
    "described_tool",
    "minimal",
    "tool",
    "tool_of",
]
