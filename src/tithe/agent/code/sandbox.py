"""Commands, run with limits: of time, of memory, of what they write and where.

A command runs in a process group of its own, which is ended as a whole when its time is over, when nobody waits for it any more, and
when it has ended itself and left something running. Where the kernel has Landlock it can write in its copy of the project, and in
a folder for temporary files, and nowhere else. That stops mistakes, also bad ones. It is no prison: the command reads what its user can
read, and reaches the network.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from tithe.agent.code.launcher import LANDLOCK_VERSION, landlock_version
from tithe.core.errors import UsageError

_LAUNCHER = Path(__file__).with_name("launcher.py")
_SHELL = "/bin/sh"
_HEAD, _TAIL = 4_000, 12_000
# What a program may do with a key to somebody's account is nothing that a test needs.
_SECRET = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)|^TITHE_", re.IGNORECASE)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a command may take. seconds: of wall clock; memory_bytes: a process, on Linux; file_bytes: a file.

    confined: it may write in its own folders only, where that can be had.
    """

    seconds: float = 120.0
    memory_bytes: int = 4 << 30
    file_bytes: int = 1 << 30
    confined: bool = True


class CommandRun(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a command. status: its exit status, 128 + N when signal N ended it; None: it was ended for its time.

    output: both of its streams, the middle cut out where it is long. seconds: how long it took.
    """

    command: str
    status: int | None
    output: str
    seconds: float

    @property
    def words(self) -> str:
        """As the model is told."""
        if self.status is None:
            end = f"ended after {self.seconds:.3g} s, which is all the time that it may take"
        else:
            end = f"exit status {self.status}, {self.seconds:.2g} s"
        return f"{self.output.rstrip()}\n[{end}]".lstrip()


class Sandbox:
    """Runs commands in `folder`. `scratch` is for what they write elsewhere; `environment` is what they are given, less keys and tokens.

    `original`: the folder that this one is a copy of. Where the environment or an installed package leads there, it is to lead here.
    """

    def __init__(
        self, folder: Path, scratch: Path, environment: Mapping[str, str], limits: Limits, *, original: Path
    ) -> None:
        self._folder = folder
        self._scratch = scratch
        self._running: set[asyncio.subprocess.Process] = set()
        self._limits = limits
        self._writable = [str(folder), str(scratch)] if limits.confined and can_confine() else None
        self._environment = _environment(folder, scratch, environment, original)

    async def run(self, command: str) -> CommandRun:
        """Run a command line of the shell's to its end, or to the end of its time.

        When this is cancelled, whatever the command started is ended too. Raises `UsageError` when it cannot be started.
        """
        limits = {
            "memory_bytes": self._limits.memory_bytes,
            "file_bytes": self._limits.file_bytes,
            "cpu_s": int(self._limits.seconds) * (os.cpu_count() or 1) + 1,
            "writable": self._writable,
        }
        began = time.monotonic()
        # Into a file: a pipe would be waited for as long as something that was left running holds it.
        with tempfile.TemporaryFile(dir=self._scratch) as output:
            status = await self._status(command, limits, output)
            return CommandRun(
                command=command, status=status, output=_said(output), seconds=time.monotonic() - began
            )

    async def _status(self, command: str, limits: dict[str, Any], output: IO[bytes]) -> int | None:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-B", str(_LAUNCHER), msgspec.json.encode(limits).decode()),
                *(_SHELL, "-c", command),
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"{command} could not be started: {error.strerror}.") from error
        self._running.add(process)
        try:
            status = await asyncio.wait_for(process.wait(), self._limits.seconds)
            return status if status >= 0 else 128 - status
        except TimeoutError:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            self._running.discard(process)

    async def settled(self) -> None:
        """Wait until what was given up has ended: it was told to, and has no choice."""
        for process in tuple(self._running):
            await process.wait()


def can_confine() -> bool:
    """Whether commands can be kept from writing elsewhere here."""
    return landlock_version() >= LANDLOCK_VERSION


def _said(output: IO[bytes]) -> str:
    """What is in the file: its beginning and its end."""
    size = output.seek(0, os.SEEK_END)
    output.seek(0)
    if size <= _HEAD + _TAIL:
        return output.read().decode(errors="replace")
    head = output.read(_HEAD)
    output.seek(-_TAIL, os.SEEK_END)
    cut = f"\n(cut: {size - _HEAD - _TAIL:,} bytes)\n"
    return head.decode(errors="replace") + cut + output.read().decode(errors="replace")


def _environment(folder: Path, scratch: Path, given: Mapping[str, str], original: Path) -> dict[str, str]:
    kept = {name: value for name, value in given.items() if not _SECRET.search(name)}
    cache, temporary = scratch / "cache", scratch / "tmp"
    for place in (cache, temporary):
        place.mkdir(parents=True, exist_ok=True)
    # A package that is installed "editable" leads to the user's own files: the copy's have to come before it.
    paths = [str(place) for place in (folder / "src", folder) if place.is_dir()]
    paths += [_moved(path, original, folder) for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]
    return kept | {
        "PWD": str(folder),
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": str(cache),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        # Python takes compiled code for current by the second and the size: an edit right after a run may have both.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _moved(path: str, original: Path, folder: Path) -> str:
    """A path in the original, as it is in the copy."""
    place = Path(path)
    return str(folder / place.relative_to(original)) if place.is_relative_to(original) else path
