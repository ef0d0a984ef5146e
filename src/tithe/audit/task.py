"""The task: an agent at work on real tasks, each run's wall clock split so that the parts sum to it.

Tasks of the task world (tithe.world), none of which the bundled model was trained on: the plan's seed
draws them, the families take turns, and every run has a task of its own. The tools really act; what an
answer asks for is run before the next call, on a thread, so that the event loop goes on. A run ends
when the agent called finish or used up the task's steps, and the world then judges what it finds:

    solved     it ran to its end, and the final state and the answer are right
    unsolved   it ran to its end, and they are not
    failed     a call failed for good: nothing is known of the agent, and the run is in no figure

What is sent is what an agent's client sends: the tools with `tool_choice` left at auto and `strict` left
unset, temperature 0 (an agent's calls are to be right, not varied; and a run can be repeated), at most
`task_out` tokens an answer. The first call tells whether the endpoint takes a temperature: one that
refuses it (HTTP 400, 422) is asked without from then on. Reasoning is not sent back, as most clients don't.
The prompts carry no salt, since a goal must read as it is: an endpoint that is audited twice with one seed
may find in its cache what it saw the first time.

A step whose call fails is tried once more, at once; one that is turned away for now, as often and as late as
patience.py has it, and that waiting is `retry` too. An endpoint that refuses the first call whatever its
temperature has no tools, or not these: no run is begun, and the report tells what it said. A step's seconds are
those from its first attempt to the end of its tools.

Tasks differ in length, so their wall clocks compare endpoints only where both solved the same tasks;
seconds a step compare better.
"""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

import msgspec

from tithe.audit.observation import Observation
from tithe.audit.patience import asks_for_patience
from tithe.audit.plan import PROBE_TOKENS, AuditPlan
from tithe.audit.probe import Probe
from tithe.audit.sampling import Extent
from tithe.audit.task_run import Account, TaskOutcome, TaskRun, TaskStep, account
from tithe.core import Message, Request, Sampling, ToolCall
from tithe.core.statistics import Estimate, Share, median, wilson
from tithe.world import FAMILIES, Episode, Family, Split, World, make_task, open_world
from tithe.world import Task as WorldTask

SPLIT: Split = "held_out"
_ATTEMPTS = 2
_SEEDS = 1_000_000
# What stands in the history for an answer without text or call: some servers refuse an empty one.
_NO_TEXT = "(nothing)"


class FamilyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One family's runs. `solved` is of those that ran to their end; None: none did."""

    family: Family
    solved: Share | None
    failed: int


class TaskFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the runs. Failed ones are counted in `failed` and in nothing else.

    Of all runs that ran to their end: `solved`, `wall_s`, `step_s` and `step_inference_s` (of their steps, the
    latter from sent to last token), and `answers` of which `idle` called no tool and `cut` ran into `task_out`,
    `calls` of which `faults` did not fit.
    Of the solved ones: `solved_wall_s` and `solved_steps`.

    `shown` is the `repeat` of one real run, so that its parts sum: the (lower) median wall clock of the solved
    ones or, where none was, of those that ran to their end. `account`, `steps` and the token figures are
    that run's; None is not reported.
    """

    families: tuple[FamilyFigures, ...]
    solved: Share | None
    failed: int
    wall_s: Estimate | None
    solved_wall_s: Estimate | None
    solved_steps: Estimate | None
    step_s: Estimate | None
    step_inference_s: Estimate | None
    answers: int
    idle: int
    cut: int
    calls: int
    faults: int
    shown: int | None
    account: Account | None
    steps: int
    output_tokens: int | None
    prompt_tokens: int | None
    cached_tokens: int | None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement whole: what was seen, and what follows from it.

    `temperature` is what was sent; None: the endpoint refused the plan's, so none was. `refused` is what it said
    where it takes no such call at all; no run was begun then.
    """

    temperature: float | None
    primes: tuple[Observation, ...]
    runs: tuple[TaskRun, ...]
    extent: Extent
    figures: TaskFigures
    refused: str | None = None

    @property
    def shown(self) -> TaskRun | None:
        """The run that `figures.account` is of."""
        return next((run for run in self.runs if run.repeat == self.figures.shown), None)


def draw_tasks(plan: AuditPlan) -> tuple[WorldTask, ...]:
    """The tasks that an audit with this plan gives to the agent, in order."""
    seeds = random.Random(f"{plan.seed}/tasks")
    families = plan.task_families
    drawn = [
        make_task(families[repeat % len(families)], seeds.randrange(_SEEDS), SPLIT)
        for repeat in range(plan.task_repeats)
    ]
    return tuple(
        msgspec.structs.replace(task, step_limit=min(task.step_limit, plan.task_steps)) for task in drawn
    )


async def measure_task(probe: Probe) -> Task:
    """Prime each family's system prompt and tools, then run every task once, as far as the limits allow."""
    async with probe.seat.turn():
        tasks = await asyncio.to_thread(draw_tasks, probe.plan)
        primes, temperature, refused = await _prime(probe, tasks)
    if refused is not None:
        tasks = ()
    runs: list[TaskRun] = []
    while (ended := probe.ended()) is None and len(runs) < len(tasks):
        async with probe.seat.turn():
            await probe.ready()
            runs.append(await _run(probe, tasks[len(runs)], len(runs), temperature))
    return Task(
        temperature=temperature,
        primes=tuple(primes),
        runs=tuple(runs),
        extent=Extent(rounds=len(runs), ended=ended or "samples"),
        figures=task_figures(tuple(runs), seed=probe.plan.seed),
        refused=refused,
    )


async def _prime(
    probe: Probe, tasks: tuple[WorldTask, ...]
) -> tuple[list[Observation], float | None, str | None]:
    """One call for each family, the temperature that the endpoint takes, and what it said if it takes none."""
    temperature: float | None = probe.plan.task_temperature
    primes: list[Observation] = []
    for task in {task.family: task for task in tasks}.values():
        note = probe.prompts.user(probe.plan.tail, f"task/prime/{task.family}")
        messages = (Message(role="system", content=task.system), note)
        request = _request(probe, task, messages, temperature, PROBE_TOKENS)
        primes.append(await probe.call(request, prime_label(task.family)))
        if len(primes) == 1 and primes[0].refusal is not None:
            request = _request(probe, task, messages, None, PROBE_TOKENS)
            primes.append(await probe.call(request, prime_label(task.family), planned=False))
            if (refused := primes[1].refusal) is not None:
                return primes, temperature, refused
            temperature = None if primes[1].failure is None else temperature
    return primes, temperature, None


def prime_label(family: Family) -> str:
    """The label of the call that primes a family's system prompt and tools."""
    return f"task.prime.{family}"


def _request(
    probe: Probe,
    task: WorldTask,
    messages: tuple[Message, ...],
    temperature: float | None,
    max_tokens: int,
) -> Request:
    request = msgspec.structs.replace(probe.request(messages, max_tokens), tools=task.tools)
    if temperature is None:
        return request
    return msgspec.structs.replace(request, sampling=Sampling(temperature=temperature))


async def _run(probe: Probe, task: WorldTask, repeat: int, temperature: float | None) -> TaskRun:
    loop = asyncio.get_running_loop()
    # One thread of its own: an audit that is stopped in the midst of a tool closes the world after it.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="task-tools") as hands:
        world = await loop.run_in_executor(hands, open_world, task)
        try:
            episode = Episode(world)
            steps: list[TaskStep] = []
            start = end = probe.clock.now()
            while not episode.over and (not steps or steps[-1].tool_end is not None):
                steps.append(await _step(probe, episode, temperature, hands))
                end = probe.clock.now()
        finally:
            await loop.run_in_executor(hands, world.close)
    return TaskRun(
        repeat=repeat,
        family=task.family,
        seed=task.seed,
        split=task.split,
        start=start,
        end=end,
        outcome=_outcome(world, steps),
        answer=world.answer,
        idle=episode.idle,
        faults=world.faults,
        steps=tuple(steps),
        messages=episode.messages,
    )


async def _step(
    probe: Probe, episode: Episode, temperature: float | None, hands: ThreadPoolExecutor
) -> TaskStep:
    task, clock = episode.world.task, probe.clock
    request = _request(probe, task, episode.messages, temperature, probe.plan.task_out)
    attempts = [await probe.call(request, "task", patient=False)]
    while _is_tried_again(probe, attempts):
        await probe.ready()
        attempts.append(await probe.call(request, "task", planned=False, patient=False))
    if attempts[-1].failure is not None:
        return TaskStep(attempts=tuple(attempts))
    tool_start = clock.now()
    answer = _as_message(attempts[-1], episode.answers)
    await asyncio.get_running_loop().run_in_executor(hands, episode.take, answer)
    return TaskStep(attempts=tuple(attempts), tool_start=tool_start, tool_end=clock.now())


def _is_tried_again(probe: Probe, attempts: list[Observation]) -> bool:
    last = attempts[-1].failure
    turned_away = sum(asks_for_patience(one.failure) for one in attempts)
    if asks_for_patience(last):
        return probe.will_wait(last, turned_away - 1)
    return last is not None and len(attempts) - turned_away < _ATTEMPTS


def _as_message(seen: Observation, number: int) -> Message:
    """The answer as it goes into the history. A call that came without an id gets one, for its result to name."""
    calls = tuple(
        ToolCall(id=call.id or f"call_{number}_{place}", name=call.name, arguments=call.arguments)
        for place, call in enumerate(seen.tool_calls)
    )
    return Message(role="assistant", content=seen.text or (None if calls else _NO_TEXT), tool_calls=calls)


def _outcome(world: World, steps: list[TaskStep]) -> TaskOutcome:
    """What became of a run whose world is closed, and so has been judged."""
    if steps[-1].tool_end is None:
        return "failed"
    return "solved" if world.succeeded else "unsolved"


def task_figures(runs: tuple[TaskRun, ...], *, seed: int) -> TaskFigures:
    """Everything that follows from the runs; failed ones are counted apart."""
    ended = [run for run in runs if run.outcome != "failed"]
    solved = [run for run in ended if run.outcome == "solved"]
    by_length = sorted(solved or ended, key=lambda run: run.wall_s)
    shown = by_length[(len(by_length) - 1) // 2] if by_length else None
    calls = [step.attempts[-1] for step in shown.steps] if shown is not None else []
    steps = [step for run in ended for step in run.steps]
    answers = [step.attempts[-1] for step in steps]
    return TaskFigures(
        families=tuple(_family(one, runs) for one in FAMILIES if any(run.family == one for run in runs)),
        solved=wilson(len(solved), len(ended)),
        failed=len(runs) - len(ended),
        wall_s=median([run.wall_s for run in ended], seed=seed),
        solved_wall_s=median([run.wall_s for run in solved], seed=seed),
        solved_steps=median([float(len(run.steps)) for run in solved], seed=seed),
        step_s=median([time for step in steps if (time := _step_seconds(step)) is not None], seed=seed),
        step_inference_s=median([seen.total for seen in answers if seen.total is not None], seed=seed),
        answers=len(answers),
        idle=sum(run.idle for run in ended),
        cut=sum(seen.finish == "length" for seen in answers),
        calls=sum(len(seen.tool_calls) for seen in answers),
        faults=sum(run.faults for run in ended),
        shown=shown.repeat if shown is not None else None,
        account=account(shown) if shown is not None else None,
        steps=len(calls),
        output_tokens=_sum([seen.output_tokens for seen in calls]),
        prompt_tokens=_sum([seen.prompt_tokens for seen in calls]),
        cached_tokens=_sum([seen.cached_tokens for seen in calls]),
    )


def _family(family: Family, runs: tuple[TaskRun, ...]) -> FamilyFigures:
    outcomes = [run.outcome for run in runs if run.family == family]
    failed = outcomes.count("failed")
    return FamilyFigures(
        family=family,
        solved=wilson(outcomes.count("solved"), len(outcomes) - failed),
        failed=failed,
    )


def _step_seconds(step: TaskStep) -> float | None:
    return step.tool_end - step.attempts[0].begun if step.tool_end is not None else None


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
