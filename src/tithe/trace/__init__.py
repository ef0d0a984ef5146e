"""The record of what happened: spans, and the files they are kept in, one file a format."""

from tithe.trace.clocks import machine_clock
from tithe.trace.destination import record_to
from tithe.trace.jsonl import JsonlRecorder, Recording, read_jsonl
from tithe.trace.recorder import SILENT_S
from tithe.trace.records import TaskRecord
from tithe.trace.store import Store
from tithe.trace.summaries import TaskSummary
from tithe.trace.tracing import branch, headers, step, task, tool, user, validation
from tithe.trace.writer import SpanWriter

__all__ = [
    "SILENT_S",
    "JsonlRecorder",
    "Recording",
    "SpanWriter",
    "Store",
    "TaskRecord",
    "TaskSummary",
    "branch",
    "headers",
    "machine_clock",
    "read_jsonl",
    "record_to",
    "step",
    "task",
    "tool",
    "user",
    "validation",
]
