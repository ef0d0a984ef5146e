"""The record of what happened: spans, and the files they are kept in, one file a format."""

from tithe.trace.jsonl import JsonlRecorder, Recording, read_jsonl

__all__ = ["JsonlRecorder", "Recording", "read_jsonl"]
