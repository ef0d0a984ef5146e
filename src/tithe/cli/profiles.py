"""What a saved audit tells a projection of an endpoint."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from tithe.audit import AuditReport, Observation, Round
from tithe.cli.saved import saved_report
from tithe.core.errors import UsageError
from tithe.core.statistics import Floats
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
    """An audit's calls fitted. What calls alone take is told by those of one agent, what concurrency does by its rounds of agents."""
    name = f"{report.endpoint.model} at {report.endpoint.url}"
    times = fit_call_times(name, list(_samples(report)), rounds=list(_rounds(report)))
    return Profile(name=name, times=times, capacity=_capacity(report))


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


def _rounds(report: AuditReport) -> Iterator[CallSample]:
    """The calls of agents that ran at once, with what ran beside each."""
    for one in report.measured.concurrency.rounds:
        calls = [seen for run in one.runs for seen in run.observations]
        if not calls:
            continue
        sent, first, last = np.asarray(
            [(seen.sent or seen.begun, seen.first or seen.ended, seen.last or seen.ended) for seen in calls]
        ).T
        until_first, after = _beside(sent, first, sent, last), _beside(first, last, sent, last)
        for place, seen in enumerate(calls):
            for sample in _sample(seen):
                yield msgspec.structs.replace(
                    sample, others_first=float(until_first[place]), others_rest=float(after[place])
                )


def _beside(start: Floats, end: Floats, sent: Floats, last: Floats) -> Floats:
    """How many other calls, of those under way from `sent` to `last`, there were on average from each `start` to its `end`."""
    length = end - start
    shared = np.minimum(end[:, None], last) - np.maximum(start[:, None], sent)
    others = np.maximum(0.0, shared).sum(axis=1) - length
    return np.divide(others, length, out=np.zeros_like(others), where=length > 0)


def _capacity(report: AuditReport) -> Capacity | None:
    """The measured curve, of the rounds in which all calls were answered."""
    found = report.measured.concurrency
    if found.knee is None:
        return None
    levels = [
        _level(agents, [one for one in found.rounds if one.agents == agents])
        for agents in sorted({one.agents for one in found.rounds})
    ]
    known = tuple(level for level in levels if level is not None)
    return Capacity(reached=found.knee.agents is not None, levels=known) if known else None


def _level(agents: int, rounds: Sequence[Round]) -> Level | None:
    ttfts: list[float] = []
    decodes: list[float] = []
    pauses: list[float] = []
    for run in (run for one in rounds for run in one.runs):
        if not run.observations or not all(seen.answered for seen in run.observations):
            continue
        own = [seen.ttft or 0.0 for seen in run.observations]
        totals = [seen.total or 0.0 for seen in run.observations]
        ttfts += own
        decodes += [total - ttft for total, ttft in zip(totals, own, strict=True)]
        pauses.append(max(0.0, run.end - run.start - sum(totals)) / len(totals))
    if not ttfts:
        return None
    ttft, decode, pause = (sum(values) / len(values) for values in (ttfts, decodes, pauses))
    return Level(agents=agents, ttft_s=ttft, decode_s=decode, pause_s=pause)
