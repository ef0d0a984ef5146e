"""What an audit is asked to do, and what that will cost in calls and tokens."""

import dataclasses
from collections.abc import Iterator

import msgspec

from tithe.core.errors import UsageError
from tithe.world import FAMILIES, Family

_MAY_BE_EMPTY = {"concurrency"}
_MAY_BE_ZERO = {"arrivals", "precision", "think_s", "reasks", "seed", "task_temperature", "warmups"}


def _check(name: str, value: float | tuple[int | str, ...] | None) -> None:
    if value is None:
        return
    flag = "--" + name.replace("_", "-")
    values = value if isinstance(value, tuple) else (value,)
    if not values and name not in _MAY_BE_EMPTY:
        raise UsageError(f"{flag} is empty; give at least one.", param=name)
    least = 0 if name in _MAY_BE_ZERO else 1
    for each in values:
        if isinstance(each, str):
            if each not in FAMILIES:
                raise UsageError(f"{flag} has '{each}'; it may have {', '.join(FAMILIES)}.", param=name)
        elif each < least:
            raise UsageError(f"{flag} is {each}; the least it can be is {least}.", param=name)


def as_typed(value: float | tuple[object, ...] | None) -> str:
    """A value as it is typed after its flag."""
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ",".join(str(one) for one in value) or "none"
    return str(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditPlan:
    """Every option of an audit. The command line's flags and their help are made from this.

    Attributes:
        lengths: Prefix lengths of the cached and uncached pairs, in tokens.
        repeats: Most samples of each arm of the pairs, the short generations and the structured output.
        least_repeats: Fewest samples before precision can end the sampling.
        precision: Half-width of a figure's 95 % interval, as a part of the figure, that is precise enough; at 0
            every sample is taken.
        max_time: Seconds that the audit may take, all endpoints together; each measurement gets its share.
        max_tokens: Prompt and generated tokens that it may use, together, at each endpoint.
        max_requests: Calls that it may make, at each endpoint.
        tail: New tokens after a cached prefix.
        prefix: Tokens of the system prompt in the short generations and the concurrent agents.
        totals: Generation lengths to time with the prefix cached, in tokens.
        step_out: Tokens that one step of a concurrent agent generates.
        step_in: Tokens that one tool result adds to a concurrent agent's history.
        chat_in: Prompt tokens of the chat figure.
        chat_out: Generated tokens of the chat figure.
        chat_repeats: Most samples of the chat figure, one with every second sample of the others.
        structured_tokens: Most tokens that a structured answer may take.
        concurrency: Numbers of agents that run at once; none: 1, 2, 4, ... until the endpoint's knee.
        most_agents: The most agents to climb to.
        arrivals: Tasks that arrive by themselves, at each of two rates.
        agent_steps: Steps that each concurrent agent takes.
        rounds: Times that each number of agents is visited; a lone one three times, unless all are visited once.
        think_s: Mean pause between the steps of a concurrent agent, in seconds.
        task_families: Kinds of task to give to an agent, in turn.
        task_repeats: Tasks to give to an agent, each a different one.
        task_steps: Most steps of one task; the task's own limit holds too (14 or 16).
        task_out: Most tokens of one answer in a task.
        task_temperature: Sampling temperature in a task.
        reasks: Times to ask again when an answer ends before the wanted length.
        warmups: Warm-up calls, shown apart and never in a figure.
        timeout: Seconds of silence after which a call is given up as failed.
        give_up_after: Failed calls in a row after which the audit stops.
        seed: Seed of every drawn order, pause and interval.
    """

    lengths: tuple[int, ...] = (256, 1024, 2048)
    repeats: int = 40
    least_repeats: int = 10
    precision: float = 0.05
    max_time: float | None = 300.0
    max_tokens: int | None = None
    max_requests: int | None = None
    tail: int = 50
    prefix: int = 1024
    totals: tuple[int, ...] = (50, 100, 200)
    step_out: int = 80
    step_in: int = 200
    chat_in: int = 1024
    chat_out: int = 512
    chat_repeats: int = 5
    structured_tokens: int = 256
    concurrency: tuple[int, ...] = ()
    most_agents: int = 64
    arrivals: int = 16
    agent_steps: int = 5
    rounds: int = 2
    think_s: float = 0.1
    task_families: tuple[Family, ...] = FAMILIES
    task_repeats: int = 9
    task_steps: int = 16
    task_out: int = 256
    task_temperature: float = 0.0
    reasks: int = 2
    warmups: int = 3
    timeout: float = 60.0
    give_up_after: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name))

    @property
    def generation_lengths(self) -> tuple[int, ...]:
        """The lengths to time: the wanted totals and the agent step's own."""
        return tuple(sorted({*self.totals, self.step_out}))

    @property
    def climb(self) -> tuple[int, ...]:
        """The numbers of agents to climb through, rising; the climb may end before the last."""
        most = self.most_agents
        doubled = (2**power for power in range(most.bit_length()) if 2**power < most)
        return tuple(sorted(set(self.concurrency))) or (*doubled, most)

    def visits(self, agents: int) -> int:
        """Times that so many agents run. A lone one runs thrice where any is seen again: an interval takes three."""
        return max(self.rounds, LONE_VISITS) if agents == 1 and self.rounds > 1 else self.rounds


LONE_VISITS = 3
STANDARD = AuditPlan()
QUICK = AuditPlan(
    repeats=5,
    least_repeats=5,
    chat_repeats=2,
    structured_tokens=96,
    most_agents=16,
    arrivals=6,
    agent_steps=2,
    rounds=1,
    think_s=0.05,
    task_repeats=3,
    reasks=1,
)
# As quick as a comparison of two or three endpoints can be: verdicts need nine pairs (differences.py).
QUICK_PAIRS = dataclasses.replace(QUICK, repeats=9, least_repeats=9, rounds=2, task_repeats=9)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Calls and tokens of one measurement: at most as many, but for what is asked again.

    `usual_calls` are those of an audit whose figures are soon precise, and of an agent that goes about
    its tasks as their expert does. A task's `prompt_tokens` count every answer at its
    longest and every tool's result at the length that tools keep theirs below, unless the agent itself
    has made a file longer.
    """

    measurement: str
    calls: int
    usual_calls: int
    prompt_tokens: int
    output_tokens: int


def costs(plan: AuditPlan) -> tuple[Cost, ...]:
    """What each measurement of the plan will ask of the endpoint, in the order that they run."""
    soon = dataclasses.replace(
        plan,
        repeats=min(plan.repeats, plan.least_repeats),
        most_agents=min(plan.most_agents, USUAL_KNEE),
    )
    return tuple(
        msgspec.structs.replace(most, usual_calls=least.usual_calls)
        for most, least in zip(_costs(plan), _costs(soon), strict=True)
    )


def least_costs(plan: AuditPlan) -> tuple[Cost, ...]:
    """The least that each measurement, the warm-up aside, can be taken with: a round, or one usual task."""
    least = dataclasses.replace(
        plan,
        repeats=1,
        concurrency=plan.climb[:2],
        arrivals=0,
        rounds=1,
        task_repeats=1,
        task_steps=min(plan.task_steps, TASK_USUAL_STEPS),
    )
    _, *costs, task = _costs(least)
    more = _task_primes(plan) - _task_primes(least)
    primed = msgspec.structs.replace(
        task,
        calls=task.calls + more,
        prompt_tokens=task.prompt_tokens + more * TASK_START_TOKENS,
        output_tokens=task.output_tokens + more * PROBE_TOKENS,
    )
    return (*costs, primed)


def _costs(plan: AuditPlan) -> Iterator[Cost]:
    calibration = 2
    yield _cost(
        "warm-up",
        calibration + plan.warmups,
        prompt_tokens=calibration * 1000 + plan.warmups * 300,
        output_tokens=(calibration + plan.warmups) * 8,
    )
    lengths, rows = len(plan.lengths), 2 * plan.repeats + 1
    yield _cost(
        "pairs",
        lengths * rows,
        prompt_tokens=rows * (sum(plan.lengths) + lengths * plan.tail),
        output_tokens=lengths * rows * PROBE_TOKENS,
    )
    short = len(plan.generation_lengths) * plan.repeats
    chats = min(plan.chat_repeats, -(-plan.repeats // CHAT_EVERY))
    yield _cost(
        "totals",
        1 + short + chats,
        prompt_tokens=(1 + short) * (plan.prefix + plan.tail) + chats * plan.chat_in,
        output_tokens=PROBE_TOKENS + plan.repeats * sum(plan.generation_lengths) + chats * plan.chat_out,
    )
    structured = STRUCTURED_ARMS * (1 + plan.repeats)
    yield _cost(
        "structured",
        structured,
        prompt_tokens=structured * 300,
        output_tokens=structured * plan.structured_tokens,
    )
    yield _concurrency(plan)
    yield _task(plan)


# Tokens asked of a call that is timed for its first token alone: a few, since the first may be an early end.
PROBE_TOKENS = 4
# Rounds of the short generations from one chat figure to the next, which takes much longer than they.
CHAT_EVERY = 2
# Shares of the closed loop's steps a second at which tasks arrive in the open one.
LOADS = (0.5, 0.8)
# The number of agents at which the knee is looked for to say what is usual.
USUAL_KNEE = 8
# Constrained and free tool calls, constrained and free JSON text.
STRUCTURED_ARMS = 4
# A task's system prompt, tools and goal; a tool's result; the steps of the tasks' expert, at the middle.
TASK_START_TOKENS = 600
TASK_RESULT_TOKENS = 200
TASK_USUAL_STEPS = 5


def _cost(measurement: str, calls: int, *, prompt_tokens: int, output_tokens: int) -> Cost:
    return Cost(
        measurement=measurement,
        calls=calls,
        usual_calls=calls,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
    )


def _concurrency(plan: AuditPlan) -> Cost:
    visiting = sum(plan.visits(agents) * agents for agents in plan.climb)
    agents, steps = visiting + len(LOADS) * plan.arrivals, plan.agent_steps
    an_agent = _history(steps, start=plan.prefix + plan.step_in, growth=plan.step_out + plan.step_in)
    return _cost(
        "concurrency",
        1 + agents * steps,
        prompt_tokens=plan.prefix + plan.tail + agents * an_agent,
        output_tokens=PROBE_TOKENS + agents * steps * plan.step_out,
    )


def _task(plan: AuditPlan) -> Cost:
    primes = _task_primes(plan)
    runs, steps = plan.task_repeats, plan.task_steps
    a_run = _history(steps, start=TASK_START_TOKENS, growth=plan.task_out + TASK_RESULT_TOKENS)
    return Cost(
        measurement="task",
        calls=primes + runs * steps,
        usual_calls=primes + runs * min(steps, TASK_USUAL_STEPS),
        prompt_tokens=primes * TASK_START_TOKENS + runs * a_run,
        output_tokens=primes * PROBE_TOKENS + runs * steps * plan.task_out,
    )


def _task_primes(plan: AuditPlan) -> int:
    return min(len(set(plan.task_families)), plan.task_repeats)


def _history(steps: int, *, start: int, growth: int) -> int:
    """Prompt tokens of a loop, all steps together: each step's prompt is the one before it and what was added."""
    return steps * start + growth * steps * (steps - 1) // 2
