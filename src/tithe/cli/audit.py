"""`tithe audit`: an endpoint, measured the way an agent uses it.

What opens sockets is imported where an endpoint is asked: help, `--from`, `--compare` and `--schema` need none of it.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from tithe.audit import STANDARD, AuditPlan, AuditReport, Comparison, as_typed, written_schema
from tithe.cli.consent import confirm, is_loopback, warn_of_limits
from tithe.cli.giving import give
from tithe.cli.instead import Instead
from tithe.cli.loop import run_command
from tithe.cli.outputs import Outputs
from tithe.cli.paper import show
from tithe.cli.plan_flags import fill_plan
from tithe.cli.progress import CallProgress
from tithe.cli.saved import compare_saved, show_saved
from tithe.core.errors import EndpointError
from tithe.report import print_self_test

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

_Switch = Parameter(negative=())


@app.default
def audit(
    *urls: str,
    model: Annotated[tuple[str, ...], Parameter(negative_iterable=())] = (),
    api_key: Annotated[tuple[str, ...], Parameter(negative_iterable=())] = (),
    quick: Annotated[bool, _Switch] = False,
    json: Annotated[bool, _Switch] = False,
    yes: Annotated[bool, Parameter(alias="-y", negative=())] = False,
    instead: Annotated[Instead, Parameter(name="*")] = Instead(),  # noqa: B008 - frozen
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
        A shorter audit: under 20 s on the embedded endpoint; a comparison takes more. Options named beside it keep their value.
    json
        Print the report as JSON, raw observations included, in place of tables.
    yes
        Do not ask before measuring an endpoint that is not on this machine.
    instead
        What is done in place of measuring.
    outputs
        Where it is written.
    plan
        What is measured.
    """
    # `quick` is in the plan by now: plan_flags put it there.
    instead.check(
        asked=quick or plan != STANDARD or bool(urls or model),
        saving=outputs.save is not None,
        beside=yes or outputs != Outputs() or bool(api_key),
        json=json,
    )
    if instead.schema:
        sys.stdout.write(written_schema())
    elif instead.self_test:
        _self_test(json=json)
    elif instead.from_ is not None:
        show_saved(instead.from_, outputs, json=json)
    elif instead.compare:
        compare_saved(instead.compare, outputs, json=json)
    else:
        _measure(urls, model, api_key, plan, outputs, json=json, yes=yes)


def _measure(
    urls: Sequence[str],
    models: Sequence[str],
    keys: Sequence[str],
    plan: AuditPlan,
    outputs: Outputs,
    *,
    json: bool,
    yes: bool,
) -> None:
    from tithe.cli.interruption import SignalledInterruption
    from tithe.cli.measuring import measure
    from tithe.cli.target import endpoint_key, wanted
    from tithe.net.client import endpoint_url, resolve

    targets, notes = wanted(urls, models, keys, endpoint_key()), Console(stderr=True)
    outputs.check()
    for target in targets:
        if target.url is not None and not is_loopback(target.url) and not yes:
            # A host that is not there is told before the question what it will cost.
            run_command(resolve(endpoint_url(target.url)))
            confirm(target.url, plan, notes)
    warn_of_limits(plan, notes)
    interruption = SignalledInterruption()
    found = run_command(measure(targets, plan, notes, interruption))
    give(found, outputs, json=json)
    reports = found.reports if isinstance(found, Comparison) else (found,)
    if any(report.interrupted for report in reports):
        interruption.end()
    _fail_if_given_up(reports)


def _fail_if_given_up(reports: Sequence[AuditReport]) -> None:
    for report in reports:
        if report.gave_up is not None:
            raise EndpointError(
                f"The audit of {report.endpoint.url} gave up: {report.gave_up} The report holds what was measured until "
                "then; mend the endpoint or lower the load."
            )


def _self_test(*, json: bool) -> None:
    """Hold our client to the conformance suite; exits with 1 unless it holds everywhere."""
    from tithe.cli.self_test import ROUNDS, run_self_test
    from tithe.net.conformance import SCENARIOS

    progress = CallProgress(len(SCENARIOS) * ROUNDS, Console(stderr=True), unit="runs")
    with progress:
        result = run_command(run_self_test(progress=progress))
    if json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        show(lambda console: print_self_test(result, console))
    if not result.holds:
        sys.exit(1)
