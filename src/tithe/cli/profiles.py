"""What a saved audit tells a projection of an endpoint."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tithe.audit import AuditReport, Observation
from tithe.cli.saved import saved_report
from tithe.core.errors import UsageError
from tithe.report.figures import number, share
from tithe.whatif import CallSample, Capacity, Level, Profile, fit_call_times


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit's tasks tell of success. `step`: the chance that a step is right, so that a task of the steps that they took is
    solved as often as they were. `said`: a sentence on what that stands on.
    """

    step: float
    said: str


def read_evaluated(path: Path) -> Evaluated:
    """The success of the tasks in a saved audit. Raises `UsageError` where it cannot be read, or no task ran to its end."""
    report = saved_report(path)
    ended = [run for run in report.measured.task.runs if run.outcome != "failed"]
    solved = report.measured.task.figures.solved
    steps = sum(len(run.steps) for run in ended) / len(ended) if ended else 0.0
    if solved is None or not steps:
        raise UsageError(f"{path} does not tell success: none of its tasks ran to its end.")
    step = solved.value ** (1 / steps)
    return Evaluated(
        step=step,
        said=f"Success is that of the audit's tasks: {share(solved)} % of {solved.n} solved, in {number(steps)} steps on average, so a "
        f"step is right in {100 * step:.1f} %. Other tasks are another matter.",
    )


def read_profile(path: Path) -> Profile:
    """The profile in a report that `tithe audit --save` wrote.

    Raises:
        UsageError: it cannot be read, is of another version, or its calls carry no fit.
    """
    profile = profile_of(saved_report(path))
    profile.check()
    return profile


def profile_of(report: AuditReport) -> Profile:
    """An audit's calls fitted. Those of several agents at once tell its capacity, and are in no fit of a call alone."""
    name = f"{report.endpoint.model} at {report.endpoint.url}"
    return Profile(name=name, times=fit_call_times(name, list(_samples(report))), capacity=_capacity(report))


def _samples(report: AuditReport) -> Iterator[CallSample]:
    measured = report.measured
    times = report.prediction.call_times if report.prediction is not None else None
    caches_from = times.caches_from if times is not None else None
    for pair in measured.pairs.samples:
        # Where cached tokens are not reported, what was planned is what was seen to be so much faster.
        cached = pair.arm == "cached" and caches_from is not None and pair.length >= caches_from
        yield from _sample(pair.observation, planned=pair.length if cached else 0)
    for total in measured.totals.samples:
        yield from _sample(total.observation)
    for run in measured.task.runs:
        for step in run.steps:
            yield from _sample(step.attempts[-1])


def _sample(seen: Observation, *, planned: int | None = None) -> Iterator[CallSample]:
    if not seen.answered:
        return
    output, ttft, total = seen.output_tokens, seen.ttft, seen.total
    reported = seen.cached_tokens
    yield CallSample(
        prompt=seen.prompt_tokens,
        cached=reported if reported is not None else planned,
        decoded=max(0, output - 1) if output is not None else None,
        ttft_s=ttft,
        decode_s=total - ttft if total is not None and ttft is not None and len(seen.stamps) > 1 else None,
        total_s=total,
    )


def _capacity(report: AuditReport) -> Capacity | None:
    found = report.measured.concurrency
    levels = tuple(
        Level(agents=one.agents, step_s=one.step_s.value, steps_per_s=one.steps_per_s)
        for one in found.figures
        if one.step_s is not None and one.steps_per_s is not None
    )
    lone = next((level for level in levels if level.agents == 1), None)
    if found.knee is None or lone is None or found.knee.capacity_steps_per_s <= 0:
        return None
    return Capacity(
        lone_s=lone.step_s,
        reached=found.knee.agents is not None,
        # An agent alone has one call in service at full speed, whatever pauses the capacity was taken with.
        shared=max(1.0, found.knee.capacity_steps_per_s * lone.step_s),
        levels=levels,
    )
