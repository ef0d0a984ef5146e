"""Which designs of an agent fit into a budget of time, and how many steps each can take in it.

Theory. A step is a call and its tools. What a design adds to it is calls:

    plain       TTFT + out / rate + tool + overhead
    retries     an attempt fails with the chance p and is made again: 1 / (1 - p) calls on average
    verify      a short call on each answer (VERIFY_TOKENS out)
    candidates  2 or 3 answers at once: the slowest is waited for, and beyond what the endpoint serves at full speed they contend
    critique    the answer, a critique as long as it, and the answer again

Steps scatter as calls do, so a run of n steps is a sum of n draws; `steps` at p50 and p95 are the most of which that share of runs
is done within the budget. From the mission: at 2 s a step a minute holds 30, and at 400 ms a step 40 s hold 100.

Success, where it is known. A step is right with the chance s, and a task of n steps is solved if all are: s^n. Verification finds a
wrong step with the chance v and has it done again, once; of k candidates one right one is enough as far as the choice finds it with
the chance v; retries alone change nothing of it, since what fails there has no answer. So

    verify, critique   s' = s + (1 - s) v s
    k candidates       s' = s + (1 - s) v (1 - (1 - s)^(k - 1))

where the time of what is done again is in the step's. These take steps for independent, which they are not quite.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from tithe.core.errors import UsageError
from tithe.core.statistics import Floats
from tithe.whatif.answers import VERIFY_TOKENS, Luck
from tithe.whatif.fit import Fit
from tithe.whatif.profile import Profile

Design = Literal["plain", "retries", "verify", "2 candidates", "3 candidates", "critique"]
DESIGNS: tuple[Design, ...] = Design.__args__  # in the order in which they are told

BUDGETS: tuple[tuple[str, float], ...] = (
    ("voice, a turn", 0.5),
    ("interactive", 2.0),
    ("browser", 30.0),
    ("code", 120.0),
    ("code, at most", 300.0),
)
SPEEDS = (1.0, 3.0, 10.0)
RUNS = 400
MOST_STEPS = 1000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The agent and its endpoint. Seconds and tokens; `ttft_s` and `tokens_per_s`, or a profile with `prompt` tokens, cached but
    for `fresh` of them.

    `retries`: the share of attempts that fail. `success`: the chance that a step is right, None: not known. `finds`: the chance
    that a check finds a wrong one. `steps`: how many the task takes, where that is known.
    """

    ttft_s: float | None = None
    tokens_per_s: float | None = None
    profile: Profile | None = None
    prompt: int = 4000
    fresh: int = 200
    out: int = 80
    tool_s: float = 0.0
    overhead_s: float = 0.0
    retries: float = 0.05
    success: float | None = None
    finds: float = 0.8
    steps: int | None = None

    def check(self) -> None:
        """Raises `UsageError` for a figure that cannot be."""
        given = (self.ttft_s is not None, self.tokens_per_s is not None)
        if self.profile is not None and any(given):
            raise UsageError("A profile has its own TTFT and decode rate: leave out --ttft and --tps, or it.")
        if self.profile is None and not all(given):
            raise UsageError("A plan needs an endpoint: give --ttft and --tps, or a --profile.")
        if self.ttft_s is not None and not 0 <= self.ttft_s <= 3600:
            raise UsageError(f"ttft is {self.ttft_s:g} s: give a time from 0 to an hour.")
        if self.tokens_per_s is not None and not 0 < self.tokens_per_s <= 1e6:
            raise UsageError(
                f"tps is {self.tokens_per_s:g}: give tokens a second, more than 0 and at most 1,000,000."
            )
        if self.out < 0 or self.prompt < 0 or self.fresh < 0:
            raise UsageError("Tokens are 0 or more: --out, --prompt and --fresh.")
        if not 0 <= self.retries <= 0.9:
            raise UsageError(
                f"retries is {self.retries:g}: give the share of attempts that fail, from 0 to 0.9."
            )
        for name, share in (("success", self.success), ("finds", self.finds)):
            if share is not None and not 0 <= share <= 1:
                raise UsageError(f"{name} is {share:g}: give a chance from 0 to 1.")
        if self.success is not None and self.steps is None:
            raise UsageError("success is of a task, whose steps it takes: give --steps as well.")
        if self.steps is not None and not 1 <= self.steps <= MOST_STEPS:
            raise UsageError(f"steps is {self.steps}: give a number from 1 to {MOST_STEPS:,}.")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One design at one speed. `step_s`: the mean step. `steps_p50`, `steps_p95`: how many fit, so that half, or 95 %, of runs are done
    in the budget. For a task of the plan's steps: `task_p50_s`, `task_p95_s`, and `success` within the budget. `fits`: at p95.
    """

    design: Design
    speed: float
    step_s: float
    steps_p50: int
    steps_p95: int
    task_p50_s: float | None = None
    task_p95_s: float | None = None
    success: float | None = None
    fits: bool


class BudgetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All designs at all speeds within one budget, in seconds."""

    name: str
    budget_s: float
    rows: tuple[Row, ...]


def plan_budgets(
    plan: Plan, budgets: Sequence[tuple[str, float]], *, speeds: Sequence[float] = SPEEDS, seed: int = 0
) -> tuple[BudgetPlan, ...]:
    """What fits into each budget. Raises `UsageError` for a plan or a budget that cannot be."""
    plan.check()
    for _, budget in budgets:
        if not 0 < budget <= 86_400:
            raise UsageError(f"budget is {budget:g} s: give a time above 0 and up to a day.")
    runs: dict[tuple[Design, float], Floats] = {
        (design, speed): np.cumsum(_steps(plan, design, speed, seed), axis=1)
        for design in DESIGNS
        for speed in speeds
    }
    return tuple(
        BudgetPlan(
            name=name,
            budget_s=budget,
            rows=tuple(_row(plan, design, speed, ends, budget) for (design, speed), ends in runs.items()),
        )
        for name, budget in budgets
    )


def _row(plan: Plan, design: Design, speed: float, ends: Floats, budget: float) -> Row:
    # A budget that is met to the last digit is met.
    done = np.count_nonzero(ends <= budget * (1 + 1e-9), axis=1)
    within = [int(np.quantile(done, share, method="lower")) for share in (0.5, 0.05)]
    steps = plan.steps
    task = None if steps is None else ends[:, steps - 1]
    success: float | None = None
    if plan.success is not None and task is not None:
        right = step_success(design, plan.success, plan.finds)
        success = right ** (steps or 0) * float(np.mean(task <= budget * (1 + 1e-9)))
    return Row(
        design=design,
        speed=speed,
        step_s=float(ends[:, -1].mean() / ends.shape[1]),
        steps_p50=within[0],
        steps_p95=within[1],
        task_p50_s=None if task is None else float(np.quantile(task, 0.5)),
        task_p95_s=None if task is None else float(np.quantile(task, 0.95)),
        success=success,
        fits=within[1] >= (steps or 1),
    )


def step_success(design: Design, right: float, finds: float) -> float:
    """The chance that a step of a design is right, where a plain one is with the chance `right`; see the top of the file."""
    if design in ("verify", "critique"):
        return right + (1 - right) * finds * right
    if design.endswith("candidates"):
        others = int(design[0]) - 1
        return right + (1 - right) * finds * (1 - (1 - right) ** others)
    return right


def _steps(plan: Plan, design: Design, speed: float, seed: int) -> Floats:
    """Seconds of each step, by run."""
    luck = Luck(RUNS, seed)
    answer = _call(plan, luck, 0, plan.out)
    seconds = answer
    if design == "retries":
        seconds = answer * (1 + luck.failures(plan.retries, MOST_STEPS))
    elif design == "verify":
        seconds = answer + _call(plan, luck, 1, VERIFY_TOKENS) + _again(plan, answer)
    elif design == "critique":
        seconds = answer + _call(plan, luck, 1, plan.out) + _call(plan, luck, 2, plan.out)
    elif design.endswith("candidates"):
        count = int(design[0])
        for other in range(1, count):
            seconds = np.maximum(seconds, _call(plan, luck, other, plan.out))
        capacity = plan.profile.capacity if plan.profile is not None else None
        seconds = seconds * (max(1.0, count / capacity.shared) if capacity is not None else 1.0)
    return seconds / speed + plan.tool_s + plan.overhead_s


def _again(plan: Plan, answer: Floats) -> Floats | float:
    """What is done again because the check found it wrong, on average."""
    return 0.0 if plan.success is None else (1 - plan.success) * plan.finds * answer


def _call(plan: Plan, luck: Luck, use: int, out: int) -> Floats:
    """Seconds of a call at each step, by run."""
    if plan.profile is None:
        assert plan.ttft_s is not None
        assert plan.tokens_per_s is not None
        return np.full((RUNS, MOST_STEPS), plan.ttft_s + out / plan.tokens_per_s)
    times = plan.profile.times
    assert isinstance(times.ttft, Fit)
    assert isinstance(times.decode, Fit)
    each = np.ones(MOST_STEPS)
    fresh = min(plan.fresh, plan.prompt)
    first = times.ttft.seconds(
        {
            "prompt tokens": each * plan.prompt,
            "cached tokens": each * (plan.prompt - fresh),
            "uncached tokens": each * fresh,
        }
    )
    rest = times.decode.seconds({"decoded tokens": each * out})
    return luck.seconds(times.ttft, first, 20 + use, use) + luck.seconds(times.decode, rest, 40 + use, use)
