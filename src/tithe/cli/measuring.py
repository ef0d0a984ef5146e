"""Measuring what `tithe audit` was pointed at: one endpoint, or several by turns."""

import contextlib
import gc
from collections.abc import Sequence

from rich.console import Console

from tithe.audit import (
    AuditPlan,
    AuditReport,
    Candidate,
    Comparison,
    ThreadedLagWatch,
    costs,
    run_audit,
    run_comparison,
)
from tithe.cli.interruption import SignalledInterruption
from tithe.cli.progress import CallProgress
from tithe.cli.target import Wanted, null_backend, open_target
from tithe.core import SystemClock
from tithe.core.errors import EndpointError


async def measure(
    wanted: Sequence[Wanted], plan: AuditPlan, notes: Console, interruption: SignalledInterruption
) -> AuditReport | Comparison:
    """Audit the endpoint that is wanted; several are compared with the first."""
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        targets = [
            await stack.enter_async_context(open_target(one, timeout_s=plan.timeout)) for one in wanted
        ]
        null = await stack.enter_async_context(null_backend(targets[0].endpoint.model))
        progress = CallProgress(len(targets) * sum(cost.usual_calls for cost in costs(plan)), notes)
        watch = ThreadedLagWatch(clock)
        # What is imported by now never becomes garbage; kept out, it does not lengthen the collector's pauses.
        gc.collect()
        gc.freeze()
        with progress, interruption.heeded():
            try:
                if len(targets) > 1:
                    return await run_comparison(
                        [Candidate(backend=one.backend, endpoint=one.endpoint) for one in targets],
                        plan,
                        null=null,
                        watch=watch,
                        clock=clock,
                        progress=progress,
                        interruption=interruption,
                    )
                return await run_audit(
                    targets[0].backend,
                    targets[0].endpoint,
                    plan,
                    null=null,
                    watch=watch,
                    clock=clock,
                    progress=progress,
                    interruption=interruption,
                )
            except EndpointError:
                if interruption.happened:
                    interruption.end()
                raise
