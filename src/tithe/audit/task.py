"""The task: an agent of ten steps, its wall clock split so that the parts sum to it.

The instants of a run cut its wall clock into pieces, and every piece goes to exactly one part:

    ttft      sent to first token of the call that answered
    decode    first token to last
    tool      the simulated tool (it sleeps from half to one and a half times its mean, drawn evenly)
    retry     a failed attempt whole, from its beginning to its end
    overhead  what lies between: connecting, the end of a stream after its last token, the client

An answer without a token has nothing but waiting: all of it is `ttft`. A step whose call fails is
tried once more, at once; a task whose step fails twice is over, and counted apart.
"""

import random

import msgspec

from tithe.audit.loop import AgentLoop
from tithe.audit.observation import Observation
from tithe.audit.probe import Probe
from tithe.audit.statistics import Estimate, median
from tithe.core import Message

_ATTEMPTS = 2


class TaskStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its attempts in order, then its tool. No tool ran after the last step or a failed one."""

    attempts: tuple[Observation, ...]
    tool_start: float | None = None
    tool_end: float | None = None


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the task, from `start` to `end` (monotonic seconds)."""

    repeat: int
    start: float
    end: float
    steps: tuple[TaskStep, ...]

    @property
    def completed(self) -> bool:
        return bool(self.steps) and self.steps[-1].attempts[-1].failure is None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A run's wall clock in seconds, and its parts: they sum to it."""

    wall_s: float
    ttft_s: float
    decode_s: float
    tool_s: float
    retry_s: float
    overhead_s: float


class TaskFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The runs that completed. `account` is that of the run with the (lower) median wall clock: a real
    run, so that its parts sum. Token figures are of all its steps; None is not reported."""

    wall_s: Estimate | None
    account: Account | None
    steps: int
    output_tokens: int | None
    prompt_tokens: int | None
    cached_tokens: int | None
    step_inference_s: Estimate | None
    completed: int
    failed: int


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement whole: what was seen, and what follows from it."""

    primes: tuple[Observation, ...]
    runs: tuple[TaskRun, ...]
    figures: TaskFigures


async def measure_task(probe: Probe) -> Task:
    """Prime the system prompt, then run the task `task_repeats` times."""
    plan = probe.plan
    system = probe.prompts.system(plan.prefix, "task/shared")
    prime = await probe.call(
        probe.request((system, probe.prompts.user(plan.tail, "task/prime"))), "task.prime"
    )
    runs = [await _run(probe, system, repeat) for repeat in range(plan.task_repeats)]
    return Task(primes=(prime,), runs=tuple(runs), figures=task_figures(tuple(runs), seed=plan.seed))


async def _run(probe: Probe, system: Message, repeat: int) -> TaskRun:
    plan, clock = probe.plan, probe.clock
    loop = AgentLoop(probe, system, f"task/{repeat}")
    # The same tool times in every run: runs then differ by the endpoint alone.
    tools = random.Random(f"{plan.seed}/tools")
    steps: list[TaskStep] = []
    start = clock.now()
    for number in range(plan.task_steps):
        attempts = [await probe.call(loop.request(), "task")]
        while attempts[-1].failure is not None and len(attempts) < _ATTEMPTS:
            attempts.append(await probe.call(loop.request(), "task", planned=False))
        if attempts[-1].failure is not None or number == plan.task_steps - 1:
            steps.append(TaskStep(attempts=tuple(attempts)))
            break
        tool_start = clock.now()
        await clock.sleep(plan.tool_s * tools.uniform(0.5, 1.5))
        steps.append(TaskStep(attempts=tuple(attempts), tool_start=tool_start, tool_end=clock.now()))
        loop.advance(attempts[-1])
    return TaskRun(repeat=repeat, start=start, end=clock.now(), steps=tuple(steps))


def account(run: TaskRun) -> Account:
    """Split a run's wall clock into its parts; see the top of the file."""
    parts = {"ttft": 0.0, "decode": 0.0, "tool": 0.0, "retry": 0.0, "overhead": 0.0}
    cursor = run.start
    for part, until in _cuts(run):
        parts[part] += until - cursor
        cursor = until
    parts["overhead"] += run.end - cursor
    return Account(
        wall_s=run.end - run.start,
        ttft_s=parts["ttft"],
        decode_s=parts["decode"],
        tool_s=parts["tool"],
        retry_s=parts["retry"],
        overhead_s=parts["overhead"],
    )


def _cuts(run: TaskRun) -> list[tuple[str, float]]:
    """The run's instants in order, each with the part that the time before it belongs to."""
    cuts: list[tuple[str, float]] = []
    for step in run.steps:
        for seen in step.attempts:
            cuts += _call_cuts(seen)
        if step.tool_start is not None and step.tool_end is not None:
            cuts += [("overhead", step.tool_start), ("tool", step.tool_end)]
    return cuts


def _call_cuts(seen: Observation) -> list[tuple[str, float]]:
    if seen.failure is not None or seen.sent is None:
        return [("overhead", seen.begun), ("retry", seen.ended)]
    if seen.first is None or seen.last is None:
        return [("overhead", seen.sent), ("ttft", seen.ended)]
    return [("overhead", seen.sent), ("ttft", seen.first), ("decode", seen.last)]


def task_figures(runs: tuple[TaskRun, ...], *, seed: int) -> TaskFigures:
    """Everything that follows from the runs; failed ones are counted apart."""
    completed = sorted((run for run in runs if run.completed), key=lambda run: run.end - run.start)
    shown = completed[(len(completed) - 1) // 2] if completed else None
    calls = [step.attempts[-1] for step in shown.steps] if shown is not None else []
    every = [step.attempts[-1] for run in completed for step in run.steps]
    return TaskFigures(
        wall_s=median([run.end - run.start for run in completed], seed=seed),
        account=account(shown) if shown is not None else None,
        steps=len(calls),
        output_tokens=_sum([seen.output_tokens for seen in calls]),
        prompt_tokens=_sum([seen.prompt_tokens for seen in calls]),
        cached_tokens=_sum([seen.cached_tokens for seen in calls]),
        step_inference_s=median([seen.total for seen in every if seen.total is not None], seed=seed),
        completed=len(completed),
        failed=len(runs) - len(completed),
    )


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
