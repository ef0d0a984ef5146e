"""Tasks that arrive whether or not the endpoint keeps up: the open loop beside the closed one.

Theory. In a closed loop an agent that waits sends nothing, so a slow endpoint is asked less and its worst
moments are seen least (coordinated omission; Tene 2013). Here tasks arrive by a Poisson process at a set
share of the steps a second that the closed loop reached, and each is an agent of `agent_steps` steps that
goes its way however many others are under way. A step is *due* when its task arrives or, later, when its
pause is over; its latency counts from then, not from when the client got round to sending it:

    TTFT from due  = first token - due
    TTFT from sent = first token - sent      beside it; what lies between is the client's send lag
    send lag       = sent - due              the connection and the client; the longest is shown

Arrivals and pauses are drawn from the seed before the first call, so two endpoints meet the same tasks.
"""

import asyncio
import random

import msgspec

from tithe.audit.loop import AgentLoop
from tithe.audit.observation import Observation
from tithe.audit.plan import LOADS
from tithe.audit.probe import Probe
from tithe.core import Message
from tithe.core.statistics import Estimate, median, tail


class DueStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step and the instant at which it should have been sent."""

    due: float
    observation: Observation

    @property
    def ttft(self) -> float | None:
        """Seconds from due to the first token; None when no token came."""
        first = self.observation.first
        return first - self.due if first is not None else None

    @property
    def send_lag(self) -> float | None:
        sent = self.observation.sent
        return sent - self.due if sent is not None else None


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A task that arrived at `due`, and ended at `end`."""

    due: float
    end: float
    steps: tuple[DueStep, ...]


class ArrivalFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the tasks of one rate. Failed calls are in `failed` and nowhere else.

    A p95 or p99 is None with too few calls to have one (statistics.py).
    """

    ttft_p50_s: Estimate | None
    ttft_p95_s: Estimate | None
    ttft_p99_s: Estimate | None
    sent_ttft_p50_s: Estimate | None
    sent_ttft_p95_s: Estimate | None
    send_lag_p99_s: float | None
    send_lag_max_s: float | None = None
    task_s: Estimate | None
    calls: int
    failed: int


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that arrived at `tasks_per_s` on the mean: `load` of the steps a second of the closed loop."""

    load: float
    tasks_per_s: float
    tasks: tuple[Arrived, ...]
    figures: ArrivalFigures


async def measure_arrivals(
    probe: Probe, system: Message, capacity_steps_per_s: float
) -> tuple[Arrivals, ...]:
    """One run for each of `LOADS`, from the lighter to the heavier, as far as the limits allow."""
    runs: list[Arrivals] = []
    for load in LOADS:
        if capacity_steps_per_s <= 0 or not probe.plan.arrivals or probe.ended() is not None:
            break
        tasks_per_s = load * capacity_steps_per_s / probe.plan.agent_steps
        async with probe.seat.turn():
            tasks = await _run(probe, system, load, tasks_per_s)
        figures = arrival_figures(tasks, seed=probe.plan.seed)
        runs.append(Arrivals(load=load, tasks_per_s=tasks_per_s, tasks=tasks, figures=figures))
    return tuple(runs)


async def _run(probe: Probe, system: Message, load: float, tasks_per_s: float) -> tuple[Arrived, ...]:
    plan = probe.plan
    await probe.ready()
    draw = random.Random(f"{plan.seed}/arrivals/{load}")
    due = probe.clock.now()
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[Arrived]] = []
        for number in range(plan.arrivals):
            due += draw.expovariate(tasks_per_s)
            await probe.clock.sleep(max(0.0, due - probe.clock.now()))
            if probe.ended() is not None:
                break
            tasks.append(group.create_task(_task(probe, system, f"arrivals/{load}/{number}", due)))
    return tuple(task.result() for task in tasks)


async def _task(probe: Probe, system: Message, key: str, due: float) -> Arrived:
    plan = probe.plan
    loop = AgentLoop(probe, system, key)
    pauses = random.Random(f"{plan.seed}/{key}")
    arrived, steps = due, list[DueStep]()
    for _ in range(plan.agent_steps):
        await probe.clock.sleep(max(0.0, due - probe.clock.now()))
        seen = await probe.call(loop.request(), "concurrency.arrivals", patient=False)
        steps.append(DueStep(due=due, observation=seen))
        if seen.failure is None:
            loop.advance(seen)
        if probe.stopped_by() is not None:
            break
        pause = pauses.expovariate(1 / plan.think_s) if plan.think_s > 0 else 0.0
        due = seen.ended + pause
    return Arrived(due=arrived, end=probe.clock.now(), steps=tuple(steps))


def arrival_figures(tasks: tuple[Arrived, ...], *, seed: int) -> ArrivalFigures:
    """Everything that follows from the tasks; failed calls are counted apart."""
    steps = [step for task in tasks for step in task.steps]
    answered = [step for step in steps if step.observation.answered]
    due = [step.ttft for step in answered if step.ttft is not None]
    sent = [step.observation.ttft for step in answered if step.observation.ttft is not None]
    lags = [step.send_lag for step in answered if step.send_lag is not None]
    lag = tail(lags, 0.99)
    whole = [task for task in tasks if task.steps and all(step.observation.answered for step in task.steps)]
    return ArrivalFigures(
        ttft_p50_s=median(due, seed=seed),
        ttft_p95_s=tail(due, 0.95, seed=seed),
        ttft_p99_s=tail(due, 0.99, seed=seed),
        sent_ttft_p50_s=median(sent, seed=seed),
        sent_ttft_p95_s=tail(sent, 0.95, seed=seed),
        send_lag_p99_s=lag.value if lag is not None else None,
        send_lag_max_s=max(lags, default=None),
        task_s=median([task.end - task.due for task in whole], seed=seed),
        calls=len(steps),
        failed=len(steps) - len(answered),
    )
