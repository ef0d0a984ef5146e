"""`tithe plan`: which designs of an agent fit into a budget of time."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.changes import optional_seconds
from tithe.cli.paper import show
from tithe.cli.profiles import read_profile
from tithe.cli.units import seconds_of
from tithe.core.errors import UsageError
from tithe.report.figures import seconds
from tithe.whatif import BUDGETS, Plan, plan_budgets

_NAMED = {"voice": (0,), "interactive": (1,), "browser": (2,), "code": (3, 4)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agent:
    """The agent and its endpoint. The flags and their help are made from this.

    Attributes:
        steps: How many steps the task takes: then each design's time for it is told, and whether that fits.
        ttft: The endpoint's time to the first token, with its unit: 600ms.
        tps: The endpoint's decode rate, in tokens a second.
        profile: In place of both, the endpoint as `tithe audit --save FILE` measured it.
        prompt: With a profile: tokens of a step's prompt.
        fresh: With a profile: how many of them are not cached.
        out: Tokens of an answer.
        tool_time: How long each step's tool runs: 0.4s.
        overhead: The agent's own time in each step.
        retries: The share of attempts that fail, for the design with retries.
        success: The chance that a step is right: then the chance of a task within the budget is told.
        finds: The chance that a check, a critique or a choice among candidates finds a wrong answer.
    """

    steps: int | None = None
    ttft: str | None = None
    tps: float | None = None
    profile: Path | None = None
    prompt: int = 4000
    fresh: int = 200
    out: int = 80
    tool_time: str = "0s"
    overhead: str = "0s"
    retries: float = 0.05
    success: float | None = None
    finds: float = 0.8

    def plan(self) -> Plan:
        """What is to be planned, not checked yet. Raises `UsageError` for a time without a unit."""
        return Plan(
            ttft_s=optional_seconds(self.ttft, "ttft"),
            tokens_per_s=self.tps,
            profile=None if self.profile is None else read_profile(self.profile),
            prompt=self.prompt,
            fresh=self.fresh,
            out=self.out,
            tool_s=seconds_of(self.tool_time, "tool_time"),
            overhead_s=seconds_of(self.overhead, "overhead"),
            retries=self.retries,
            success=self.success,
            finds=self.finds,
            steps=self.steps,
        )


def plan(
    *,
    budget: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative_iterable=())] = (),
    agent: Annotated[Agent, Parameter(name="*")] = Agent(),
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Tell how many steps of an agent fit into a budget, for each design and at 1, 3 and 10 times the speed.

    Parameters
    ----------
    budget
        Times with their units, 30s or 5min, or voice (500 ms), interactive (2 s), browser (30 s), code (2 and 5 min). All of these when left out.
    agent
        The agent and its endpoint.
    json
        Print the plan as JSON in place of tables.
    """
    budgets = [one for named in budget for one in _budgets(named)] or list(BUDGETS)
    planned = agent.plan()
    found = plan_budgets(planned, budgets)
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    from tithe.report import print_plan

    show(lambda console: print_plan(found, _notes(planned), console))


def _budgets(named: str) -> list[tuple[str, float]]:
    if named in _NAMED:
        return [BUDGETS[place] for place in _NAMED[named]]
    try:
        return [("", seconds_of(named, "budget"))]
    except UsageError as error:
        if named[:1].isalpha():
            raise UsageError(
                f"budget is {named!r}: give a time with its unit (30s), or one of {', '.join(_NAMED)}."
            ) from error
        raise


def _notes(planned: Plan) -> list[str]:
    step = (
        f"A step: a call of {planned.out} tokens, {seconds(planned.tool_s)} of tools, {seconds(planned.overhead_s)} of the agent's own. "
        "Speed is that of inference alone."
    )
    notes = [
        step,
        "Steps that fit so that half of the runs (p50), or 95 of 100 (p95), are done in the budget.",
    ]
    if planned.profile is None:
        notes.append("The times don't scatter: a profile (--profile) has how they do.")
        notes.append("Candidates run beside each other as fast as one alone: a profile has how they contend.")
    if planned.success is not None:
        notes.append(f"Success: all {planned.steps} steps are right, each by itself, and done in the budget.")
    return notes
