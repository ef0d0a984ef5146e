"""A task on code: its workspaces, its tools, and what it would change."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tithe.agent.agent import Agent
from tithe.agent.code.sandbox import Limits, Sandbox
from tithe.agent.code.tools import Bench
from tithe.agent.code.workspace import Change, Workspace, Workspaces
from tithe.agent.environment import Environment
from tithe.agent.outcome import Outcome
from tithe.agent.progress import Tell, WayBegun, telling_loop, telling_tool
from tithe.core import Backend
from tithe.core.errors import UsageError

_LISTED = 200
_INSTRUCTIONS = """\
You work on the files of a software project, in a copy of its folder; paths are relative to it.
Find what matters with search and read_file, and read a file before you edit it. Change as little as the goal needs, in the style of \
what is there. {tests}
When the goal is reached, call finish.

{files}"""
_WITH_TESTS = (
    "The tests are run by run_tests (`{test}`): run them to see what fails, and after your changes. They have to pass at the "
    "end; mend the code rather than the tests, unless the tests are what is wrong."
)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a way changed. `left_out`: files that test runs made or changed besides; they are no part of it."""

    changes: tuple[Change, ...]
    left_out: tuple[str, ...]

    @property
    def diff(self) -> str:
        return "".join(change.diff for change in self.changes)


class CodeTask:
    """A project's folder, copied, and the workspaces of one run. Nothing is written into the folder but by `apply`.

    Args:
        folder: the project's. test: the command line that runs its tests, from there, or a function that finds it by the project's
            files; it also vouches for an answer. None: nothing does.
        commands: the model may run other commands too. limits: of each command. environment: theirs, less keys and tokens.
        tell: hears what is done as it is done; that a way begins, in the thread that copies for it.

    Raises `UsageError` for a folder that is none or too large.
    """

    def __init__(
        self,
        folder: Path,
        *,
        test: str | Callable[[Sequence[str]], str | None] | None,
        commands: bool = False,
        limits: Limits | None = None,
        environment: Mapping[str, str],
        tell: Tell | None = None,
    ) -> None:
        self.commands = commands
        self._limits = limits if limits is not None else Limits()
        self._environment = environment
        self._tell: Tell = tell if tell is not None else lambda _: None
        self._workspaces = Workspaces(folder)
        self.test = test(self._workspaces.files()) if callable(test) else test
        self._opened: list[tuple[Environment, Workspace, Sandbox]] = []
        self._turn = (
            threading.Lock()
        )  # a run does not wait for a workspace that comes too late, and may be over by then
        self._closed = False

    @property
    def skipped(self) -> tuple[str, ...]:
        """What could not be copied: links that lead out, what is no file, what may not be read."""
        return self._workspaces.skipped

    def agent(self, backend: Backend, model: str, *, plain: bool = False, max_steps: int = 100) -> Agent:
        """The agent for this task; `plain`: the minimal loop."""
        loop = telling_loop(self._tell, plain=plain)
        return Agent(
            backend,
            model,
            tools=self.environment,
            instructions=self._instructions(),
            crafts=loop.crafts,
            policy=loop.policy,
            max_steps=max_steps,
            name="code",
        )

    def environment(self) -> Environment:
        """A fresh workspace, and its tools. Raises `UsageError` after `close`."""
        with self._turn:
            if self._closed:
                raise UsageError("The task is over: its copies are removed.")
            self._tell(WayBegun(number=len(self._opened) + 1))
            self._opened.append(self._open())
            return self._opened[-1][0]

    async def settled(self) -> None:
        """Wait until the commands that a run gave up have ended; on its event loop, after it."""
        for _, _, sandbox in self._opened:
            await sandbox.settled()

    def changes(self, outcome: Outcome) -> Changes:
        """What the way changed that the answer came from; or, without one, the last. Nothing, where none began in time."""
        for environment, workspace, _ in self._opened:
            if environment is outcome.environment:
                return Changes(changes=workspace.changes(), left_out=workspace.left_out())
        return Changes(changes=(), left_out=())

    def apply(self, changes: Changes) -> None:
        """Write changes into the folder itself, all of them or none.

        Raises `Changed` when one of the files is not as it was when the work began, and `UsageError` when it cannot be written.
        """
        self._workspaces.apply(changes.changes)

    def close(self) -> None:
        """Remove all copies; one that is being made is waited for."""
        with self._turn:
            self._closed = True
            self._workspaces.close()

    def _open(self) -> tuple[Environment, Workspace, Sandbox]:
        workspace = self._workspaces.open()
        sandbox = Sandbox(
            workspace.root,
            workspace.scratch,
            self._environment,
            self._limits,
            original=self._workspaces.folder.root,
        )
        bench = Bench(
            workspace, sandbox, test=self.test, commands=self.commands, seconds=self._limits.seconds
        )
        environment = Environment(
            tools=[telling_tool(one, self._tell) for one in bench.tools()],
            check=bench.check if self.test is not None else None,
            same=lambda answer: _same(workspace, answer),
        )
        return environment, workspace, sandbox

    def _instructions(self) -> str:
        files = self._workspaces.files()
        more = f"\n({len(files) - _LISTED:,} more)" if len(files) > _LISTED else ""
        return _INSTRUCTIONS.format(
            tests=_WITH_TESTS.format(test=self.test)
            if self.test is not None
            else "There are no tests to run.",
            files="The project's files:\n" + "\n".join(files[:_LISTED]) + more,
        )


def _same(workspace: Workspace, answer: Any) -> str:
    """Two ways agree where they change the same; where nothing is changed, where they say the same."""
    return "".join(change.diff for change in workspace.changes()) or str(answer)
