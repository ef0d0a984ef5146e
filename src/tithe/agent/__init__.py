"""The agent: a loop that is robust within a deadline. `Agent` is all of it; the parts are here for those who want a loop of their own."""

from tithe.agent.agent import Agent
from tithe.agent.answer import Answer, Answers
from tithe.agent.beside import first_choice
from tithe.agent.caller import Caller, CallFailed
from tithe.agent.candidates import Choose, Forks
from tithe.agent.crafts import PLAIN, Crafts
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.environment import Environment
from tithe.agent.fault import FAULTS, Fault, FaultKind, FaultSeen
from tithe.agent.outcome import Decided, Outcome, Stopped
from tithe.agent.policy import Decision, Policy, Situation, budgeted, minimal
from tithe.agent.proposal import Proposal, examine
from tithe.agent.request import Asking
from tithe.agent.run import Begin, Run
from tithe.agent.speeds import CallTime, Speeds, Spread, ToolTime
from tithe.agent.tool import AgentTool, Traits, described_tool, tool, tool_of
from tithe.agent.tool_run import Ran, Ready, Toolbox
from tithe.agent.way import Way

__all__ = [
    "FAULTS",
    "PLAIN",
    "Agent",
    "AgentTool",
    "Answer",
    "Answers",
    "Asking",
    "Begin",
    "CallFailed",
    "CallTime",
    "Caller",
    "Choose",
    "Crafts",
    "Deadline",
    "Decided",
    "Decision",
    "Environment",
    "Fault",
    "FaultKind",
    "FaultSeen",
    "Forks",
    "OutOfTime",
    "Outcome",
    "Policy",
    "Proposal",
    "Ran",
    "Ready",
    "Run",
    "Situation",
    "Speeds",
    "Spread",
    "Stopped",
    "ToolTime",
    "Toolbox",
    "Traits",
    "Way",
    "budgeted",
    "described_tool",
    "examine",
    "first_choice",
    "minimal",
    "tool",
    "tool_of",
]
