"""The question before an audit of an endpoint that is not on this machine: it may cost money."""

import sys
from urllib.parse import urlsplit

from rich.console import Console

from tithe.audit import AuditPlan, costs, foreseen
from tithe.core.errors import UsageError
from tithe.net import guard
from tithe.report.failures import MEASUREMENTS


def is_loopback(url: str) -> bool:
    """Whether `url` is on this machine."""
    host = urlsplit(url if "://" in url else f"http://{url}").hostname or ""
    return host.endswith(".localhost") or guard.is_loopback(host)


def confirm(url: str, plan: AuditPlan, notes: Console) -> None:
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


def warn_of_limits(plan: AuditPlan, notes: Console) -> None:
    """Say which measurements the plan's limits are too small for, before any is made."""
    left_out = foreseen(plan)
    limits = " or ".join(
        f"{flag} {limit:,g}"
        for flag, limit in (("--max-requests", plan.max_requests), ("--max-tokens", plan.max_tokens))
        if limit is not None
    )
    if left_out:
        verb, them = ("is", "it") if len(left_out) == 1 else ("are", "them")
        line = f"{', '.join(MEASUREMENTS[one] for one in left_out)} {verb} left out: {limits} is too little for {them}."
        notes.print(line, highlight=False, soft_wrap=True)
