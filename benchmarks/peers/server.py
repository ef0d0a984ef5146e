"""A server in a process of its own, which says in one JSON line where it listens."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Generator, Sequence

import msgspec


class Listening(msgspec.Struct, frozen=True):
    """The part of a server's first line that is of use here."""

    url: str
    model: str


@contextlib.contextmanager
def serving(arguments: Sequence[str]) -> Generator[Listening]:
    """Run `python ARGUMENTS`; it ends with the block. Raises `SystemExit` when it does not start."""
    command = [sys.executable, *arguments]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(command)} ended before it was ready, see above")
        yield msgspec.json.decode(line, type=Listening)
    finally:
        server.terminate()
        server.communicate()
