"""`tithe audit`: an endpoint, measured the way an agent uses it."""

import contextlib
import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from tithe.audit import (
    STANDARD,
    AuditPlan,
    AuditReport,
    ThreadedLagWatch,
    costs,
    read_report,
    run_audit,
)
from tithe.cli.consent import confirm, is_loopback, warn_of_limits
from tithe.cli.interruption import SignalledInterruption
from tithe.cli.loop import run_command
from tithe.cli.outputs import Outputs
from tithe.cli.paper import show
from tithe.cli.plan_flags import as_typed, fill_plan
from tithe.cli.progress import CallProgress
from tithe.cli.self_test import ROUNDS, run_self_test
from tithe.cli.target import null_backend, open_target
from tithe.core import SystemClock
from tithe.core.errors import EndpointError, UsageError
from tithe.net.client import endpoint_url, resolve
from tithe.net.conformance import SCENARIOS
from tithe.report import print_audit, print_self_test

_EXIT_STATUS = (
    "Exit status: 0 the audit ran, and what failed in it is in the report; 1 the endpoint could not be measured, or "
    "too many calls failed in a row; 2 what was asked for cannot be done; 130 and 143 ended by Ctrl-C or SIGTERM, "
    "with a report of what was measured."
)
app = App(
    name="audit",
    help="Measure an endpoint the way an agent uses it.",
    help_epilogue=_EXIT_STATUS,
    config=fill_plan,
)

_KEYS = ("TITHE_API_KEY", "OPENAI_API_KEY")
_Switch = Parameter(negative=())
_NOT_BESIDE_FROM = (
    "--from shows a report that is there and measures nothing: leave out the URL, --model, --save, --quick and the "
    "options of what is measured."
)


@app.default
def audit(
    url: str | None = None,
    /,
    *,
    model: str | None = None,
    api_key: str | None = None,
    quick: Annotated[bool, _Switch] = False,
    json: Annotated[bool, _Switch] = False,
    save: Path | None = None,
    html: Path | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    yes: Annotated[bool, Parameter(alias="-y", negative=())] = False,
    self_test: Annotated[bool, _Switch] = False,
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
    html
        Write the report to this file as a page as well: charts, tables and all they need in one file.
    from_
        Show the report that --save wrote to this file, and measure nothing. With --html, make a page of it.
    yes
        Do not ask before measuring an endpoint that is not on this machine.
    self_test
        Measure no endpoint: hold the measuring client to scenarios whose answers are known, and say where it
        is wrong. With --json alone.
    plan
        What is measured.
    """
    asked = quick or plan != STANDARD or any(given is not None for given in (url, model, save))
    outputs = Outputs(save=save, html=html)
    if self_test:
        if asked or yes or any(given is not None for given in (api_key, html, from_)):
            raise UsageError("--self-test measures no endpoint: give it --json or nothing else.")
        _self_test(json=json)
    elif from_ is not None:
        # `quick` is in the plan by now: plan_flags put it there.
        if asked:
            raise UsageError(_NOT_BESIDE_FROM)
        _show_saved(from_, outputs, json=json)
    else:
        _measure(url, model, api_key or _key(), plan, outputs, json=json, yes=yes)


def _measure(
    url: str | None,
    model: str | None,
    key: str | None,
    plan: AuditPlan,
    outputs: Outputs,
    *,
    json: bool,
    yes: bool,
) -> None:
    notes = Console(stderr=True)
    if url is not None:
        endpoint_url(url)
    outputs.check(reading=None)
    if url is not None and not is_loopback(url) and not yes:
        # A host that is not there is told before the question what it will cost.
        run_command(resolve(endpoint_url(url)))
        confirm(url, plan, notes)
    warn_of_limits(plan, notes)
    interruption = SignalledInterruption()
    report = run_command(_audit(url, model, key, plan, notes, interruption))
    _give(report, outputs, json=json)
    if report.interrupted:
        interruption.end()
    _fail_if_given_up(report)


def _fail_if_given_up(report: AuditReport) -> None:
    if report.gave_up is not None:
        raise EndpointError(
            f"The audit gave up: {report.gave_up} The report holds what was measured until then; mend the "
            "endpoint or lower the load."
        )


def _self_test(*, json: bool) -> None:
    """Hold our client to the conformance suite; exits with 1 unless it holds everywhere."""
    progress = CallProgress(len(SCENARIOS) * ROUNDS, Console(stderr=True), unit="runs")
    with progress:
        result = run_command(run_self_test(progress=progress))
    if json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        show(lambda console: print_self_test(result, console))
    if not result.holds:
        sys.exit(1)


def _give(report: AuditReport, outputs: Outputs, *, json: bool) -> None:
    """Write the report where it is to go, and print it even where that failed."""
    written = msgspec.json.encode(report)
    unwritten = outputs.write(report, written)
    if json:
        sys.stdout.write(written.decode() + "\n")
    else:
        show(lambda console: print_audit(report, console))
    if unwritten is not None:
        raise unwritten


def _show_saved(path: Path, outputs: Outputs, *, json: bool) -> None:
    """Give a report that was saved. Raises `UsageError` when it is none that can be shown."""
    outputs.check(reading=path)
    try:
        written = path.read_bytes()
    except OSError as error:
        raise UsageError(f"The report {path} cannot be read: {error.strerror}.") from error
    report = read_report(written, str(path))
    try:
        _give(report, outputs, json=json)
    except (LookupError, ValueError, ZeroDivisionError) as error:
        # Its types are right and its parts do not fit each other: somebody has changed it.
        raise UsageError(f"{path} is no whole audit report: its parts do not fit each other.") from error


async def _audit(
    url: str | None,
    model: str | None,
    key: str | None,
    plan: AuditPlan,
    notes: Console,
    interruption: SignalledInterruption,
) -> AuditReport:
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        target = await stack.enter_async_context(open_target(url, model, key, timeout_s=plan.timeout))
        null = await stack.enter_async_context(null_backend(target.endpoint.model))
        progress = CallProgress(sum(cost.usual_calls for cost in costs(plan)), notes)
        # What is imported by now never becomes garbage; kept out, it does not lengthen the collector's pauses.
        gc.collect()
        gc.freeze()
        with progress, interruption.heeded():
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
                    interruption.end()
                raise


def _key() -> str | None:
    return next((value for name in _KEYS if (value := os.environ.get(name))), None)
