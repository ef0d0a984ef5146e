"""What an audit is asked to do, and what that will cost in calls and tokens."""

import dataclasses
from collections.abc import Iterator

import msgspec

from tithe.core.errors import UsageError

_MAY_BE_ZERO = {"think_s", "tool_s", "reasks", "seed", "warmups"}


def _check(name: str, value: float | tuple[int, ...]) -> None:
    flag = "--" + name.replace("_", "-")
    values = value if isinstance(value, tuple) else (value,)
    if not values:
        raise UsageError(f"{flag} is empty; give at least one number.", param=name)
    least = 0 if name in _MAY_BE_ZERO else 1
    for each in values:
        if each < least:
            raise UsageError(f"{flag} is {each}; the least it can be is {least}.", param=name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditPlan:
    """Every option of an audit. The command line's flags and their help are made from this.

    Attributes:
        lengths: Prefix lengths of the cached and uncached pairs, in tokens.
        repeats: Samples of each arm of the pairs, the short generations and the structured output.
        tail: New tokens after a cached prefix.
        prefix: Tokens of the system prompt in the short generations, the concurrent agents and the task.
        totals: Generation lengths to time with the prefix cached, in tokens.
        step_out: Tokens that one agent step generates.
        step_in: Tokens that one tool result adds to the history.
        chat_in: Prompt tokens of the chat figure.
        chat_out: Generated tokens of the chat figure.
        chat_repeats: Samples of the chat figure.
        structured_tokens: Most tokens that a structured answer may take.
        concurrency: Numbers of agents that run at once.
        agent_steps: Steps that each concurrent agent takes.
        rounds: Times that each number of agents is visited.
        think_s: Mean pause between the steps of a concurrent agent, in seconds.
        task_steps: Steps of the task.
        task_repeats: Times that the task is run.
        tool_s: Mean run time of the task's simulated tools, in seconds.
        reasks: Times to ask again when an answer ends before the wanted length.
        warmups: Warm-up calls, shown apart and never in a figure.
        give_up_after: Failed calls in a row after which the audit stops.
        seed: Seed of every drawn order, pause and interval.
    """

    lengths: tuple[int, ...] = (256, 1024, 2048)
    repeats: int = 20
    tail: int = 50
    prefix: int = 1024
    totals: tuple[int, ...] = (50, 100, 200)
    step_out: int = 80
    step_in: int = 200
    chat_in: int = 1024
    chat_out: int = 512
    chat_repeats: int = 5
    structured_tokens: int = 256
    concurrency: tuple[int, ...] = (1, 2, 4, 8)
    agent_steps: int = 5
    rounds: int = 2
    think_s: float = 0.1
    task_steps: int = 10
    task_repeats: int = 3
    tool_s: float = 0.4
    reasks: int = 2
    warmups: int = 3
    give_up_after: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name))

    @property
    def generation_lengths(self) -> tuple[int, ...]:
        """The lengths to time: the wanted totals and the agent step's own."""
        return tuple(sorted({*self.totals, self.step_out}))


STANDARD = AuditPlan()
QUICK = AuditPlan(
    repeats=5,
    chat_repeats=2,
    structured_tokens=96,
    agent_steps=2,
    rounds=1,
    think_s=0.05,
    task_repeats=1,
    tool_s=0.05,
    reasks=1,
)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Calls and tokens of one measurement. What is asked again comes on top; tokens are upper bounds."""

    measurement: str
    calls: int
    prompt_tokens: int
    output_tokens: int


def costs(plan: AuditPlan) -> tuple[Cost, ...]:
    """What each measurement of the plan will ask of the endpoint, in the order that they run."""
    return tuple(_costs(plan))


def _costs(plan: AuditPlan) -> Iterator[Cost]:
    calibration = 2
    yield Cost(
        measurement="warm-up",
        calls=calibration + plan.warmups,
        prompt_tokens=calibration * 1000 + plan.warmups * 300,
        output_tokens=(calibration + plan.warmups) * 8,
    )
    lengths, rows = len(plan.lengths), 2 * plan.repeats + 1
    yield Cost(
        measurement="pairs",
        calls=lengths * rows,
        prompt_tokens=rows * (sum(plan.lengths) + lengths * plan.tail),
        output_tokens=lengths * rows * PROBE_TOKENS,
    )
    short = len(plan.generation_lengths) * plan.repeats
    yield Cost(
        measurement="totals",
        calls=1 + short + plan.chat_repeats,
        prompt_tokens=(1 + short) * (plan.prefix + plan.tail) + plan.chat_repeats * plan.chat_in,
        output_tokens=PROBE_TOKENS
        + plan.repeats * sum(plan.generation_lengths)
        + plan.chat_repeats * plan.chat_out,
    )
    structured = STRUCTURED_ARMS * (1 + plan.repeats)
    yield Cost(
        measurement="structured",
        calls=structured,
        prompt_tokens=structured * 300,
        output_tokens=structured * plan.structured_tokens,
    )
    agents = plan.rounds * sum(plan.concurrency)
    yield _loops("concurrency", plan, loops=agents, steps=plan.agent_steps)
    yield _loops("task", plan, loops=plan.task_repeats, steps=plan.task_steps)


# Tokens asked of a call that is timed for its first token alone: a few, since the first may be an early end.
PROBE_TOKENS = 4
# Constrained and free tool calls, constrained and free JSON text.
STRUCTURED_ARMS = 4


def _loops(measurement: str, plan: AuditPlan, *, loops: int, steps: int) -> Cost:
    grown = (plan.step_out + plan.step_in) * steps * (steps - 1) // 2
    a_loop = steps * (plan.prefix + plan.step_in) + grown
    return Cost(
        measurement=measurement,
        calls=1 + loops * steps,
        prompt_tokens=plan.prefix + loops * a_loop,
        output_tokens=PROBE_TOKENS + loops * steps * plan.step_out,
    )
