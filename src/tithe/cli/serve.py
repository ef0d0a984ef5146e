"""`tithe serve`: the embedded endpoint, a drop-in for agents that speak to OpenAI's API.

With `--emulate` it, or with `--upstream` any other endpoint, is held back to a given pace. The engine is imported when a
model is served: `--scripted`, `--upstream` and `--help` need no extra.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, NamedTuple

from cyclopts import Parameter

from tithe.audit import as_typed
from tithe.cli.child import announce
from tithe.cli.emulation import read_pace, told
from tithe.cli.loop import run_command, watch_signals
from tithe.cli.scripted import serve_scripted
from tithe.cli.target import Wanted, endpoint_key, open_target
from tithe.core.backend import Backend
from tithe.core.errors import UsageError
from tithe.core.paced import Pace, PacedBackend
from tithe.engine import EngineOptions
from tithe.net.metrics import Gauges
from tithe.net.options import ServerOptions
from tithe.net.server import Server
from tithe.trace.jsonl import JsonlRecorder

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that wants the GIL gets it: a tenth of Python's own, for the engine's
thread must not wait 5 ms for the event loop's when a step has ended."""

UPSTREAM_TIMEOUT_S = 600.0
"""Seconds of silence after which a call of the upstream's is given up: it is the client that is to lose patience."""


def serve(
    model: str | None = None,
    *,
    emulate: str | None = None,
    upstream: str | None = None,
    upstream_key: str | None = None,
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
        nano (the bundled model, and the one that is served when none is named), a folder with an OpenVINO
        model, or a Hub id. Any needs the engine, of pip install 'tithe[engine]'. With --upstream, the name
        of one of its models.
    emulate
        Hold every answer back to the pace of another endpoint, to feel what it would be like: as
        ttft=600ms,tps=60, where tps are tokens a second; jitter=0.1 beside them spreads the TTFT by a tenth.
    upstream
        In place of a model on this machine, the base URL of an endpoint that --emulate holds back.
    upstream_key
        The key to send to it. Also from TITHE_API_KEY or OPENAI_API_KEY.
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
        if (model, trace, emulate, upstream) != (None, None, None, None) or engine != EngineOptions():
            raise UsageError(
                "--scripted serves no model: leave out the model, --trace, --emulate, --upstream and the engine's options."
            )
        serve_scripted(scripted, listening, json=json, until_eof=until_eof)
        return
    pace = read_pace(emulate) if emulate is not None else None
    if upstream is not None:
        _check_upstream(pace, engine)
    if upstream is None:
        sys.setswitchinterval(SWITCH_INTERVAL)
        source = _embedded(model or "nano", engine)
    else:
        source = _upstream(upstream, model, upstream_key or endpoint_key())
    run_command(_serve(source, pace, listening, trace, json, until_eof))


def _check_upstream(pace: Pace | None, engine: EngineOptions) -> None:
    if pace is None:
        raise UsageError(
            "--upstream passes calls on at another pace: say which with --emulate, such as ttft=600ms,tps=60."
        )
    if engine != EngineOptions():
        raise UsageError("--upstream serves no model of its own: leave out the engine's options.")


class _Source(NamedTuple):
    """What answers: the backend, its model's name, and what its state is told by."""

    backend: Backend
    model: str
    gauges: Gauges | None = None


@contextlib.asynccontextmanager
async def _embedded(model: str, options: EngineOptions) -> AsyncGenerator[_Source]:
    from tithe.engine import Engine

    engine = Engine.load(model, options)
    try:
        yield _Source(engine, engine.model, engine.gauges)
    finally:
        await engine.aclose()


@contextlib.asynccontextmanager
async def _upstream(url: str, model: str | None, key: str | None) -> AsyncGenerator[_Source]:
    wanted = Wanted(url=url, model=model, key=key)
    async with open_target(wanted, timeout_s=UPSTREAM_TIMEOUT_S) as target:
        yield _Source(target.backend, target.endpoint.model)


async def _serve(
    source: contextlib.AbstractAsyncContextManager[_Source],
    pace: Pace | None,
    listening: ServerOptions,
    trace: Path | None,
    json: bool,
    until_eof: bool,
) -> None:
    recorder = JsonlRecorder(trace) if trace is not None else None
    try:
        async with source as (backend, model, gauges):
            paced = backend if pace is None else PacedBackend(backend, pace)
            server = Server(paced, model, listening, recorder=recorder, gauges=gauges)
            await server.start()
            signals = asyncio.Queue[None]()
            # Before it is announced: whoever reads that may stop it at once.
            watch_signals(signals, until_eof=until_eof)
            (announce if json else functools.partial(_greet, pace))(server.url, model)
            await signals.get()
            await _stop(server, signals, listening.drain_s)
    finally:
        if recorder is not None:
            recorder.close()


def _greet(pace: Pace | None, url: str, model: str) -> None:
    emulated = "" if pace is None else f"Emulated: {told(pace)}. Not the speed that it has by itself.\n\n"
    sys.stdout.write(
        f"Tithe serves {model} at {url}\n\n"
        f"{emulated}"
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
