"""`tithe serve --scripted`: the scenarios of the self-test on a socket, for any client to be held to."""

import asyncio
import dataclasses
import os
import sys
from collections.abc import Sequence

import msgspec

from tithe.cli.child import Ready
from tithe.cli.loop import run_command, watch_signals
from tithe.cli.paper import show
from tithe.core.errors import UsageError
from tithe.net.conformance import SCENARIOS, Brief, Scenario, Stage, chosen
from tithe.net.options import ServerOptions
from tithe.report import print_scenarios

LIST = "list"


class ReadyStage(Ready, frozen=True, kw_only=True):
    """The line that is printed with `--json`: where it listens, what to ask, and what is then true."""

    scenarios: tuple[Brief, ...]


def serve_scripted(name: str, listening: ServerOptions, *, json: bool, until_eof: bool) -> None:
    """Serve the scenario `name`, or all, until stopped; or list them.

    Raises `UsageError` for a name that no scenario has, and for an option that a script has no use for.
    """
    if name == LIST:
        _list(SCENARIOS, json=json)
        return
    scenarios = chosen(name)
    kept = dataclasses.replace(
        ServerOptions(), host=listening.host, port=listening.port, api_key=listening.api_key
    )
    if listening != kept:
        raise UsageError(
            "--scripted takes --host, --port and --api-key; leave out the server's other options."
        )
    run_command(_serve(scenarios, listening, json, until_eof))


async def _serve(
    scenarios: Sequence[Scenario], listening: ServerOptions, json: bool, until_eof: bool
) -> None:
    stage = Stage(scenarios, host=listening.host, port=listening.port, api_keys=listening.api_key)
    async with stage:
        signals = asyncio.Queue[None]()
        watch_signals(signals, until_eof=until_eof)
        if json:
            _write(
                ReadyStage(
                    url=stage.url,
                    model=scenarios[0].name,
                    pid=os.getpid(),
                    scenarios=tuple(scenario.brief for scenario in scenarios),
                )
            )
        else:
            _print(scenarios)
            any_name = "the model's name chooses one" if len(scenarios) > 1 else "whatever model is asked for"
            sys.stdout.write(f"Served at {stage.url} ({any_name}). Ctrl-C stops it.\n")
            sys.stdout.flush()
        await signals.get()


def _list(scenarios: Sequence[Scenario], *, json: bool) -> None:
    if json:
        _write(tuple(scenario.brief for scenario in scenarios))
    else:
        _print(scenarios)


def _print(scenarios: Sequence[Scenario]) -> None:
    show(lambda console: print_scenarios(tuple(scenario.brief for scenario in scenarios), console))


def _write(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
