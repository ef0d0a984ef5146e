"""What a task would be elsewhere: its shape run for real against another endpoint."""

from tithe.whatif.prompt_shape import CallShape, MessageShape, Run, call_shapes
from tithe.whatif.replay import Replayed, replay
from tithe.whatif.replay_run import ReplayOptions

__all__ = [
    "CallShape",
    "MessageShape",
    "ReplayOptions",
    "Replayed",
    "Run",
    "call_shapes",
    "replay",
]
