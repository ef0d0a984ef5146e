"""The vocabulary: frozen data, the `Backend` protocol, the error tree, the clock. Imports no other room."""

from tithe.core.backend import Backend
from tithe.core.clock import Clock, FakeClock, SystemClock
from tithe.core.event import (
    Delta,
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    Reported,
    Sent,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
)
from tithe.core.faulty import MISHAPS, FaultyBackend, Mishap
from tithe.core.message import Message, Role, ToolCall
from tithe.core.paced import Pace, PacedBackend
from tithe.core.request import Request, ResponseFormat, Sampling, Tool, ToolChoice
from tithe.core.scripted import Script, ScriptedBackend
from tithe.core.span import Anchor, Recorder, Span, new_id
from tithe.core.usage import Facts, Pacing, Usage

__all__ = [
    "MISHAPS",
    "Anchor",
    "Backend",
    "Clock",
    "Delta",
    "Event",
    "Facts",
    "FakeClock",
    "FaultyBackend",
    "FinishReason",
    "Finished",
    "Message",
    "Mishap",
    "Pace",
    "PacedBackend",
    "Pacing",
    "ReasoningDelta",
    "Recorder",
    "Reported",
    "Request",
    "ResponseFormat",
    "Role",
    "Sampling",
    "Script",
    "ScriptedBackend",
    "Sent",
    "Span",
    "SystemClock",
    "TextDelta",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolChoice",
    "TopLogprob",
    "Usage",
    "new_id",
]
