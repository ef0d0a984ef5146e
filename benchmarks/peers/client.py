"""A client under comparison: how it is started by its own command line, and how its own files are read."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from call import Report

ROOT = Path(__file__).parents[2]
PEERS_BIN = ROOT / ".venv-peers" / "bin"
TOKENIZER = ROOT / "src" / "tithe" / "engine" / "nano"
"""Peers want a tokenizer to make up prompts with; this one needs no download."""

PROMPT_TOKENS = 32
ANSWER_TOKENS = 64


class ClientFailed(Exception):
    """A client that did not end, or left nothing to read. The message has the end of what it printed."""


@dataclass(frozen=True)
class Job:
    """What a client is asked to do: so many requests, so many of them at any time, with its files in `folder`."""

    url: str
    model: str
    requests: int
    streams: int
    folder: Path


class Client(Protocol):
    """`package` is the distribution whose version is told; `terms`, what its figures mean by its own documents."""

    name: str
    package: str
    terms: str

    def command(self, job: Job) -> list[str]:
        """Its command line for a job."""
        ...

    def read(self, job: Job) -> Report:
        """What its files say after it. Raises `OSError`, `KeyError` or `ValueError` where they say nothing."""
        ...


def run(client: Client, job: Job, timeout_s: float = 600.0) -> Report:
    """Run a client to its end and read its report. Raises `ClientFailed`."""
    job.folder.mkdir(parents=True, exist_ok=True)
    printed = job.folder / "printed.txt"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            client.command(job),
            cwd=job.folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ClientFailed(
                f"{client.name} did not end within {timeout_s:.0f} s.{_end(printed)}"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(
                    process.pid, signal.SIGKILL
                )  # it led a session of its own; what it left behind ends too
            process.wait()
    # A client may end with an error because requests failed, which is what it was to report.
    try:
        return client.read(job)
    except (OSError, KeyError, ValueError) as error:
        raise ClientFailed(
            f"{client.name} left no report ({error!r}), exit status {process.returncode}.{_end(printed)}"
        ) from error


def version(client: Client) -> str:
    """The version installed in `.venv-peers`, or of this checkout."""
    python = sys.executable if client.package == "tithe" else str(PEERS_BIN / "python")
    code = f"from importlib.metadata import version; print(version({client.package!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _end(printed: Path) -> str:
    said = printed.read_text("utf-8", errors="replace").strip()
    return f" It printed at the end:\n{said[-800:]}" if said else " It printed nothing."
