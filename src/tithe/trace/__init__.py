"""The record of what happened: spans, and the files they are kept in, one file a format."""

from tithe.trace.clocks import machine_clock
from tithe.trace.jsonl import JsonlRecorder, Recording, read_jsonl
from tithe.trace.records import TaskRecord
from tithe.trace.store import Store
from tithe.trace.summaries import TaskSummary
from tithe.trace.writer import SpanWriter

__all__ = [
    "JsonlRecorder",
    "Recording",
    "SpanWriter",
    "Store",
    "TaskRecord",
    "TaskSummary",
    "machine_clock",
    "read_jsonl",
]
