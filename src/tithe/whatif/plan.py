"""Which designs of an agent fit into a budget of time, and how many steps each can take in it.

Theory. A step is a call and its tools. What a design adds to it is calls:

    plain       TTFT + out / rate + tool + overhead
    retries     an attempt fails with the chance p and is made again: 1 / (1 - p) calls on average
    verify      a short call on each answer (VERIFY_TOKENS out)
    candidates  2 or 3 answers at once: the slowest is waited for, and they slow each other down as the profile says (beside.py); then
                a short call that chooses, as long as a check
    critique    the answer, a critique as long as it, and the answer again

Attempts fail in every design alike. All but the plain one make them again and pay for it, each of their calls; a plain run ends where an
attempt fails, so its times are those of runs in which none does, and it is right less often.

The slowest of several is told by how calls scatter: by a profile's residuals, or by `jitter`, the standard deviation of the TTFT over
its mean, lognormal as the emulated endpoint's (core/paced.py). Where neither is known, what is told is the least that it can be.

Steps scatter as calls do, so a run of n steps is a sum of n draws; `steps` at p50 and p95 are the most of which that share of runs
is done within the budget. From the mission: at 2 s a step a minute holds 30, and at 400 ms a step 40 s hold 100.

Success, where it is known. A step is right with the chance s, and a task of n steps is solved if all are: s^n. Verification finds a
wrong step with the chance v and has it done again, once; of k candidates one right one is enough as far as the choice finds it with
the chance v; neither finds fault with what is right. So

    plain              s' = (1 - p) s
    retries            s' = s
    verify, critique   s' = s + (1 - s) v s
    k candidates       s' = s + (1 - s) v (1 - (1 - s)^(k - 1))

where the time of what is done again is in the step's. These take steps for independent, which they are not quite.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import msgspec
import numpy as np

from tithe.core.errors import UsageError
from tithe.core.statistics import Floats
from tithe.whatif.answers import VERIFY_TOKENS, Luck
from tithe.whatif.described import MOST_TOKENS
from tithe.whatif.fit import Fit
from tithe.whatif.profile import Profile

Design = Literal["plain", "retries", "verify", "2 candidates", "3 candidates", "critique"]
DESIGNS: tuple[Design, ...] = Design.__args__  # in the order in which they are told

BUDGETS: tuple[tuple[str, float], ...] = (
    ("voice, a turn", 0.5),
    ("interactive", 2.0),
    ("browser", 30.0),
    ("code", 120.0),
    ("code, a long run", 300.0),
)
SPEEDS = (1.0, 3.0, 10.0)
RUNS = 400
MOST_STEPS = 1000
MOST_JITTER = 2.0
_LONGEST_S = 86_400.0
_QUANTILES = 400
_SAME = 1e-9


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The agent and its endpoint. Seconds and tokens; `ttft_s` and `tokens_per_s`, or a profile with `prompt` tokens, cached but
    for `fresh` of them. `jitter`: the standard deviation of the given TTFT over its mean; None: not known.

    `retries`: the share of attempts that fail, in any design. `success`: the chance that a step is right, None: not known. `finds`: the chance
    that a check finds a wrong one. `steps`: how many the task takes, where that is known.
    """

    ttft_s: float | None = None
    tokens_per_s: float | None = None
    jitter: float | None = None
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

    @property
    def scatters(self) -> bool:
        """Whether it is known how calls scatter."""
        return self.profile is not None or self.jitter is not None

    def check(self) -> None:
        """Raises `UsageError` for a figure that cannot be."""
        given = (self.ttft_s is not None, self.tokens_per_s is not None)
        if self.profile is not None and (any(given) or self.jitter is not None):
            raise UsageError(
                "A profile has its own TTFT, decode rate and scatter: leave out --ttft, --tps and --jitter, or it."
            )
        if self.profile is None and not all(given):
            raise UsageError("A plan needs an endpoint: give --ttft and --tps, or a --profile.")
        if self.ttft_s is not None and not 0 <= self.ttft_s <= 3600:
            raise UsageError(f"ttft is {self.ttft_s:g} s: give a time from 0 to an hour.")
        if self.tokens_per_s is not None and not 0 < self.tokens_per_s <= 1e6:
            raise UsageError(
                f"tps is {self.tokens_per_s:g}: give tokens a second, more than 0 and at most 1,000,000."
            )
        if self.jitter is not None and not 0 <= self.jitter <= MOST_JITTER:
            raise UsageError(
                f"jitter is {self.jitter:g}: give the standard deviation of the TTFT over its mean, from 0 to {MOST_JITTER:g}."
            )
        for name, tokens in (("out", self.out), ("prompt", self.prompt), ("fresh", self.fresh)):
            if not 0 <= tokens <= MOST_TOKENS:
                raise UsageError(f"{name} is {tokens}: give tokens, from 0 to {MOST_TOKENS:,}.")
        for name, time in (("tool_time", self.tool_s), ("overhead", self.overhead_s)):
            if not 0 <= time <= _LONGEST_S:
                raise UsageError(f"{name} is {time:g} s: give a time from 0 to a day.")
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
    in the budget. For a task of the plan's steps: `task_p50_s`, `task_p95_s`, the chance that it is `right`, and `success`, that it is
    so within the budget. `fits`: at p95; None: not known.

    `at_least`: nothing tells how calls scatter, so that the slowest of several takes this or more: times are the least they can be, steps
    and success the most, and whether it fits is not known unless it does not. `best`: no design is right as often
    in less time at this speed; those are the frontier of success against time. None: success, or its time, is not known.
    """

    design: Design
    speed: float
    step_s: float
    steps_p50: int
    steps_p95: int
    task_p50_s: float | None = None
    task_p95_s: float | None = None
    right: float | None = None
    success: float | None = None
    fits: bool | None
    at_least: bool = False
    best: bool | None = None


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
        if not 0 < budget <= _LONGEST_S:
            raise UsageError(f"budget is {budget:g} s: give a time above 0 and up to a day.")
    runs: dict[tuple[Design, float], Floats] = {}
    for design in DESIGNS:
        inference = _inference(plan, design, seed)
        for speed in speeds:
            runs[design, speed] = np.cumsum(inference / speed + plan.tool_s + plan.overhead_s, axis=1)
    return tuple(
        BudgetPlan(
            name=name,
            budget_s=budget,
            rows=_marked([_row(plan, design, speed, ends, budget) for (design, speed), ends in runs.items()]),
        )
        for name, budget in budgets
    )


def _row(plan: Plan, design: Design, speed: float, ends: Floats, budget: float) -> Row:
    # A budget that is met to the last digit is met.
    done = np.count_nonzero(ends <= budget * (1 + 1e-9), axis=1)
    within = [int(np.quantile(done, share, method="lower")) for share in (0.5, 0.05)]
    steps = plan.steps
    task = None if steps is None else ends[:, steps - 1]
    at_least = design.endswith("candidates") and not plan.scatters
    fits = within[1] >= (steps or 1)
    right: float | None = None
    success: float | None = None
    if plan.success is not None and task is not None:
        right = step_success(design, plan.success, plan.finds, plan.retries) ** (steps or 0)
        success = right * float(np.mean(task <= budget * (1 + 1e-9)))
    return Row(
        design=design,
        speed=speed,
        step_s=float(ends[:, -1].mean() / ends.shape[1]),
        steps_p50=within[0],
        steps_p95=within[1],
        task_p50_s=None if task is None else float(np.quantile(task, 0.5)),
        task_p95_s=None if task is None else float(np.quantile(task, 0.95)),
        right=right,
        success=success,
        fits=None if fits and at_least else fits,
        at_least=at_least,
    )


def _marked(rows: list[Row]) -> tuple[Row, ...]:
    """The rows, and which of them are the best of their speed. One that may take longer than is told is held against none."""
    told = [row for row in rows if row.right is not None and not row.at_least]
    return tuple(
        msgspec.structs.replace(row, best=not any(_beats(one, row) for one in told)) if row in told else row
        for row in rows
    )


def _beats(one: Row, row: Row) -> bool:
    """Whether it is right at least as often in no more time, and better in one of these."""
    better = [
        ours - theirs
        for ours, theirs in (
            (one.right, row.right),
            (row.task_p50_s, one.task_p50_s),
            (row.task_p95_s, one.task_p95_s),
        )
        if ours is not None and theirs is not None
    ]
    # What differs by rounding alone is equal.
    return one.speed == row.speed and all(by > -_SAME for by in better) and any(by > _SAME for by in better)


def step_success(design: Design, right: float, finds: float, fails: float) -> float:
    """The chance that a step of a design is right, where an answer is with the chance `right`, and an attempt at one fails with `fails`;
    see the top of the file."""
    if design == "plain":
        return (1 - fails) * right
    if design in ("verify", "critique"):
        return right + (1 - right) * finds * right
    if design.endswith("candidates"):
        others = int(design[0]) - 1
        return right + (1 - right) * finds * (1 - (1 - right) ** others)
    return right


def _inference(plan: Plan, design: Design, seed: int) -> Floats:
    """Seconds of inference in each step, by run."""
    luck = Luck(RUNS, seed)
    if design == "plain":
        return _attempt(plan, luck, 0, plan.out)
    if design.endswith("candidates"):
        count = int(design[0])
        answers = [_call(plan, luck, use, plan.out, beside=count - 1) for use in range(count)]
        return np.max(answers, axis=0) + _call(plan, luck, count, VERIFY_TOKENS)
    answer = _call(plan, luck, 0, plan.out)
    if design == "verify":
        return answer + _call(plan, luck, 1, VERIFY_TOKENS) + _again(plan, answer)
    if design == "critique":
        return answer + _call(plan, luck, 1, plan.out) + _call(plan, luck, 2, plan.out)
    return answer


def _again(plan: Plan, answer: Floats) -> Floats | float:
    """What is done again because the check found it wrong, on average."""
    return 0.0 if plan.success is None else (1 - plan.success) * plan.finds * answer


def _call(plan: Plan, luck: Luck, use: int, out: int, *, beside: int = 0) -> Floats:
    """Seconds of a call at each step, by run, with so many others beside it, and with the attempts at it that failed."""
    return _attempt(plan, luck, use, out, beside=beside) * (1 + luck.failures(plan.retries, MOST_STEPS, use))


def _attempt(plan: Plan, luck: Luck, use: int, out: int, *, beside: int = 0) -> Floats:
    """Seconds of one attempt at each step, by run."""
    first, rest = _fits(plan)
    each = np.ones(MOST_STEPS)
    fresh = min(plan.fresh, plan.prompt)
    ttft = first.seconds(
        {
            "prompt tokens": each * plan.prompt,
            "cached tokens": each * (plan.prompt - fresh),
            "uncached tokens": each * fresh,
        }
    )
    decode = rest.seconds({"decoded tokens": each * out})
    if plan.profile is not None:
        ttft = ttft * plan.profile.times.slower("ttft", each * beside)
        decode = decode * plan.profile.times.slower("decode", each * beside)
    return luck.seconds(first, ttft, 20 + use, use) + luck.seconds(rest, decode, 40 + use, use)


def _fits(plan: Plan) -> tuple[Fit, Fit]:
    """TTFT and decode: those of the profile, or as given."""
    if plan.profile is not None:
        times = plan.profile.times
        assert isinstance(times.ttft, Fit)
        assert isinstance(times.decode, Fit)
        return times.ttft, times.decode
    assert plan.ttft_s is not None
    assert plan.tokens_per_s is not None
    return (
        _given("TTFT", {"constant": plan.ttft_s}, plan.jitter or 0.0),
        _given("decode", {"decoded tokens": 1 / plan.tokens_per_s}, 0.0),
    )


def _given(what: str, prices: dict[str, float], jitter: float) -> Fit:
    """A fit that was not fitted: its residuals are the quantiles of a lognormal factor of mean 1 with this standard deviation."""
    deviation = math.sqrt(math.log1p(jitter**2))
    logs = [deviation * NormalDist().inv_cdf((place + 0.5) / _QUANTILES) for place in range(_QUANTILES)]
    mean = math.log(sum(map(math.exp, logs)) / _QUANTILES)
    return Fit(
        what=what,
        prices=prices,
        residuals=tuple(one - mean for one in logs),
        stalls=(0.0,) * _QUANTILES,
        error=0.0,
        n=_QUANTILES,
        ranges={},
    )
