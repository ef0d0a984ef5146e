"""An audit of an endpoint whose answers are known, on a clock turned by hand."""

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from tithe.audit import AuditPlan, AuditReport, Endpoint, draw_tasks, run_audit
from tithe.audit.known import KnownEndpoint, KnownLag, KnownOptions
from tithe.audit.probe import Probe
from tithe.audit.prompt import Prompts
from tithe.core import FakeClock, Message, ScriptedBackend
from tithe.core.words import calibration_from
from tithe.world import solve

T = TypeVar("T")

SMALL = AuditPlan(
    lengths=(128, 512, 1024),
    repeats=4,
    prefix=256,
    totals=(10, 20),
    step_out=16,
    step_in=40,
    chat_in=256,
    chat_out=64,
    chat_repeats=3,
    structured_tokens=48,
    concurrency=(1, 3),
    agent_steps=2,
    rounds=2,
    task_repeats=3,
    task_out=64,
)


@functools.cache
def expert(plan: AuditPlan) -> tuple[tuple[Message, ...], ...]:
    """How the expert goes about each of the plan's tasks."""
    return tuple(solve(task).messages for task in draw_tasks(plan))


class Bench:
    """One known endpoint, a null backend, and a clock."""

    def __init__(
        self, options: KnownOptions, plan: AuditPlan, lag: float, floor_s: float, *, solves: bool
    ) -> None:
        self.plan = plan
        self.clock = FakeClock()
        self.watch = KnownLag(lag)
        known = KnownEndpoint(options, expert(plan) if solves else ())
        self.backend = ScriptedBackend(known, self.clock)
        null = KnownOptions(base_s=floor_s, uncached_token_s=0.0, decode_s=1e-9)
        self.null = ScriptedBackend(KnownEndpoint(null), self.clock)
        # One word is one token at this endpoint, so lengths come out exactly.
        self.probe = Probe(self.backend, "m", plan, Prompts(calibration_from(138, 650), "salt"), self.clock)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def main() -> T:
            return await self.clock.run(asyncio.ensure_future(work()), idle_turns=8)

        return asyncio.run(main())

    def audit(self, *, with_null: bool = True) -> AuditReport:
        return self.run(
            lambda: run_audit(
                self.backend,
                Endpoint(url="http://127.0.0.1:1/v1", model="m"),
                self.plan,
                null=self.null if with_null else None,
                watch=self.watch,
                clock=self.clock,
                salt="salt",
            )
        )


@pytest.fixture
def bench() -> Callable[..., Bench]:
    def make(
        lag: float = 0.0001,
        floor_s: float = 0.0001,
        repeats: int = 4,
        plan: dict[str, object] | None = None,
        *,
        solves: bool = True,
        **truth: object,
    ) -> Bench:
        changed = dataclasses.replace(SMALL, repeats=repeats, **plan or {})  # type: ignore[arg-type]
        return Bench(KnownOptions(**truth), changed, lag, floor_s, solves=solves)  # type: ignore[arg-type]

    return make
