"""`tithe audit`: an endpoint, measured the way an agent uses it."""

import asyncio
import contextlib
import gc
import ipaddress
import os
import signal
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from tithe.audit import (
    STANDARD,
    AuditPlan,
    AuditReport,
    Endpoint,
    Interruption,
    ThreadedLagWatch,
    costs,
    run_audit,
)
from tithe.cli.child import child_server
from tithe.cli.embedded import embedded_endpoint
from tithe.cli.loop import run_command
from tithe.cli.plan_flags import as_typed, fill_plan
from tithe.cli.progress import CallProgress
from tithe.core import SystemClock
from tithe.core.errors import EndpointError, UsageError
from tithe.net.client import endpoint_url
from tithe.net.remote import RemoteBackend
from tithe.report import print_audit

app = App(name="audit", help="Measure an endpoint the way an agent uses it.", config=fill_plan)

_KEYS = ("TITHE_API_KEY", "OPENAI_API_KEY")
_Switch = Parameter(negative=())


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint to audit: where it is, how to ask it, and what the report calls it."""

    endpoint: Endpoint
    backend: RemoteBackend


@app.default
def audit(
    url: str | None = None,
    /,
    *,
    model: str | None = None,
    api_key: str | None = None,
    quick: Annotated[bool, _Switch] = False,  # noqa: ARG001 - plan_flags reads it before we are called
    json: Annotated[bool, _Switch] = False,
    save: Path | None = None,
    yes: Annotated[bool, Parameter(alias="-y", negative=())] = False,
    plan: Annotated[AuditPlan, Parameter(name="*", negative_iterable=(), show_default=as_typed)] = STANDARD,
) -> None:
    """Measure an endpoint the way an agent uses it.

    Cached against uncached TTFT, short generations, structured output, concurrent agents, and an agent
    at work on real tasks; each figure with its interval, and no verdict where the client was the bottleneck.

    Parameters
    ----------
    url
        The endpoint's base URL, such as http://127.0.0.1:8383/v1. Without one, the embedded endpoint is
        started, measured and stopped.
    model
        The model to ask for. Without it, the endpoint's only one.
    api_key
        The key to send. Also from TITHE_API_KEY or OPENAI_API_KEY.
    quick
        A shorter audit: under 20 s on the embedded endpoint. Options named beside it keep their value.
    json
        Print the report as JSON, raw observations included, in place of tables.
    save
        Write the report as JSON to this file as well.
    yes
        Do not ask before measuring an endpoint that is not on this machine.
    plan
        What is measured.
    """
    notes = Console(stderr=True)
    if url is not None:
        endpoint_url(url)
    if save is not None:
        check_writable(save)
    if url is not None and not is_loopback(url) and not yes:
        _confirm(url, plan, notes)
    report = run_command(_audit(url, model, api_key or _key(), plan, notes))
    written = msgspec.json.encode(report)
    unsaved = _save(save, written) if save is not None else None
    if json:
        sys.stdout.write(written.decode() + "\n")
    else:
        _print(report, Console())
    if unsaved is not None:
        raise unsaved
    if report.interrupted:
        raise KeyboardInterrupt
    if report.gave_up is not None:
        raise EndpointError(
            f"The audit gave up: {report.gave_up} The report holds what was measured until then; mend the "
            "endpoint or lower the load."
        )


async def _audit(
    url: str | None, model: str | None, key: str | None, plan: AuditPlan, notes: Console
) -> AuditReport:
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        target = await stack.enter_async_context(_target(url, model, key))
        null = await stack.enter_async_context(_null_backend(target.endpoint.model))
        progress = CallProgress(sum(cost.usual_calls for cost in costs(plan)), notes)
        # What is imported by now never becomes garbage; kept out, it does not lengthen the collector's pauses.
        gc.collect()
        gc.freeze()
        with progress, _interruption() as interruption:
            try:
                return await run_audit(
                    target.backend,
                    target.endpoint,
                    plan,
                    null=null,
                    watch=ThreadedLagWatch(clock),
                    clock=clock,
                    progress=progress,
                    interruption=interruption,
                )
            except EndpointError:
                if interruption.happened:
                    raise KeyboardInterrupt from None
                raise


@contextlib.contextmanager
def _interruption() -> Generator[Interruption, None, None]:
    """The first Ctrl-C ends the audit with a report of what was measured; a second one ends the command."""
    interruption = Interruption()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def interrupt() -> None:
        if interruption.happened:
            task.cancel()
        interruption.interrupt()

    with contextlib.suppress(NotImplementedError):  # a platform whose loop takes no signals
        loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield interruption
    except asyncio.CancelledError:
        if interruption.happened:
            raise KeyboardInterrupt from None
        raise
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)


@contextlib.asynccontextmanager
async def _target(url: str | None, model: str | None, key: str | None) -> AsyncGenerator[Target, None]:
    async with contextlib.AsyncExitStack() as stack:
        if url is None:
            ready = await stack.enter_async_context(embedded_endpoint())
            endpoint = Endpoint(url=ready.url, model=model or ready.model, embedded=True)
            backend = RemoteBackend(ready.url)
        else:
            backend = RemoteBackend(url, api_key=key)
            endpoint = Endpoint(url=url, model="")
        stack.push_async_callback(backend.aclose)
        if not endpoint.model:
            endpoint = msgspec.structs.replace(
                endpoint, model=model or await _only_model(backend, endpoint.url)
            )
        yield Target(endpoint=endpoint, backend=backend)


async def _only_model(backend: RemoteBackend, url: str) -> str:
    models = await backend.models()
    if len(models) == 1:
        return models[0]
    if not models:
        raise UsageError(f"{url} lists no models; name one with --model.")
    shown = ", ".join(models[:10]) + (f" and {len(models) - 10} more" if len(models) > 10 else "")
    raise UsageError(f"{url} has {len(models)} models; name one with --model: {shown}.")


@contextlib.asynccontextmanager
async def _null_backend(model: str) -> AsyncGenerator[RemoteBackend, None]:
    """The same client, against a server in another process that answers at once."""
    async with child_server(("-m", "tithe.cli.null", model), what="The null backend") as ready:
        backend = RemoteBackend(ready.url)
        try:
            yield backend
        finally:
            await backend.aclose()


def is_loopback(url: str) -> bool:
    """Whether `url` is on this machine."""
    host = urlsplit(url if "://" in url else f"http://{url}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _confirm(url: str, plan: AuditPlan, notes: Console) -> None:
    """Say what the audit will cost, and ask. Raises `UsageError` when there is no yes."""
    planned = costs(plan)
    calls, usual = sum(cost.calls for cost in planned), sum(cost.usual_calls for cost in planned)
    prompt = sum(cost.prompt_tokens for cost in planned)
    output = sum(cost.output_tokens for cost in planned)
    limits = [
        f"{limit:,g} {unit}"
        for limit, unit in ((plan.max_time, "s"), (plan.max_requests, "calls"), (plan.max_tokens, "tokens"))
        if limit is not None
    ]
    estimate = (
        f"Auditing {url} takes about {usual:,} calls where its figures are soon precise. At most it takes "
        f"{calls:,}, with {prompt:,} prompt tokens (many of them cached, if it caches) and {output:,} "
        "generated ones. Answers that come too short are asked again on top."
        + (
            f" It stops after {' or '.join(limits)} (--max-time, --max-requests, --max-tokens)."
            if limits
            else ""
        )
    )
    if not sys.stdin.isatty():
        raise UsageError(f"{estimate} Say --yes to go on.")
    notes.print(estimate, highlight=False)
    notes.print("Go on? [y/N] ", end="", markup=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("Nothing was sent.")


def _key() -> str | None:
    return next((value for name in _KEYS if (value := os.environ.get(name))), None)


def check_writable(path: Path) -> None:
    """Raises `UsageError` when `path` cannot be written; leaves no trace."""
    new = not path.exists()
    try:
        with path.open("ab"):
            pass
        if new:
            path.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def _save(path: Path, written: bytes) -> UsageError | None:
    """Write the report; what went wrong is returned, so that the report can be printed first."""
    try:
        path.write_bytes(written)
    except OSError as error:
        return _unwritable(path, error)
    return None


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"The report cannot be written to {path}: {error.strerror}. Name another file with --save."
    )


def _print(report: AuditReport, console: Console) -> None:
    """Print the tables; into a pipe or file without the spaces that fill a terminal's lines."""
    if console.is_terminal:
        print_audit(report, console)
        return
    with console.capture() as captured:
        print_audit(report, console)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().split("\n")))
