"""`tithe serve`: the embedded endpoint, a drop-in for agents that speak to OpenAI's API.

The engine is imported when a model is served: `--scripted` and `--help` need no extra.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tithe.audit import as_typed
from tithe.cli.child import announce
from tithe.cli.loop import run_command, watch_signals
from tithe.cli.scripted import serve_scripted
from tithe.core.errors import UsageError
from tithe.engine import EngineOptions
from tithe.net.options import ServerOptions
from tithe.net.server import Server
from tithe.trace.jsonl import JsonlRecorder

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that wants the GIL gets it: a tenth of Python's own, for the engine's
thread must not wait 5 ms for the event loop's when a step has ended."""


def serve(
    model: str = "nano",
    *,
    scripted: str | None = None,
    trace: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    until_eof: Annotated[bool, Parameter(negative=())] = False,
    listening: Annotated[
        ServerOptions, Parameter(name="*", negative_iterable=(), show_default=as_typed)
    ] = ServerOptions(),  # noqa: B008 - frozen
    engine: Annotated[EngineOptions, Parameter(name="*")] = EngineOptions(),  # noqa: B008 - frozen
) -> None:
    """Serve a model on this machine's CPU, as OpenAI's Chat Completions.

    Parameters
    ----------
    model
        nano (the bundled model), a folder with an OpenVINO model, or a Hub id. Any needs the engine, of
        pip install 'tithe[engine]'.
    scripted
        In place of a model, serve a scenario of the self-test, whose answers are known: its name, or all
        (a client chooses by the model that it asks for), or list to see them. Needs no engine.
    trace
        Write a span of every call to this file, one JSON object a line. Never message content.
    json
        Print one JSON line when ready, in place of text.
    until_eof
        Stop when standard input ends, as it does when the program that started this one is gone.
    """
    keys = listening.api_key or tuple(filter(None, os.environ.get("TITHE_API_KEYS", "").split(",")))
    listening = dataclasses.replace(listening, api_key=keys)
    if scripted is not None:
        if model != "nano" or trace is not None or engine != EngineOptions():
            raise UsageError(
                "--scripted serves no model: leave out the model, --trace and the engine's options."
            )
        serve_scripted(scripted, listening, json=json, until_eof=until_eof)
        return
    sys.setswitchinterval(SWITCH_INTERVAL)
    run_command(_serve(model, engine, listening, trace, json, until_eof))


async def _serve(
    model: str,
    options: EngineOptions,
    listening: ServerOptions,
    trace: Path | None,
    json: bool,
    until_eof: bool,
) -> None:
    from tithe.engine import Engine

    recorder = JsonlRecorder(trace) if trace is not None else None
    backend = Engine.load(model, options)
    try:
        server = Server(
            backend,
            backend.model,
            listening,
            recorder=recorder,
            gauges=backend.gauges,
        )
        await server.start()
        signals = asyncio.Queue[None]()
        watch_signals(
            signals, until_eof=until_eof
        )  # before it is announced: whoever reads that may stop it at once
        (announce if json else _greet)(server.url, backend.model)
        await signals.get()
        await _stop(server, signals, listening.drain_s)
    finally:
        await backend.aclose()
        if recorder is not None:
            recorder.close()


def _greet(url: str, model: str) -> None:
    sys.stdout.write(
        f"Tithe serves {model} at {url}\n\n"
        f"  export OPENAI_BASE_URL={url}\n"
        "  export OPENAI_API_KEY=none        # or one of the keys given\n\n"
        f"Metrics at {url.removesuffix('/v1')}/metrics. Ctrl-C stops it.\n"
    )
    sys.stdout.flush()


async def _stop(server: Server, signals: asyncio.Queue[None], drain_s: float) -> None:
    """Let running calls finish, and say so; a second signal ends them now."""
    if server.running:
        calls = "1 running call" if server.running == 1 else f"{server.running} running calls"
        sys.stderr.write(f"Finishing {calls}, at most {drain_s:g} s; Ctrl-C again ends them now.\n")
        sys.stderr.flush()
    stopping = asyncio.ensure_future(server.stop())
    again = asyncio.ensure_future(signals.get())
    await asyncio.wait((stopping, again), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        server.cut()
    again.cancel()
    await stopping
