"""`tithe serve`: the embedded endpoint, a drop-in for agents that speak to OpenAI's API."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tithe.cli.child import announce
from tithe.cli.loop import run_command
from tithe.cli.plan_flags import as_typed
from tithe.core.errors import UsageError
from tithe.engine import Engine, EngineOptions
from tithe.net.options import ServerOptions
from tithe.net.server import Server
from tithe.trace.jsonl import JsonlRecorder

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that wants the GIL gets it: a tenth of Python's own, for the engine's
thread must not wait 5 ms for the event loop's when a step has ended."""


def serve(
    model: str = "nano",
    *,
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
        nano (the bundled model), a folder with an OpenVINO model, or a Hub id.
    trace
        Write a span of every call to this file, one JSON object a line. Never message content.
    json
        Print one JSON line when ready, in place of text.
    until_eof
        Stop when standard input ends, as it does when the program that started this one is gone.
    """
    keys = listening.api_key or tuple(filter(None, os.environ.get("TITHE_API_KEYS", "").split(",")))
    listening = dataclasses.replace(listening, api_key=keys)
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
        _watch_signals(signals, until_eof)  # before it is announced: whoever reads that may stop it at once
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


def _watch_signals(signals: asyncio.Queue[None], until_eof: bool) -> None:
    """Put one thing into `signals` for each Ctrl-C or SIGTERM, and for the end of standard input."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(name, signals.put_nowait, None)
        except NotImplementedError as error:
            raise UsageError(
                "This platform's event loop takes no signals; run under Linux or macOS."
            ) from error
    if until_eof:

        def ended() -> None:
            loop.remove_reader(sys.stdin.fileno())  # at its end it stays readable
            signals.put_nowait(None)

        loop.add_reader(sys.stdin.fileno(), ended)


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
