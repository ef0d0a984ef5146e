"""Concurrent agents: how long a first token takes and how fast an agent is served, against their number."""

import math

from tithe.audit import Concurrency, ConcurrencyFigures, Observation, agent_rate
from tithe.report.audit_figures.words import (
    NOT_MEASURED,
    NOT_REPORTED,
    RAW,
    TOO_FEW,
    counted,
    figure,
    in_no_figure,
    stragglers,
    written,
)
from tithe.report.drawing import Axis, Place, Rule, Samples, Series, held, intervals, points
from tithe.report.failures import unanswered
from tithe.report.figures import TimeUnit, interval, number, seconds
from tithe.report.page import Figure, Panel, Table
from tithe.report.tables import arrival_notes, knee_notes, tail_notes

ANCHOR = "concurrency"
# Numbers of agents nearer to each other than this part of the axis share one tick.
_TICKS_APART = 0.05


def concurrency_figure(concurrency: Concurrency, *, withheld: bool) -> Figure:
    """`withheld`: the client cannot vouch for the figures, so the title claims nothing and no knee is marked."""
    rows = concurrency.figures
    unit = TimeUnit.of(time for row in rows for time in (row.ttft_p50_s, row.ttft_p95_s))
    seen = [one for each in concurrency.rounds for run in each.runs for one in run.observations]
    why = unanswered(seen)
    rules = () if withheld else _rules(concurrency)
    ttft, rates = _ttft(concurrency, unit, rules), _rates(concurrency, rules)
    return Figure(
        anchor=ANCHOR,
        title=_title(concurrency, withheld=withheld),
        beside=True,
        panels=(
            Panel(title="Time to first token", drawing=ttft, empty=why),
            Panel(title="Rate of one agent", drawing=rates, empty=_silence(seen)),
        ),
        reading=f"{RAW} In the second chart a small mark is one agent. The agents share a system prompt; each waits for its "
        "answer and pauses before the next call. Calls of one agent depend on each other, so the intervals of TTFT are "
        "somewhat too narrow.",
        caption=(
            *tail_notes(rows),
            *knee_notes(concurrency),
            *arrival_notes(concurrency),
            *stragglers(ttft.series),
            *in_no_figure(sum(row.failed for row in rows)),
        ),
        formulas=(
            "rate of an agent = its output tokens / seconds it waited for answers",
            "step = TTFT + (step tokens − 1) / decode rate",
            "knee = most steps a second × (step alone + pause)",
            "Jain's index = (sum of rates)² / (agents × sum of rates²)",
        ),
        tables=(_table(rows, unit),),
    )


def _title(concurrency: Concurrency, *, withheld: bool) -> str:
    rows, knee, plain = concurrency.figures, concurrency.knee, "Agents at once that share a system prompt"
    if withheld or not rows:
        return plain
    if knee is not None and knee.agents is not None:
        return f"From {number(knee.agents.value)} agents on they wait for each other"
    fewest, most = rows[0], rows[-1]
    if fewest.step_s is None or most.step_s is None or fewest is most:
        return plain
    longer = f"{most.step_s.value / fewest.step_s.value:.2f} times as long as with {fewest.agents}"
    times = f"{seconds(most.step_s.value)} instead of {seconds(fewest.step_s.value)}"
    return f"With {most.agents} agents at once a step takes {longer}: {times}"


def _position(rows: tuple[ConcurrencyFigures, ...], rules: tuple[Rule, ...]) -> Axis:
    """A logarithmic axis: each doubling of the agents is as wide as any other, and the knee has its place between."""
    numbers = [float(row.agents) for row in rows]
    ends = [*numbers, *(end for rule in rules for end in (rule.low, rule.at, rule.high) if end is not None)]
    low, high = min(ends, default=1.0), max(ends, default=1.0)
    apart = (high / low) ** _TICKS_APART
    ticks: list[Place] = []
    nearest = math.inf
    for agents in reversed(numbers):
        if agents * apart <= nearest:
            ticks.insert(0, agents)
            nearest = agents
    return Axis(label="agents at once (logarithmic)", scale="log", values=tuple(ticks), low=low, high=high)


def _rules(concurrency: Concurrency) -> tuple[Rule, ...]:
    """The knee, where it is known."""
    agents = concurrency.knee.agents if concurrency.knee is not None else None
    if agents is None or agents.value <= 0:
        return ()
    bounded = agents.low is not None and agents.high is not None and agents.low > 0
    return (
        Rule(
            name="knee with its 95 % interval" if bounded else "knee",
            label=f"knee {number(agents.value)}",
            at=agents.value,
            low=agents.low if bounded else None,
            high=agents.high if bounded else None,
            told=f"knee: {interval(agents)} agents",
        ),
    )


def _ttft(concurrency: Concurrency, unit: TimeUnit, rules: tuple[Rule, ...]) -> Samples:
    rows = concurrency.figures
    raw: list[tuple[Place, float]] = [
        (float(one.agents), seen.ttft)
        for one in concurrency.rounds
        for run in one.runs
        for seen in run.observations
        if seen.answered and seen.ttft is not None
    ]
    series = (
        Series(
            name="one call",
            colour="grey",
            lane=-1.0,
            points=points(raw, name="one call", unit=unit.name, scale=unit.scale),
        ),
        Series(
            name="p50",
            colour="blue",
            joined=True,
            intervals=intervals(
                [(float(row.agents), row.ttft_p50_s) for row in rows],
                name="p50",
                unit=unit.name,
                scale=unit.scale,
            ),
        ),
        Series(
            name="p95",
            colour="orange",
            symbol="square",
            lane=1.0,
            joined=True,
            intervals=intervals(
                [(float(row.agents), row.ttft_p95_s) for row in rows],
                name="p95",
                unit=unit.name,
                scale=unit.scale,
            ),
        ),
    )
    axis, kept = held(Axis(label=f"TTFT ({unit.name})", low=0.0), series)
    return Samples(along="x", position=_position(rows, rules), value=axis, series=kept, rules=rules)


def _rates(concurrency: Concurrency, rules: tuple[Rule, ...]) -> Samples:
    rows = concurrency.figures
    raw: list[tuple[Place, float]] = [
        (float(one.agents), rate)
        for one in concurrency.rounds
        for run in one.runs
        if any(seen.answered for seen in run.observations) and (rate := agent_rate(run)) is not None
    ]
    one = Series(
        name="agent",
        colour="green",
        points=points(raw, name="one agent", unit="tok/s"),
        intervals=intervals(
            [(float(row.agents), row.agent_tokens_per_s) for row in rows if row.failed < row.calls],
            name="median of the agents",
            unit="tok/s",
        ),
        joined=True,
    )
    return Samples(
        along="x",
        position=_position(rows, rules),
        value=Axis(label="an agent's rate (tok/s)", low=0.0),
        series=(one,),
        rules=rules,
    )


def _silence(seen: list[Observation]) -> str:
    if any(one.answered for one in seen):
        return "Not reported: the endpoint does not say how many tokens an answer has."
    return unanswered(seen)


def _table(rows: tuple[ConcurrencyFigures, ...], unit: TimeUnit) -> Table:
    steps = TimeUnit.of(row.step_s for row in rows)
    return Table(
        title="Agents at once: figure [95 % interval]",
        heads=(
            "agents",
            f"TTFT p50 ({unit.name})",
            f"TTFT p95 ({unit.name})",
            f"step p50 ({steps.name})",
            "an agent (tok/s)",
            "all (tok/s)",
            "Jain",
            "worst / median",
            "cached / prompt (tokens)",
            "calls, not in the figures",
        ),
        rows=tuple(
            (
                str(row.agents),
                written(row.ttft_p50_s, unit.scale),
                written(row.ttft_p95_s, unit.scale, NOT_MEASURED if row.ttft_p50_s is None else TOO_FEW),
                written(row.step_s, steps.scale),
                written(row.agent_tokens_per_s, missing=NOT_REPORTED),
                figure(row.aggregate_tokens_per_s, missing=NOT_REPORTED),
                figure(row.jain, missing=NOT_REPORTED),
                figure(row.worst_over_median, missing=NOT_REPORTED),
                f"{counted(row.cached_tokens)} / {counted(row.prompt_tokens)}",
                f"{row.calls}, {row.failed}",
            )
            for row in rows
        ),
    )
