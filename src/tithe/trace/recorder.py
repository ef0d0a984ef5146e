"""Whether what wrote a recording still lives.

A recording that has no end goes on, or its recorder was killed. No process id tells which: it may have been given to
another, or be of another machine or container that shares the file. So a recorder writes, as long as it lives, when it last did
(`heard`, in seconds since the epoch), and a reader holds that against its own time.
"""

from typing import Literal

BEAT_S = 0.5  # between two signs of life
SILENT_S = 3.0
"""A recorder that has not been heard of for so long is taken to be dead; it may also be stopped, or wait for the disk."""

Recorder = Literal["ended", "running", "killed", "unknown"]
"""ended: the recording has an end. unknown: it has none, and its recorder says nothing of itself."""

STATE = """CASE WHEN recordings.finished IS NOT NULL THEN 'ended' WHEN recordings.heard IS NULL THEN 'unknown'
    WHEN abs(:now - recordings.heard) < :silent THEN 'running' ELSE 'killed' END"""
"""The same in SQL. `:now` is in seconds since the epoch, `:silent` is `SILENT_S`."""
