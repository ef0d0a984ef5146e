"""Concurrent steps: N agents that share a system prompt, each waiting for its own answers.

A closed loop with think time: an agent sends its next call when the answer is there and its pause is
over, so the load falls when the endpoint slows, as it does with real agents. Pauses are drawn once
an agent and step (exponential) and are the same whatever N. N climbs: 1, 2, 4, ... until twice the agents
get less than a tenth more steps a second out of the endpoint (knee.py), more than half of the calls fail,
or a limit is reached; or the plan names the numbers. Then all of them take turns again in random order
until each was visited `rounds` times; where that shows growth after all, the climb goes on. The shared prompt is primed beforehand, as it is in a fleet at work.
Last, tasks arrive by themselves (arrivals.py).

    tokens/s of an agent = its output tokens / the seconds it waited for answers (sent to last token)
    aggregate            = all output tokens / wall clock of the round, pauses included
    Jain's index         over the agents of one N; worst / median of their tokens/s beside it
    step time            of a call: TTFT + (S - 1) / decode rate, with S = the plan's `step_out`; so an answer
                         that ended early counts as a whole step. Without a decode rate (no usage, or all
                         tokens in one instant): sent to last token

Calls of one agent are not independent of each other, so the intervals of TTFT are somewhat too narrow.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from tithe.audit.arrivals import Arrivals, measure_arrivals
from tithe.audit.knee import Cycles, Knee, find_knee, rate, saturated
from tithe.audit.loop import AgentLoop
from tithe.audit.observation import Observation
from tithe.audit.probe import Probe, Stop
from tithe.audit.sampling import Extent
from tithe.core import Message
from tithe.core.statistics import Estimate, jain, median, tail

Climb = Literal["saturated", "failing", "refused", "planned"] | Stop
"""Why no more agents were tried: the capacity was reached, most calls failed, the shared prompt is not taken, the plan has no more, or a limit."""


class AgentRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent saw in one round, from its first pause to its last token (monotonic seconds)."""

    agent: int
    start: float
    end: float
    observations: tuple[Observation, ...]


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """`agents` that ran at once, from `start` to `end` (monotonic seconds)."""

    agents: int
    round: int
    start: float
    end: float
    runs: tuple[AgentRun, ...]


class ConcurrencyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One N. Rates in tokens a second, None where the endpoint reports no usage; `steps_per_s` of all agents.

    A p95 or p99 is None with too few calls to have one (statistics.py).
    """

    agents: int
    step_s: Estimate | None
    ttft_p50_s: Estimate | None
    ttft_p95_s: Estimate | None
    ttft_p99_s: Estimate | None
    steps_per_s: float | None
    agent_tokens_per_s: Estimate | None
    aggregate_tokens_per_s: float | None
    jain: float | None
    worst_over_median: float | None
    cached_tokens: float | None
    prompt_tokens: float | None
    calls: int
    failed: int


class Concurrency(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement whole: what was seen, and what follows from it.

    `climb` is what ended the climb. `knee` None: no lone agent was answered. `refused` is
    what the endpoint said where it does not take the shared prompt; no agent was begun then.
    """

    primes: tuple[Observation, ...]
    rounds: tuple[Round, ...]
    extent: Extent
    climb: Climb
    figures: tuple[ConcurrencyFigures, ...]
    knee: Knee | None
    arrivals: tuple[Arrivals, ...]
    refused: str | None = None

    @property
    def most(self) -> int:
        """The most agents that ran at once; 0 when none did."""
        return max((one.agents for one in self.rounds), default=0)


async def measure_concurrency(probe: Probe) -> Concurrency:
    """Prime the shared prompt, climb to the knee, visit every number again, and let tasks arrive."""
    plan = probe.plan
    system = probe.prompts.system(plan.prefix, "concurrency/shared")
    async with probe.seat.turn():
        prime = await probe.call(
            probe.request((system, probe.prompts.user(plan.tail, "concurrency/prime"))), "concurrency.prime"
        )
    rounds: list[Round] = []
    left = list(plan.climb)
    climb = await _climb(probe, system, left, rounds) if prime.refusal is None else "refused"
    # Endpoints that are compared look again, and let tasks arrive, only when all have climbed.
    probe.seat.place += 1
    while (ended := await _revisit(probe, system, rounds)) is None:
        # The first look at the highest number may have been a hiccup: then there is more to climb.
        if climb != "saturated" or not left or saturated(cycles(rounds)):
            break
        climb = await _climb(probe, system, left, rounds)
    probe.seat.place += 1
    knee = find_knee(cycles(rounds), seed=plan.seed)
    return Concurrency(
        primes=(prime,),
        rounds=tuple(rounds),
        extent=Extent(rounds=len(rounds), ended=ended or "samples"),
        climb=climb,
        figures=concurrency_figures(tuple(rounds), step_tokens=plan.step_out, seed=plan.seed),
        knee=knee,
        arrivals=await measure_arrivals(
            probe, system, knee.capacity_steps_per_s if knee is not None else 0.0
        ),
        refused=prime.refusal,
    )


async def _climb(probe: Probe, system: Message, left: list[int], rounds: list[Round]) -> Climb:
    """Take a first round of each number that is `left`, in rising order; returns why there was no higher one."""
    while left:
        # The first two are its least: the share is made for them.
        a_round = left[0] * probe.plan.agent_steps if len(rounds) > 1 else 0
        ended = probe.ended(a_round)
        if ended is not None:
            return ended
        async with probe.seat.turn():
            rounds.append(await run_round(probe, system, left.pop(0), 0))
        calls = [seen for run in rounds[-1].runs for seen in run.observations]
        if 2 * sum(not seen.answered for seen in calls) > len(calls):
            return "failing"
        if not probe.plan.concurrency and saturated(cycles(rounds)):
            return "saturated"
    return "planned"


async def _revisit(probe: Probe, system: Message, rounds: list[Round]) -> Stop | None:
    """Visit the numbers that were climbed to, in random order, until each has the plan's rounds."""
    visited = Counter(one.agents for one in rounds)
    visits = probe.plan.visits
    for number in range(1, max(map(visits, visited), default=0)):
        due = [agents for agents, times in visited.items() if times <= number < visits(agents)]
        # A number's place in the order does not depend on which others there are: compared endpoints may have more.
        lots = {
            agents: random.Random(f"{probe.plan.seed}/concurrency/{number}/{agents}").random()
            for agents in due
        }
        for agents in sorted(due, key=lots.__getitem__):
            ended = probe.ended(agents * probe.plan.agent_steps)
            if ended is not None:
                return ended
            async with probe.seat.turn():
                rounds.append(await run_round(probe, system, agents, number))
    return probe.ended()


def cycles(rounds: Sequence[Round]) -> list[Cycles]:
    """The agents' steps a second, a level for each number of agents, rising."""
    rates: dict[int, list[float]] = {one.agents: [] for one in sorted(rounds, key=lambda one: one.agents)}
    for one in rounds:
        found = [rate(run.start, run.end, run.observations) for run in one.runs]
        rates[one.agents] += [each for each in found if each is not None]
    return [Cycles(agents=agents, rates=tuple(found)) for agents, found in rates.items()]


async def run_round(probe: Probe, system: Message, agents: int, number: int) -> Round:
    """Run `agents` at once to their ends."""
    await probe.ready()
    start = probe.clock.now()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_run_agent(probe, system, agents, number, agent)) for agent in range(agents)
        ]
    return Round(
        agents=agents,
        round=number,
        start=start,
        end=probe.clock.now(),
        runs=tuple(task.result() for task in tasks),
    )


async def _run_agent(probe: Probe, system: Message, agents: int, number: int, agent: int) -> AgentRun:
    plan = probe.plan
    loop = AgentLoop(probe, system, f"concurrency/{agents}/{number}/{agent}")
    pauses = random.Random(f"{plan.seed}/think/{number}/{agent}")
    observations: list[Observation] = []
    start = probe.clock.now()
    for _ in range(plan.agent_steps):
        # The pause comes first, so that the agents do not all start in one instant.
        pause = pauses.expovariate(1 / plan.think_s) if plan.think_s > 0 else 0.0
        await probe.clock.sleep(pause if probe.stopped_by() is None else 0.0)
        seen = await probe.call(loop.request(), f"concurrency.{agents}", patient=False)
        observations.append(seen)
        if seen.failure is None:
            loop.advance(seen)
    return AgentRun(agent=agent, start=start, end=probe.clock.now(), observations=tuple(observations))


def concurrency_figures(
    rounds: tuple[Round, ...], *, step_tokens: int, seed: int
) -> tuple[ConcurrencyFigures, ...]:
    """Everything that follows from the rounds, a row for each N; failed calls are counted apart."""
    return tuple(
        _figures(level, [one for one in rounds if one.agents == level.agents], step_tokens, seed)
        for level in cycles(rounds)
    )


def _figures(level: Cycles, rounds: list[Round], step_tokens: int, seed: int) -> ConcurrencyFigures:
    runs = [run for one in rounds for run in one.runs]
    calls = [seen for run in runs for seen in run.observations]
    answered = [seen for seen in calls if seen.answered]
    ttfts = [seen.ttft for seen in answered if seen.ttft is not None]
    steps = [time for seen in answered if (time := step_time(seen, step_tokens)) is not None]
    rates = [rate for run in runs if (rate := agent_rate(run)) is not None]
    middle = median(rates, seed=seed)
    wall = sum(one.end - one.start for one in rounds)
    tokens = [seen.output_tokens for seen in answered if seen.output_tokens is not None]
    prompt = median([float(seen.prompt_tokens) for seen in answered if seen.prompt_tokens is not None])
    cached = median([float(seen.cached_tokens) for seen in answered if seen.cached_tokens is not None])
    return ConcurrencyFigures(
        agents=level.agents,
        step_s=median(steps, seed=seed),
        ttft_p50_s=median(ttfts, seed=seed),
        ttft_p95_s=tail(ttfts, 0.95, seed=seed),
        ttft_p99_s=tail(ttfts, 0.99, seed=seed),
        steps_per_s=level.steps_per_s if level.rates else None,
        agent_tokens_per_s=middle if answered else None,
        aggregate_tokens_per_s=sum(tokens) / wall if tokens and wall > 0 else None,
        jain=_fairness(rounds),
        worst_over_median=min(rates) / middle.value if middle is not None and middle.value else None,
        cached_tokens=cached.value if cached is not None else None,
        prompt_tokens=prompt.value if prompt is not None else None,
        calls=len(calls),
        failed=len(calls) - len(answered),
    )


def step_time(seen: Observation, step_tokens: int) -> float | None:
    """Seconds of a step of `step_tokens`; None for an answer of one token, which tells nothing of decode."""
    if seen.ttft is not None and seen.decode_rate is not None:
        return seen.ttft + (step_tokens - 1) / seen.decode_rate
    return None if seen.output_tokens == 1 < step_tokens else seen.total


def agent_rate(run: AgentRun) -> float | None:
    """Output tokens a second of waiting; an agent whose calls all failed got nothing: 0."""
    answered = [seen for seen in run.observations if seen.answered]
    if not answered:
        return 0.0
    tokens = [seen.output_tokens for seen in answered if seen.output_tokens is not None]
    waited = sum(seen.total for seen in answered if seen.total is not None)
    return sum(tokens) / waited if len(tokens) == len(answered) and waited > 0 else None


def _fairness(rounds: list[Round]) -> float | None:
    """The least fair round's index: agents of different rounds never shared the endpoint."""
    indices: list[float] = []
    for one in rounds:
        rates = [rate for run in one.runs if (rate := agent_rate(run)) is not None]
        index = jain(rates)
        if index is not None:
            indices.append(index)
    return min(indices, default=None)
