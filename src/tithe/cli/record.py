"""`tithe record`: runs an agent, or waits for one, and records where its time goes.

What a command prints is its own: everything that is said here goes to standard error, unless there is no command.
"""

import asyncio
import contextlib
import gc
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from cyclopts import Parameter
from yarl import URL

from tithe.cli.attended import Attendant, NotStarted
from tithe.cli.diagnosed import Diagnoser
from tithe.cli.embedded import EMBEDDED, embedded_endpoint
from tithe.cli.loop import run_command, watch_signals
from tithe.cli.outputs import check_writable, write_file
from tithe.cli.paper import show
from tithe.cli.recording import Into, Recording, recorded_tasks, recording
from tithe.cli.store import Db, record_path
from tithe.cli.upstreams import routes
from tithe.core.errors import TitheError, UsageError
from tithe.net.guard import is_loopback
from tithe.report import ledger_page, print_short
from tithe.report.figures import counted
from tithe.report.outcome import command_end
from tithe.trace import Store, TaskSummary

LISTEN_PORT = 8384
SHOWN = 200  # tasks at the end, the newest
_MODULE = re.compile(r"[A-Za-z_][\w.]*")
_SCRIPTS = frozenset((".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".sh", ".pl"))
SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that wants the GIL gets it: a stream must not wait Python's own 5 ms for the thread that
writes the record."""


class _Asked(NamedTuple):
    """What was asked for, beside the command."""

    upstream: str | None
    listen: bool
    host: str
    port: int
    into: Into
    db: Path | None
    html: Path | None
    json: bool
    quiet: bool


def record(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    upstream: str | None = None,
    listen: Annotated[bool, Parameter(negative=())] = False,
    host: str = "127.0.0.1",
    port: int | None = None,
    name: str | None = None,
    html: Path | None = None,
    content: Annotated[bool, Parameter(negative=())] = False,
    db: Db = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    quiet: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Run an agent, and record where its time goes; nothing in it changes.

    Parameters
    ----------
    command
        What to run, after --. It runs with the base URLs of its libraries pointed at a proxy on this machine, which
        passes everything on to where they pointed before: OPENAI_BASE_URL (and OPENAI_API_BASE), ANTHROPIC_BASE_URL (and
        ANTHROPIC_API_BASE, ANTHROPIC_API_URL); and, where you have set one or its key, AZURE_OPENAI_ENDPOINT, AZURE_API_BASE,
        CEREBRAS_BASE_URL, DEEPSEEK_API_BASE, GROQ_BASE_URL, OPENROUTER_API_BASE and TOGETHER_BASE_URL.
        OTEL_EXPORTER_OTLP_ENDPOINT is pointed at it too. Its exit status is Tithe's; 128 + N where signal N ended it, 127
        where there is no such command.
    upstream
        Send everything that OpenAI's and Anthropic's libraries ask to this endpoint: its URL, or embedded to start
        the embedded one.
    listen
        In place of running a command, wait for agents that are pointed here by hand, until Ctrl-C.
    host
        Address of this machine to listen on.
    port
        Port to listen on. Without it any free one, with --listen 8384.
    name
        What the recorded tasks are called; without it, as what runs.
    html
        Write the ledger of the longest task to this file, as a page with all that it needs in it.
    content
        Keep requests and answers whole, too. Without it prompts are kept as fingerprints only.
    db
        The record's file. Without it that of TITHE_DB, else record.db in the user's data directory.
    json
        Say in one JSON line what was recorded, in place of text; with --listen one more when ready.
    quiet
        Say nothing but errors.
    """
    _check(command, listen=listen)
    _have_stderr()
    _stall_no_stream()
    if html is not None:
        check_writable(html, "--html")
    into = Into(record_path(db), name or _called(command), content)
    port = port if port is not None else LISTEN_PORT if listen else 0
    asked = _Asked(upstream, listen, host, port, into, db, html, json=json, quiet=quiet)
    sys.exit(run_command(_record(command, asked)))


def _check(command: Sequence[str], *, listen: bool) -> None:
    if command and command[0].startswith("-"):
        # Whatever comes before the command and is no option of ours would be run.
        raise UsageError(
            f"Unknown option {command[0].partition('=')[0]}: `tithe record --help` lists those that there are; "
            "the command goes after --."
        )
    if bool(command) == listen:
        raise UsageError(
            "Give a command to run (tithe record -- python my_agent.py), or --listen; "
            + ("not both." if listen else "there is neither.")
        )


def _have_stderr() -> None:
    """Whoever closed standard error would have it taken by the next file that is opened, and be written into."""
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - so it is where descriptor 2 is closed
        os.open(os.devnull, os.O_WRONLY)
        sys.stderr = open(2, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process runs


def _stall_no_stream() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL)
    # What was imported lives as long as this process. To look through it for garbage takes tens of milliseconds.
    gc.collect()
    gc.freeze()


def _called(command: Sequence[str]) -> str | None:
    """What tasks are called that were given no name: as what runs."""
    return Path(shown_command(command).split()[-1]).name if command else None


async def _record(command: Sequence[str], asked: _Asked) -> int:
    with Attendant() as attendant:
        try:
            made = await _recorded(command, asked, attendant)
        except NotStarted as error:
            sys.stderr.write(f"tithe: {error.message}\n")
            return error.exit_status
        with attendant.telling():
            _tell_whoever_reads(made, asked)
    return made.ended.exit_status if made.ended is not None else 0


async def _recorded(command: Sequence[str], asked: _Asked, attendant: Attendant) -> Recording:
    environment = dict(os.environ)
    async with contextlib.AsyncExitStack() as stack:
        upstream = asked.upstream
        if upstream == EMBEDDED:
            upstream = (await stack.enter_async_context(embedded_endpoint())).url
        # The embedded endpoint has another port each time, and is one endpoint all the same.
        called = EMBEDDED if asked.upstream == EMBEDDED else None
        where = routes(environment, upstream, called)
        if upstream is not None and is_loopback(URL(upstream).host or ""):
            # The library asks for a key, and an endpoint on this machine seldom does.
            environment = {"OPENAI_API_KEY": "none", **environment}
        async with recording(
            asked.into,
            where,
            environment,
            command=shown_command(command) if command else None,
            host=asked.host,
            port=asked.port,
        ) as made:
            if asked.listen:
                await _listen(made, asked)
            else:
                made.ended = await attendant.attend(command, environment | made.variables)
    return made


def _tell_whoever_reads(made: Recording, asked: _Asked) -> None:
    """Say what was recorded. The child's exit status is for whoever started it, even if nobody reads what is said here."""
    with contextlib.suppress(OSError, ValueError):
        try:
            _tell(made, asked)
        except TitheError as error:
            sys.stderr.write(f"tithe: {error.message}\n")


async def _listen(made: Recording, asked: _Asked) -> None:
    signals = asyncio.Queue[None]()
    watch_signals(signals, until_eof=False)
    if asked.json:
        ready = {"url": made.url, "pid": os.getpid(), "db": str(made.db), "recording": made.number}
        sys.stdout.write(msgspec.json.encode({**ready, "variables": made.variables}).decode() + "\n")
    elif not asked.quiet:
        exports = "".join(
            f"  export {variable}={shlex.quote(value)}\n" for variable, value in made.variables.items()
        )
        sys.stdout.write(
            f"Tithe records what passes through {made.url}, into {made.db}.\n\n{exports}\nCtrl-C ends it.\n"
        )
    sys.stdout.flush()
    await signals.get()


def _tell(made: Recording, asked: _Asked) -> None:
    """Say what was recorded: the tasks, and how to see more of them."""
    into = sys.stdout if asked.listen else sys.stderr
    failures = made.failures
    tasks: list[TaskSummary] = []
    try:
        tasks = recorded_tasks(made.db, made.number)
    except UsageError as error:
        failures.append(error.message)
    if asked.json:
        told = {
            "db": str(made.db),
            "recording": made.number,
            "exit_status": made.ended.exit_status if made.ended is not None else None,
            "signal": made.ended.signal if made.ended is not None else None,
            "tasks": tasks,
            "failures": failures,
        }
        into.write(msgspec.json.encode(told).decode() + "\n")
        return
    for failure in failures:
        sys.stderr.write(f"tithe: {failure}\n")
    if not tasks:
        if not asked.quiet:
            into.write(f"tithe: nothing was recorded: {_why_nothing(made, asked)}\n")
        return
    with Store.open(made.db, write=False) as store:
        diagnoser = Diagnoser(store)
        ledgers = [diagnoser.ledger(store.task(task.id)) for task in tasks[:SHOWN]]
    if asked.html is not None:
        longest = max(ledgers, key=lambda one: one[0].wall_s)
        if (unwritten := write_file(asked.html, ledger_page(*longest).encode(), "--html")) is not None:
            sys.stderr.write(f"tithe: {unwritten.message}\n")
    if asked.quiet:
        return
    shown = f", of which the last {SHOWN} are told" if len(tasks) > SHOWN else ""
    ended = command_end(made.ended.exit_status, made.ended.signal) if made.ended is not None else None
    how = f"; the command ended with {ended}" if ended is not None else ""
    into.write(f"\ntithe: recorded {counted(len(tasks), 'task')} into {made.db}{shown}{how}\n\n")
    # What is typed next is to find the same file.
    command = "tithe ledger" if asked.db is None else f"tithe ledger --db {shlex.quote(str(asked.db))}"
    show(lambda console: print_short(ledgers, console, command=command), into)


def _why_nothing(made: Recording, asked: _Asked) -> str:
    if asked.listen:
        return (
            f"no model was asked through {made.url}. Was the agent started with the variables that were printed, "
            "where it could reach this address?"
        )
    return (
        "no model was asked through the variables that `tithe record --help` names. "
        "Does the agent set its base URL itself?"
    )


def shown_command(command: Sequence[str]) -> str:
    """What of a command is kept: the program, and the script or module that it runs, if it is one to see.

    No other argument, and nothing that `env` is to set: those may be keys, and prompts.
    """
    words = list(command)
    while len(words) > 1 and (Path(words[0]).name == "env" or "=" in words[0] or words[0].startswith("-")):
        del words[0]
    program = "env" if "=" in words[0] else Path(words[0]).name or "a command"
    for place, word in enumerate(words[1:], start=1):
        if word == "-m" and place + 1 < len(words) and _MODULE.fullmatch(words[place + 1]):
            return f"{program} -m {words[place + 1]}"
        if Path(word).suffix in _SCRIPTS and Path(word).is_file():
            return f"{program} {word}"
    return program
