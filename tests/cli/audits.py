"""Audits of an endpoint whose every time is known, run on the fake clock."""

import asyncio

from tithe.audit import AuditPlan, AuditReport, Endpoint, run_audit
from tithe.audit.known import KnownEndpoint, KnownLag, KnownOptions
from tithe.core import FakeClock, ScriptedBackend


def audited(plan: AuditPlan) -> AuditReport:
    """What an audit with this plan finds."""
    clock = FakeClock()
    backend, null = (ScriptedBackend(KnownEndpoint(KnownOptions()), clock) for _ in range(2))

    async def main() -> AuditReport:
        work = run_audit(
            backend, Endpoint(url="u", model="known"), plan, null=null, watch=KnownLag(0.0001), clock=clock
        )
        return await clock.run(asyncio.ensure_future(work), idle_turns=8)

    return asyncio.run(main())
