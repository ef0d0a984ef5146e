"""Several endpoints audited side by side, by turns (turns.py), and compared."""

import asyncio
import secrets
from collections.abc import Sequence

import msgspec

from tithe.audit.audit import AuditReport, Endpoint, run_audit
from tithe.audit.comparison import Comparison, compare
from tithe.audit.innocence import LagWatch
from tithe.audit.lag_sharing import shared_watches
from tithe.audit.plan import AuditPlan
from tithe.audit.probe import Interruption, Progress
from tithe.audit.turns import Seat, Turns
from tithe.core import Backend, Clock
from tithe.core.errors import EndpointError, TitheError


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint to compare, and the backend that reaches it."""

    backend: Backend
    endpoint: Endpoint


async def run_comparison(
    candidates: Sequence[Candidate],
    plan: AuditPlan,
    *,
    null: Backend | None,
    watch: LagWatch,
    clock: Clock,
    progress: Progress | None = None,
    interruption: Interruption | None = None,
) -> Comparison:
    """Audit every candidate by the same plan, a round at a time in random order, and compare them with the first.

    Each has salts of its own, so that two names of one endpoint share no prefix. Limits of tokens and calls
    are each candidate's; the limit of time is the whole comparison's. The other arguments are those of `run_audit`.

    Raises:
        EndpointError: an endpoint answered no warm-up call; the message names it.
        UsageError: there are fewer than two candidates, or they have no figure in common.
    """
    turns = Turns(len(candidates), plan.seed)
    watches = shared_watches(watch, len(candidates))
    interruption = interruption or Interruption()
    run = secrets.token_hex(8)

    async def one(place: int, candidate: Candidate, seat: Seat) -> AuditReport:
        try:
            return await run_audit(
                candidate.backend,
                candidate.endpoint,
                plan,
                null=null,
                watch=watches[place],
                clock=clock,
                progress=progress,
                interruption=interruption,
                salt=f"{run}{place}",
                seat=seat,
            )
        except EndpointError as error:
            raise EndpointError(f"{candidate.endpoint.url}: {error.message}") from error

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(one(place, candidate, seat))
                for place, (candidate, seat) in enumerate(zip(candidates, turns.seats, strict=True))
            ]
    except BaseExceptionGroup as failed:
        ours = failed.subgroup(TitheError)
        if ours is None:
            raise
        raise ours.exceptions[0] from failed
    return compare([task.result() for task in tasks], interleaved=True)
