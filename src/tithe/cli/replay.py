"""`tithe replay`: a recorded task's shape, run for real against an endpoint, and recorded as any task is."""

import math
import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console

from tithe.audit import Endpoint
from tithe.cli.consent import is_loopback
from tithe.cli.embedded import EMBEDDED
from tithe.cli.evidence import task_graph
from tithe.cli.expected import Expected, expectation, named
from tithe.cli.loop import run_command
from tithe.cli.paper import show
from tithe.cli.progress import CallProgress
from tithe.cli.selection import meant
from tithe.cli.store import Db, record_path
from tithe.cli.target import Wanted, endpoint_key, open_target
from tithe.cli.waits import Waits, tell_waits
from tithe.core import Anchor, Backend, SystemClock
from tithe.core.errors import EndpointError, UsageError
from tithe.ledger import Account, make_account
from tithe.net.client import endpoint_url
from tithe.report import print_replay
from tithe.report.figures import counted, tokens
from tithe.trace import Store, TaskRecord, machine_clock
from tithe.whatif import Change, Checked, Forecast, Replayed, ReplayOptions, check
from tithe.whatif import replay as replay_task

_Switch = Parameter(negative=())


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints: the task as recorded and as replayed, in seconds. `failure`: what ended it before its end.

    `projection`: what it was expected to take, and how far that was off; None without one, or where the replay did not end.
    """

    task: str
    replay: str
    url: str
    model: str
    recorded: Account
    replayed: Account
    calls: int
    made: int
    lengths_forced: bool
    notes: tuple[str, ...]
    failure: str | None
    projection: Checked | None


def replay(
    task: str,
    url: str,
    *,
    model: str | None = None,
    api_key: str | None = None,
    waits: Annotated[Waits, Parameter(name="*")] = Waits(),  # noqa: B008 - frozen
    expected: Annotated[Expected, Parameter(name="*")] = Expected(),  # noqa: B008 - frozen
    timeout: float = 120.0,
    db: Db = None,
    json: Annotated[bool, _Switch] = False,
    yes: Annotated[bool, Parameter(alias="-y", negative=())] = False,
) -> None:
    """Run a recorded task's shape against an endpoint: prompts and answers as long, and in the same order, with tools slept.

    Parameters
    ----------
    task
        The task: its id, a beginning of it that no other has, or last: the last that is no replay.
    url
        The endpoint's base URL, such as http://127.0.0.1:8383/v1, or the word embedded for the one that is
        started for it.
    model
        The model to ask for. Without it, the endpoint's only one.
    api_key
        The key to send. Also from TITHE_API_KEY or OPENAI_API_KEY.
    waits
        What becomes of what lies between the calls.
    expected
        The endpoint as it is expected to be: the projection that the replay is held against.
    timeout
        Seconds of silence after which a call is given up.
    db
        The record's file. Also from TITHE_DB.
    json
        Print one JSON object in place of a table.
    yes
        Do not ask before an endpoint that is not on this machine is called.
    """
    options = waits.options()
    if not 0 < timeout < math.inf:
        raise UsageError(
            f"--timeout is {timeout:g}; give the seconds of silence, above 0, after which a call is given up."
        )
    given = expected.change()
    path = record_path(db)
    # A record that is not there is not made: there would be no task in it.
    with Store.open(path, write=path.exists()) as store:
        recorded = store.task(meant(store, task))
        account = make_account(recorded)
        _check(account, url, yes=yes)
        wanted = Wanted(url=None if url == EMBEDDED else url, model=model, key=api_key or endpoint_key())
        done, endpoint, made = run_command(
            _replayed(store, recorded, wanted, options, given, timeout_s=timeout)
        )
    _give(account, done, endpoint, made, json=json)
    _fail_if_ended(done)


def _fail_if_ended(done: Replayed) -> None:
    if done.failure is not None:
        raise EndpointError(
            f"The replay ended after {counted(done.made, 'call')} of {done.calls}: {done.failure.message.rstrip('.')}. What there was "
            f"until then is recorded as {done.record.id}."
        ) from done.failure


def _check(account: Account, url: str, *, yes: bool) -> None:
    """Raises `UsageError` when there is nothing to replay, nowhere, or no yes to what it may cost."""
    if not account.calls:
        raise UsageError(f"The task {account.task} has no model call that could be replayed; name another.")
    if url != EMBEDDED and not is_loopback(endpoint_url(url).human_repr()) and not yes:
        _confirm(url, account, Console(stderr=True))


def _confirm(url: str, account: Account, notes: Console) -> None:
    """Say what the replay will cost, and ask. Raises `UsageError` when there is no yes."""
    sizes = f"{tokens(account.input_tokens)} prompt tokens and {tokens(account.output_tokens)} generated ones"
    estimate = (
        f"Replaying this at {url} takes {counted(account.calls, 'call')}, with about {sizes} as recorded; before them go 3 to 5 short ones, "
        "which find how many tokens words have there and what fields it takes."
    )
    if not sys.stdin.isatty():
        raise UsageError(f"{estimate} Say --yes to go on.")
    notes.print(f"{estimate}\nGo on? [y/N] ", end="", markup=False, highlight=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("Nothing was sent.")


async def _replayed(
    store: Store,
    recorded: TaskRecord,
    wanted: Wanted,
    options: ReplayOptions,
    given: Change | None,
    *,
    timeout_s: float,
) -> tuple[Replayed, Endpoint, Forecast | str]:
    async with open_target(wanted, timeout_s=timeout_s) as target:
        options = named(msgspec.structs.replace(options, model=target.endpoint.model), target.endpoint)
        made = expectation(store, recorded, given, options)
        tell_waits(task_graph(recorded), options)
        return await _kept(store, recorded, target.backend, options), target.endpoint, made


async def _kept(store: Store, recorded: TaskRecord, backend: Backend, options: ReplayOptions) -> Replayed:
    """Replay, and record it as it goes."""
    clock = SystemClock()
    account = make_account(recorded)
    recording = store.begin(Anchor.take(clock.now()), source="replay", clock=machine_clock())
    try:
        with (
            store.writer(recording, heartbeat=True) as writer,
            CallProgress(account.calls, Console(stderr=True)) as progress,
        ):
            return await replay_task(
                recorded,
                backend,
                clock,
                options,
                recorder=writer,
                prompts=store.prompts(recorded.id),
                content=lambda span: store.content(span)[0],
                on_call=progress,
            )
    finally:
        store.finish(recording, at=clock.now())


def _give(account: Account, done: Replayed, endpoint: Endpoint, made: Forecast | str, *, json: bool) -> None:
    replayed = make_account(done.record)
    ended = done.failure is None
    projection = check(made, replayed.wall, replayed.wall_s) if ended and isinstance(made, Forecast) else None
    report = ReplayReport(
        task=account.task,
        replay=done.record.id,
        url=endpoint.url,
        model=endpoint.model,
        recorded=account,
        replayed=replayed,
        calls=done.calls,
        made=done.made,
        lengths_forced=done.forced,
        notes=done.notes,
        failure=done.failure.message if done.failure is not None else None,
        projection=projection,
    )
    if json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        return
    notes = (
        f"Replayed with {endpoint.model} at {endpoint.url}, and recorded as {done.record.id}.",
        *done.notes,
        *((made,) if isinstance(made, str) and ended else ()),
        *(() if ended else (_broken_off(done),)),
    )
    part = None if ended else (done.made, done.calls)
    show(lambda console: print_replay(account, replayed, notes, console, projection, part=part))


def _broken_off(done: Replayed) -> str:
    return (
        f"It broke off after {counted(done.made, 'call')} of {done.calls}: what stands beside the whole recorded task is a part of it, and no "
        "projection is held against that."
    )
