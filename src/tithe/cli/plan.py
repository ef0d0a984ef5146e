"""`tithe plan`: which designs of an agent fit into a budget of time."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.changes import optional_seconds
from tithe.cli.outputs import check_writable, write_file
from tithe.cli.paper import show
from tithe.cli.profiles import Evaluated, read_evaluated, read_profile
from tithe.cli.units import Share, Whole, seconds_of
from tithe.core.errors import UsageError
from tithe.report.figures import counted, seconds
from tithe.report.task import plain
from tithe.whatif import BUDGETS, VERIFY_TOKENS, Beside, Fit, Plan, Profile, plan_budgets

_NAMED = {"voice": (0,), "interactive": (1,), "browser": (2,), "code": (3, 4)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agent:
    """The agent and its endpoint. The flags and their help are made from this.

    Attributes:
        steps: How many steps the task takes: then each design's time for it is told, and whether that fits.
        ttft: The endpoint's time to the first token, with its unit: 600ms.
        tps: The endpoint's decode rate, in tokens a second.
        jitter: With --ttft: how it scatters, its standard deviation over its mean: 0.2.
        profile: In place of both, the endpoint as `tithe audit --save FILE` measured it.
        prompt: With a profile: tokens of a step's prompt.
        fresh: With a profile: how many of them are not cached.
        out: Tokens of an answer.
        tool_time: How long each step's tool runs: 0.4s.
        overhead: The agent's own time in each step.
        retries: The share of attempts that fail. All designs but the plain one make them again.
        success: The chance that a step is right: then the chance of a task within the budget is told.
        evaluation: In place of that, an audit (`tithe audit --save FILE`) whose tasks were judged.
        finds: The chance that a check, a critique or a choice among candidates finds a wrong answer.
    """

    steps: Whole | None = None
    ttft: str | None = None
    tps: float | None = None
    jitter: Share | None = None
    profile: Path | None = None
    prompt: Whole = 4000
    fresh: Whole = 200
    out: Whole = 80
    tool_time: str = "0s"
    overhead: str = "0s"
    retries: Share = 0.05
    success: Share | None = None
    evaluation: Path | None = None
    finds: Share = 0.8

    def evaluated(self) -> Evaluated | None:
        """What the evaluation tells of a step, if there is one. Raises `UsageError` where success is told twice, or not by it."""
        if self.evaluation is None:
            return None
        if self.success is not None:
            raise UsageError("An evaluation has its own chance of success: leave out --success, or it.")
        return read_evaluated(self.evaluation)

    def plan(self, evaluated: Evaluated | None) -> Plan:
        """What is to be planned, not checked yet. Raises `UsageError` for a time without a unit."""
        return Plan(
            ttft_s=optional_seconds(self.ttft, "ttft"),
            tokens_per_s=self.tps,
            jitter=self.jitter,
            profile=None if self.profile is None else read_profile(self.profile),
            prompt=self.prompt,
            fresh=self.fresh,
            out=self.out,
            tool_s=seconds_of(self.tool_time, "tool_time"),
            overhead_s=seconds_of(self.overhead, "overhead"),
            retries=self.retries,
            success=self.success if evaluated is None else evaluated.step,
            finds=self.finds,
            steps=self.steps,
        )


def plan(
    *,
    budget: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative_iterable=())] = (),
    agent: Annotated[Agent, Parameter(name="*")] = Agent(),
    html: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Tell how many steps of an agent fit into a budget, for each design and at 1, 3 and 10 times the speed.

    Parameters
    ----------
    budget
        Times with their units, 30s or 5min, or voice (500 ms), interactive (2 s), browser (30 s), code (2 and 5 min). All of these when left out.
    agent
        The agent and its endpoint.
    html
        Write the plan to this file as a page as well: what fits, and the frontier of success against time.
    json
        Print the plan as JSON in place of tables.
    """
    budgets = list(dict.fromkeys(one for named in budget for one in _budgets(named))) or list(BUDGETS)
    if html is not None:
        check_writable(html, "--html")
    evaluated = agent.evaluated()
    planned = agent.plan(evaluated)
    found = plan_budgets(planned, budgets)
    notes = _notes(planned, evaluated)
    unwritten: UsageError | None = None
    if html is not None:
        from tithe.report import plan_page

        page = plan_page(found, notes, endpoint=_endpoint(planned), agent=_agent(planned))
        unwritten = write_file(html, page.encode(), "--html")
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        from tithe.report import print_plan

        show(lambda console: print_plan(found, notes, console))
    if unwritten is not None:
        raise unwritten


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


def _endpoint(planned: Plan) -> str:
    if planned.profile is not None:
        return planned.profile.name
    spread = "" if planned.jitter is None else f", give or take {planned.jitter:.0%}"
    return f"TTFT {seconds(planned.ttft_s or 0.0)}{spread}, {planned.tokens_per_s:g} tokens/s"


def _agent(planned: Plan) -> str:
    steps = "" if planned.steps is None else f"{counted(planned.steps, 'step')}; a step is "
    tools = f", {seconds(planned.tool_s)} of tools" if planned.tool_s else ", no tool"
    own = f", {seconds(planned.overhead_s)} of the agent's own" if planned.overhead_s else ""
    return f"{steps}a call of {counted(planned.out, 'token')}{tools}{own}"


def _notes(planned: Plan, evaluated: Evaluated | None) -> Sequence[str]:
    notes = [
        f"The agent: {_agent(planned)}. Speed is that of inference alone.",
        "Steps that fit so that half of the runs (p50), or 95 of 100 (p95), are done in the budget.",
        _failing(planned),
        f"A check, or the choice among candidates, is a call of {VERIFY_TOKENS} tokens; a critique is as long as the answer, and followed by another.",
    ]
    if not planned.scatters:
        notes.append(
            "≥, ≤ and ?: the slowest of the candidates is waited for, and nothing tells how calls scatter, so that they may take longer, and "
            "fit less often than is told. They are not told among the best. Give --jitter or a profile (--profile). All calls are without scatter."
        )
    if planned.profile is None:
        notes.append("Candidates run beside each other as fast as one alone: a profile has how they contend.")
    else:
        notes += [
            f"Candidates run beside each other as fast as one alone: {law.what} is not known, for {law.reason}."
            for law in (planned.profile.times.ttft_beside, planned.profile.times.decode_beside)
            if not isinstance(law, Beside)
        ]
    if planned.profile is not None:
        notes = [*map(plain, planned.profile.times.doubts), *notes, *_beyond(planned, planned.profile)]
    if planned.success is None:
        notes.append(
            "Success is not known, so this is time alone: give --success (the chance that a step is right) and --steps, or an "
            "audit's tasks with --evaluation."
        )
        return notes
    if evaluated is not None:
        notes.append(evaluated.said)
    notes.append(
        f"Right: all {planned.steps} steps are, each by itself. Success: right, and done in the budget. A check, a critique or a choice "
        f"finds what is wrong with a chance of {100 * planned.finds:g} % (--finds), and never finds fault with what is right. What a check "
        "finds is made again once."
    )
    return notes


def _failing(planned: Plan) -> str:
    if not planned.retries:
        return "No attempt fails (--retries 0), so retries cost nothing."
    whole = (
        ""
        if planned.steps is None
        else f", as {100 * (1 - (1 - planned.retries) ** planned.steps):.0f} % of its tasks do"
    )
    return (
        f"Of all attempts {100 * planned.retries:g} % fail (--retries). Every design but plain makes them again and pays for that; plain "
        f"ends there{whole}, and its times are of runs in which none fails."
    )


def _beyond(planned: Plan, profile: Profile) -> list[str]:
    """Sizes that the profile's fits have not seen."""
    times = profile.times
    assert isinstance(times.ttft, Fit)
    assert isinstance(times.decode, Fit)
    longest = sum(one.high for one in times.ttft.ranges.values())
    said: list[str] = []
    for what, size, most in (
        ("prompt", planned.prompt, longest),
        ("out", planned.out, times.decode.ranges["decoded tokens"].high),
    ):
        if size > most:
            said.append(
                f"Extrapolated: {what} is {size:,}, and the profile has seen at most {most:,.0f} tokens."
            )
    return said
