"""`tithe agent code`: a model works on copies of a project's folder, within a budget; a diff shows what would change."""

import contextlib
import dataclasses
import functools
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console

from tithe.agent import Outcome
from tithe.agent.code import Changes, CodeTask, Limits, can_confine, is_test, usual_test
from tithe.cli.agent_flags import (
    NO_ANSWER,
    SWITCH,
    TIMEOUT_S,
    Asking,
    positive,
    recorded,
    say,
    say_where,
)
from tithe.cli.agent_report import RunReport
from tithe.cli.durations import seconds
from tithe.cli.loop import run_command
from tithe.cli.paper import show
from tithe.cli.store import Db
from tithe.cli.target import Target, Wanted, open_target
from tithe.core.errors import UsageError
from tithe.report.agent import print_changes, print_event, print_outcome
from tithe.report.figures import counted

_NONE = "none"
_NAMED = 8


class CodeReport(RunReport, frozen=True, kw_only=True):
    """What `--json` prints.

    vouched: the tests passed, or two ways changed the same. changed: the files that the diff is of, and of them `tests`; left_out: files
    that test runs made or changed besides. applied: the diff was written into the folder.
    """

    folder: str
    test: str | None
    vouched: bool
    ways: int
    diff: str
    changed: tuple[str, ...]
    tests: tuple[str, ...]
    left_out: tuple[str, ...]
    skipped: tuple[str, ...]
    applied: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Commands:
    """Which commands may be run, and what each may take. The flags and their help are made from this.

    Attributes:
        test: The command line that runs the tests, from the folder; an answer is taken when they pass. Without it what such
            projects usually have (python -m pytest -q, npm test, cargo test, go test), if it is found; none for no tests.
        allow_commands: Let the model run other commands too. Otherwise it can run the tests, and nothing else.
        command_timeout: How long a command may take, the tests too.
        command_memory: The GiB of memory that each process of a command may have (Linux).
        unconfined: Let commands write outside their copy too. Otherwise they cannot, where the kernel has Landlock (Linux
            5.19 and later).
    """

    test: str | None = None
    allow_commands: Annotated[bool, SWITCH] = False
    command_timeout: str = "2m"
    command_memory: float = 4.0
    unconfined: Annotated[bool, SWITCH] = False

    def limits(self) -> Limits:
        """Raises `UsageError` for a time or a size that is none."""
        return Limits(
            seconds=positive(seconds(self.command_timeout, "--command-timeout"), "--command-timeout"),
            memory_bytes=int(positive(self.command_memory, "--command-memory") * (1 << 30)),
            confined=not self.unconfined,
        )


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, read."""

    goal: str
    folder: Path
    budget_s: float
    commands: Commands
    limits: Limits
    plain: bool


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """How what came of it is to be given."""

    yes: bool
    json: bool
    db: Path | None


def code(
    goal: str,
    *,
    dir_: Annotated[Path, Parameter(name="--dir")] = Path(),
    asking: Annotated[Asking, Parameter(name="*")] = Asking(),  # noqa: B008 - frozen
    commands: Annotated[Commands, Parameter(name="*")] = Commands(),
    yes: Annotated[bool, Parameter(alias="-y", negative=())] = False,
    db: Db = None,
    json: Annotated[bool, SWITCH] = False,
) -> None:
    """Let a model work on a project's files, and show what it would change.

    It works in copies of the folder: it reads, searches, edits, and runs the tests there. The folder itself is changed only
    when you say so, at the end, and not where its files have changed meanwhile. What is in the files goes to the endpoint.

    Parameters
    ----------
    goal
        What to do, as in "fix the failing test".
    dir_
        The project's folder.
    yes
        Apply the changes of an answer without asking, where the tests pass or there are none.
    db
        The record's file, into which the run is recorded. Also from TITHE_DB.
    json
        Print one JSON object in place of text; the changes are then applied only with --yes.
    """
    asked = _Asked(
        goal=goal,
        folder=dir_,
        budget_s=asking.budget_s(),
        commands=commands,
        limits=commands.limits(),
        plain=asking.plain,
    )
    wanted = asking.endpoint()
    notes = Console(stderr=True)
    with contextlib.closing(_task(asked, notes)) as task, recorded(db):
        outcome, target = run_command(_run(asked, task, wanted, notes))
        _finish(asked, task, outcome, target, _Given(yes=yes, json=json, db=db), notes)


def _task(asked: _Asked, notes: Console) -> CodeTask:
    if os.name == "nt":
        raise UsageError(
            "Commands cannot be given limits on this platform; run it under Linux, macOS or in WSL."
        )
    if not asked.goal.strip():
        raise UsageError("The goal is empty: say what is to be done.")
    test = asked.commands.test
    if test is None:
        found = functools.partial(usual_test, asked.folder, find=shutil.which)
    else:
        found = test if test.strip() not in ("", _NONE) else None
    return CodeTask(
        asked.folder,
        test=found,
        commands=asked.commands.allow_commands,
        limits=asked.limits,
        environment=os.environ,
        tell=lambda event: print_event(event, notes),
    )


async def _run(asked: _Asked, task: CodeTask, wanted: Wanted, notes: Console) -> tuple[Outcome, Target]:
    async with open_target(wanted, timeout_s=min(TIMEOUT_S, asked.budget_s)) as target:
        say(notes, f"Asking {target.endpoint.model} at {target.endpoint.url}, which gets to see the files.")
        for line in _conditions(asked, task):
            say(notes, line)
        agent = task.agent(target.backend, target.endpoint.model, plain=asked.plain)
        try:
            return await agent.run(asked.goal, asked.budget_s), target
        finally:
            await task.settled()


def _conditions(asked: _Asked, task: CodeTask) -> list[str]:
    """What the commands are and what they may do, in sentences."""
    if task.test is not None:
        told = [
            f"Tests: {task.test}" + ("" if asked.commands.test is not None else "  (--test names another)")
        ]
    else:
        told = [
            "No tests are run, so nothing vouches for an answer; --test names the command that runs them."
        ]
    if task.test is not None or asked.commands.allow_commands:
        confined = asked.limits.confined and can_confine()
        where = "only in a copy of the folder" if confined else "wherever you can"
        told.append(f"Commands run for {asked.limits.seconds:g} s at most, and can write {where}.")
    if task.skipped:
        told.append(
            f"Not in the copy (a link that leads out, no file, or not readable): {_some(task.skipped)}."
        )
    return told


def _finish(
    asked: _Asked, task: CodeTask, outcome: Outcome, target: Target, given: _Given, notes: Console
) -> None:
    """Show what came of it, and apply it if that is wanted."""
    changes = task.changes(outcome)
    if not given.json:
        show(lambda console: print_outcome(outcome, console, _remarks(task, outcome, changes)))
        if sys.stdout.isatty():
            show(lambda console: print_changes(changes, console))
        else:
            sys.stdout.write(changes.diff)  # as it is, so that it can be applied
    refused: UsageError | None = None
    # What no answer stands behind is shown, and is for the user to take by hand.
    wanted = outcome.answer is not None and bool(changes.changes)
    stands = outcome.answer is not None and (outcome.vouched or task.test is None)
    if given.yes or given.json:
        applied = wanted and given.yes and stands
    else:
        applied = wanted and _agreed(asked.folder, notes)
    if applied:
        try:
            task.apply(changes)
        except UsageError as error:
            applied, refused = False, error
    if given.json:
        report = _report(asked, task, outcome, changes, target, applied=applied)
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    if applied:
        say(notes, f"Applied to {asked.folder}: {_some([change.path for change in changes.changes])}.")
    elif changes.changes and refused is None:
        hint = " Say --yes to apply such a diff." if stands and not given.yes else ""
        say(notes, f"Nothing was applied.{hint}")
    say_where(given.db, notes)
    if (error := refused or outcome.error) is not None:
        raise error
    if not stands:
        sys.exit(NO_ANSWER)


def _report(
    asked: _Asked, task: CodeTask, outcome: Outcome, changes: Changes, target: Target, *, applied: bool
) -> CodeReport:
    changed = tuple(change.path for change in changes.changes)
    return CodeReport.of(
        asked.goal,
        target.endpoint,
        outcome,
        folder=str(asked.folder.resolve()),
        test=task.test,
        vouched=outcome.vouched,
        ways=outcome.ways,
        diff=changes.diff,
        changed=changed,
        tests=tuple(path for path in changed if is_test(path)),
        left_out=changes.left_out,
        skipped=task.skipped,
        applied=applied,
    )


def _remarks(task: CodeTask, outcome: Outcome, changes: Changes) -> list[str]:
    """What has to be known of the changes before one agrees to them, in sentences."""
    told: list[str] = []
    if task.test is not None and outcome.answer is not None:
        told.append("The tests pass." if outcome.vouched else "The tests did not come to their end in time.")
    tests = [change.path for change in changes.changes if is_test(change.path)]
    if tests:
        told.append(f"It changed tests: {_some(tests)}.")
    if changes.left_out:
        told.append(f"Left out, because test runs made or changed them: {_some(changes.left_out)}.")
    return told if changes.changes else [*told, "Nothing was changed."]


def _agreed(folder: Path, notes: Console) -> bool:
    if not sys.stdin.isatty():
        return False
    notes.print(f"Apply this to {folder.resolve()}? [y/N] ", end="", markup=False, highlight=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _some(paths: Sequence[str]) -> str:
    more = f" and {counted(len(paths) - _NAMED, 'other')}" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more
