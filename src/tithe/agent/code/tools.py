"""The tools with which an agent works on a project's files: read, list, search, edit, write, run."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from tithe.agent.code.editing import around, lines_of, numbered, replaced, syntax_error
from tithe.agent.code.sandbox import CommandRun, Sandbox
from tithe.agent.code.workspace import Workspace
from tithe.agent.tool import AgentTool, Traits, tool, tool_of
from tithe.core.errors import UsageError

LARGEST = 4 << 20
"""Bytes of a file that is read or edited."""
_LINES = 400
_LISTED = 300
_FOUND = 100
SEARCH_S = 10.0
_GRACE_S = 5.0
"""Beside a command's own time: for its end to be waited for."""
_SEARCH = Path(__file__).with_name("search.py")


class _Found(msgspec.Struct, frozen=True):
    """What search.py answers."""

    found: tuple[tuple[str, int, str], ...] = ()
    more: int = 0
    large: int = 0
    error: str | None = None


class Bench:
    """The tools of one workspace. `test`: the command line of its tests, if it has any; `commands`: any other may be run too.

    `seconds`: what a command may take; `search_s`: what a search may.

    Writing is done on the event loop, so that none is under way when a task is over; reading is done beside it.
    """

    def __init__(
        self,
        workspace: Workspace,
        sandbox: Sandbox,
        *,
        test: str | None,
        commands: bool,
        seconds: float,
        search_s: float = SEARCH_S,
    ) -> None:
        self._workspace = workspace
        self._sandbox = sandbox
        self._test = test
        self._commands = commands
        self._seconds = seconds
        self._search_s = search_s
        self._passed: dict[str, tuple[int, int, int]] | None = None

    def tools(self) -> list[AgentTool]:
        """The tools as the loop has them."""
        made = [self.list_files, self.search, self.read_file, self.edit_file, self.write_file]
        running = ([self.run_tests] if self._test is not None else []) + (
            [self.run_command] if self._commands else []
        )
        # A command that is cut at the deadline, or run again, does no harm: it runs in a copy.
        traits = Traits(timeout=self._seconds + _GRACE_S, idempotent=True, parallel=False)
        return [tool_of(one) for one in (*made, finish)] + [
            msgspec.structs.replace(tool_of(one), traits=traits) for one in running
        ]

    @tool(idempotent=True)
    def list_files(self, folder: str = ".") -> str:
        """List the project's files. What version control ignores is left out.

        Args:
            folder: only those beneath this folder.
        """
        files = self._beneath(folder)
        more = f"\n({len(files) - _LISTED:,} more: name a folder)" if len(files) > _LISTED else ""
        return "\n".join(files[:_LISTED]) + more if files else "There are no files."

    @tool(idempotent=True)
    def search(self, pattern: str, folder: str = ".") -> str:
        """Search the project's files, line by line.

        Args:
            pattern: a regular expression of Python's.
            folder: only files beneath this folder, or this file.
        """
        files = self._beneath(folder)
        order = {"root": str(self._workspace.root), "files": files, "pattern": pattern, "most": _FOUND}
        told = _searched(order, self._search_s)
        if told.error is not None:
            raise UsageError(f"The pattern {pattern!r} is none: {told.error}.")
        lines = [f"{path}:{number}: {text}" for path, number, text in told.found]
        more = f"\n({told.more:,} more lines: search for less)" if told.more else ""
        more += f"\n(not searched: {counted(told.large, 'very large file')})" if told.large else ""
        none = f"Nothing matches {pattern!r} in {counted(len(files), 'file')}."
        return ("\n".join(lines) or none) + more

    @tool(idempotent=True)
    def read_file(self, path: str, first: int = 1, count: int = _LINES) -> str:
        """Read a file, with the numbers of its lines.

        Args:
            path: the file.
            first: the first line to read, from 1.
            count: how many lines to read.
        """
        lines = lines_of(self._text(path))
        first = max(1, first)
        shown = lines[first - 1 : first - 1 + max(1, min(count, _LINES))]
        if not shown:
            return f"{path} has {counted(len(lines), 'line')}."
        last = first + len(shown) - 1
        rest = f"\n({counted(len(lines) - last, 'more line')})" if last < len(lines) else ""
        return numbered(shown, first) + rest

    @tool(parallel=False)
    async def edit_file(self, path: str, old: str, new: str) -> str:
        """Replace whole lines of a file.

        Args:
            path: the file.
            old: the lines to replace as they stand in the file, without their numbers; enough of them to be found once.
            new: the lines to put there; empty to take the old ones out.
        """
        text = self._text(path)
        edited, line = replaced(text, old, new)
        self._workspace.save(path, edited.encode())
        told = f"Edited {path}:\n{around(edited, line, len(lines_of(new)))}"
        wrong = syntax_error(path, edited) if syntax_error(path, text) is None else None
        return f"{told}\nBut now its syntax is wrong: {wrong}" if wrong is not None else told

    @tool(parallel=False)
    async def write_file(self, path: str, text: str) -> str:
        """Write a new file.

        Args:
            path: where it is to be; there must be no such file yet.
            text: all that is to be in it.
        """
        if (self._workspace.root / self._workspace.relative(path)).exists():
            raise UsageError(f"{path} is there already: change it with edit_file.")
        self._workspace.save(path, text.encode())
        wrong = syntax_error(path, text)
        return f"Wrote {path}." if wrong is None else f"Wrote {path}, but its syntax is wrong: {wrong}"

    async def run_tests(self) -> str:
        """Run the project's tests."""
        return (await self._tests()).words

    async def run_command(self, command: str) -> str:
        """Run a command line of the shell's in the project's folder.

        Args:
            command: what to run.
        """
        before, self._passed = self._workspace.stamps(), None
        try:
            return (await self._sandbox.run(command)).words
        finally:
            after = self._workspace.stamps()
            self._workspace.wrote(
                path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
            )

    async def check(self, answer: Any) -> str | None:
        """What the tests say, where they do not pass."""
        del answer
        if self._passed is not None and self._passed == self._workspace.stamps():
            return None
        ran = await self._tests()
        return None if ran.status == 0 else f"the tests do not pass.\n{ran.words}"

    async def _tests(self) -> CommandRun:
        assert self._test is not None
        ran = await self._sandbox.run(self._test)
        self._passed = self._workspace.stamps() if ran.status == 0 else None
        return ran

    def _beneath(self, folder: str) -> list[str]:
        inside = self._workspace.relative(folder)
        files = [
            path for path in self._workspace.files() if inside in (".", path) or path.startswith(f"{inside}/")
        ]
        if not files and not (self._workspace.root / inside).exists():
            raise UsageError(f"There is no {folder}.")
        return files

    def _text(self, path: str) -> str:
        if not self._workspace.is_file(path):
            raise UsageError(f"There is no file {path}.")
        if self._workspace.is_hidden(path):
            raise UsageError(f"{path} is ignored by version control: what is in it is not shown.")
        try:
            text = self._workspace.read(path, LARGEST).decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise UsageError(f"{path} is no text in UTF-8.")
        return text


@tool(final=True)
async def finish(summary: str) -> str:
    """End the task, when the goal is reached.

    Args:
        summary: what was wrong and what you did about it, or the answer to the question, in a few sentences.
    """
    return summary.strip()


def _searched(order: dict[str, Any], seconds: float) -> _Found:
    command = [sys.executable, "-I", "-S", "-B", str(_SEARCH), str(math.ceil(seconds))]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            command, input=msgspec.json.encode(order), capture_output=True, timeout=seconds, check=False
        )
        return msgspec.json.decode(done.stdout, type=_Found)
    except subprocess.TimeoutExpired:
        raise UsageError(f"The search did not end within {seconds:g} s: use a simpler pattern.") from None
    except msgspec.DecodeError as error:
        raise UsageError("The search ended without a result: use a simpler pattern.") from error


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
