"""`tithe audit`: an endpoint, measured the way an agent uses it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from tithe.audit import STANDARD, AuditPlan, AuditReport, Comparison
from tithe.cli.consent import confirm, is_loopback
from tithe.cli.giving import give
from tithe.cli.loop import run_command
from tithe.cli.measuring import measure
from tithe.cli.outputs import Outputs
from tithe.cli.paper import show
from tithe.cli.plan_flags import as_typed, fill_plan
from tithe.cli.progress import CallProgress
from tithe.cli.saved import compare_saved, show_saved
from tithe.cli.self_test import ROUNDS, run_self_test
from tithe.cli.target import Wanted, wanted
from tithe.core.errors import EndpointError, UsageError
from tithe.net.conformance import SCENARIOS
from tithe.report import print_self_test

app = App(name="audit", help="Measure an endpoint the way an agent uses it.", config=fill_plan)

_KEYS = ("TITHE_API_KEY", "OPENAI_API_KEY")
_Switch = Parameter(negative=())
_NOT_BESIDE_FROM = (
    "--from shows a report that is there and measures nothing: leave out the URL, --model, --save, --quick and the "
    "options of what is measured."
)
_NOT_BESIDE_COMPARE = (
    "--compare stands on reports that are there and measures nothing: leave out the URL, --model, --quick and the "
    "options of what is measured."
)


@app.default
def audit(
    *urls: str,
    model: Annotated[tuple[str, ...], Parameter(negative_iterable=())] = (),
    api_key: Annotated[tuple[str, ...], Parameter(negative_iterable=())] = (),
    quick: Annotated[bool, _Switch] = False,
    json: Annotated[bool, _Switch] = False,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    compare: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative_iterable=())] = (),
    yes: Annotated[bool, Parameter(alias="-y", negative=())] = False,
    self_test: Annotated[bool, _Switch] = False,
    outputs: Annotated[Outputs, Parameter(name="*")] = Outputs(),  # noqa: B008 - frozen
    plan: Annotated[AuditPlan, Parameter(name="*", negative_iterable=(), show_default=as_typed)] = STANDARD,
) -> None:
    """Measure an endpoint the way an agent uses it, or compare several: cached TTFT, short generations, structured
    output, concurrent agents, an agent at real tasks. No verdict where the client was the bottleneck.

    Parameters
    ----------
    urls
        The endpoint's base URL, such as http://127.0.0.1:8383/v1. Without one, the embedded endpoint is
        started, measured and stopped. Several are measured by turns and compared with the first; the word
        embedded among them is the embedded endpoint.
    model
        The model to ask for. Without it, the endpoint's only one. For several URLs given once, or once for each.
    api_key
        The key to send. Also from TITHE_API_KEY or OPENAI_API_KEY. For several URLs given once, or once for each.
    quick
        A shorter audit: under 20 s on the embedded endpoint. Options named beside it keep their value.
    json
        Print the report as JSON, raw observations included, in place of tables.
    from_
        Show the report that --save wrote to this file, and measure nothing. With --html or --csv, make those of it.
    compare
        Compare the reports that --save wrote to these files with the first of them, and measure nothing.
    yes
        Do not ask before measuring an endpoint that is not on this machine.
    self_test
        Measure no endpoint: hold the measuring client to scenarios whose answers are known, and say where it
        is wrong. With --json alone.
    outputs
        Where it is written.
    plan
        What is measured.
    """
    asked = quick or plan != STANDARD or outputs.save is not None or bool(urls or model)
    if self_test:
        if asked or yes or outputs != Outputs() or api_key or from_ is not None or compare:
            raise UsageError("--self-test measures no endpoint: give it --json or nothing else.")
        _self_test(json=json)
    elif from_ is not None:
        # `quick` is in the plan by now: plan_flags put it there.
        if asked or compare:
            raise UsageError(_NOT_BESIDE_FROM)
        show_saved(from_, outputs, json=json)
    elif compare:
        if quick or plan != STANDARD or urls or model:
            raise UsageError(_NOT_BESIDE_COMPARE)
        compare_saved(compare, outputs, json=json)
    else:
        _measure(wanted(urls, model, api_key or _key()), plan, outputs, json=json, yes=yes)


def _measure(targets: Sequence[Wanted], plan: AuditPlan, outputs: Outputs, *, json: bool, yes: bool) -> None:
    notes = Console(stderr=True)
    outputs.check()
    for target in targets:
        if target.url is not None and not is_loopback(target.url) and not yes:
            confirm(target.url, plan, notes)
    found = run_command(measure(targets, plan, notes))
    give(found, outputs, json=json)
    _fail_if_cut_short(found.reports if isinstance(found, Comparison) else (found,))


def _fail_if_cut_short(reports: Sequence[AuditReport]) -> None:
    for report in reports:
        if report.interrupted:
            raise KeyboardInterrupt
        if report.gave_up is not None:
            raise EndpointError(
                f"The audit of {report.endpoint.url} gave up: {report.gave_up} The report holds what was measured until "
                "then; mend the endpoint or lower the load."
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


def _key() -> tuple[str, ...]:
    return tuple(value for name in _KEYS if (value := os.environ.get(name)))[:1]
