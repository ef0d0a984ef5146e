"""Is a client right? What it found in a scenario, over a few runs, against what is true.

Times are compared by their median over the runs. A machine may make a client late through no fault of its
own, so each run brings the lag that was measured in it: how late the client's event loop and the
server were. With T the tolerance, L the median lag of the runs and D the time told less the true one:

    wrong    when D < -T: a busy machine makes no token come early
    right    otherwise, when |D| <= T + min(L, T)
    wrong    otherwise, when L <= T
    busy     otherwise: not told

The first line is not for gaps (one is short where the chunk before it was late), nor for a server that answers
by when it is asked: one that forgets, or that has others wait meanwhile.

What is not a time is the same or wrong, in every run; where the server forgets, it is busy when L > T.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec
from msgspec import UNSET

from tithe.net.conformance.behaviour import OneAtATime, PromptCache
from tithe.net.conformance.findings import EXACT, TIMED, Finding, Findings, Summary
from tithe.net.conformance.scenario import Brief, Scenario

TOLERANCE_S = 0.010

Outcome = Literal["right", "wrong", "busy"]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a scenario. Lags in seconds: of the client's event loop, of the scripted server; the worst of each."""

    findings: Findings
    loop_lag_s: float = 0.0
    server_late_s: float = 0.0

    @property
    def lag_s(self) -> float:
        return self.loop_lag_s + self.server_late_s


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it is true. `what` names it: `attempt 2 ttft_s`."""

    what: str
    true: str
    told: str
    outcome: Literal["wrong", "busy"]


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one scenario. `told`: the first run's findings with every run's median times."""

    scenario: Brief
    outcome: Outcome
    told: Findings
    off_s: float | None
    loop_lag_s: float
    server_late_s: float
    faults: tuple[Fault, ...]
    runs: tuple[Run, ...]


class SelfTest(msgspec.Struct, frozen=True, kw_only=True):
    """A client, held to every scenario."""

    tithe: str
    tolerance_s: float
    rulings: tuple[Ruling, ...]

    @property
    def holds(self) -> bool:
        return all(ruling.outcome == "right" for ruling in self.rulings)


def judge(scenario: Scenario, runs: Sequence[Run], *, tolerance_s: float = TOLERANCE_S) -> Ruling:
    """The ruling on one or more runs of a scenario."""
    comparison = _Comparison(scenario, median(run.lag_s for run in runs), tolerance_s)
    for run in runs:
        comparison.same(run.findings)
    told = runs[0].findings
    if not comparison.faults:
        told = _merged(tuple(run.findings for run in runs))
        comparison.in_time(told)
    outcomes = {fault.outcome for fault in comparison.faults}
    return Ruling(
        scenario=scenario.brief,
        outcome="wrong" if "wrong" in outcomes else "busy" if outcomes else "right",
        told=told,
        off_s=comparison.off_s,
        loop_lag_s=max(run.loop_lag_s for run in runs),
        server_late_s=max(run.server_late_s for run in runs),
        faults=tuple(comparison.faults),
        runs=tuple(runs),
    )


class _Comparison:
    """Collects the faults of one scenario's findings."""

    def __init__(self, scenario: Scenario, lag_s: float, tolerance_s: float) -> None:
        self.faults: list[Fault] = []
        self.off_s: float | None = None
        self._truth = scenario.truth
        behaviour = scenario.behaviour
        self._forgets = isinstance(behaviour, PromptCache) and behaviour.lives_s < float("inf")
        self._by_when = self._forgets or isinstance(behaviour, OneAtATime)
        self._busy = lag_s > tolerance_s
        self._tolerance = tolerance_s
        self._allowed = tolerance_s + min(lag_s, tolerance_s)

    def same(self, told: Findings) -> None:
        """Compare what has to be the same; the times only as to whether they are there."""
        truth = self._truth
        if len(told.attempts) != len(truth.attempts):
            self._fault("attempts", len(truth.attempts), len(told.attempts), busy=False)
            return
        for number, (true, one) in enumerate(zip(truth.attempts, told.attempts, strict=True), start=1):
            self._same_attempt(f"attempt {number}", true, one)
        if isinstance(truth.summary, Summary):
            self._same_summary(truth.summary, told.summary)

    def _same_attempt(self, name: str, true: Finding, told: Finding) -> None:
        for field in EXACT:
            asked, given = getattr(true, field), getattr(told, field)
            if asked is not UNSET and asked != given:
                self._fault(f"{name} {field}", asked, given, busy=self._forgets and self._busy)
        for field in TIMED:
            asked, given = getattr(true, field), getattr(told, field)
            if asked is not UNSET and isinstance(asked, float) is not isinstance(given, float):
                self._fault(f"{name} {field}", asked, given, busy=False)
        if true.gaps_s is not UNSET:
            gaps = 0 if told.gaps_s is UNSET else len(told.gaps_s)
            if gaps != len(true.gaps_s):
                self._fault(f"{name} gaps", len(true.gaps_s), gaps, busy=False)

    def _same_summary(self, true: Summary, told: object) -> None:
        if not isinstance(told, Summary):
            self._fault("summary", "told", "not told", busy=False)
            return
        for field in ("counted", "apart", "interval"):
            if getattr(true, field) != getattr(told, field):
                self._fault(f"summary {field}", getattr(true, field), getattr(told, field), busy=False)
        if (true.ttft_p50_s is None) is not (told.ttft_p50_s is None):
            self._fault("summary ttft_p50_s", true.ttft_p50_s, told.ttft_p50_s, busy=False)

    def in_time(self, told: Findings) -> None:
        """Compare the times of findings that are the same otherwise."""
        for number, (true, one) in enumerate(zip(self._truth.attempts, told.attempts, strict=True), start=1):
            for field in TIMED:
                asked, given = getattr(true, field), getattr(one, field)
                if isinstance(asked, float):
                    self._time(f"attempt {number} {field}", asked, given)
            if true.gaps_s is not UNSET and one.gaps_s is not UNSET:
                for place, (gap, found) in enumerate(zip(true.gaps_s, one.gaps_s, strict=True), start=1):
                    self._time(f"attempt {number} gap {place}", gap, found, may_be_short=True)
        true_summary, told_summary = self._truth.summary, told.summary
        if isinstance(true_summary, Summary) and isinstance(told_summary, Summary):
            if true_summary.ttft_p50_s is not None and told_summary.ttft_p50_s is not None:
                self._time("summary ttft_p50_s", true_summary.ttft_p50_s, told_summary.ttft_p50_s)

    def _time(self, what: str, true: float, told: float, *, may_be_short: bool = False) -> None:
        off = told - true
        self.off_s = max(self.off_s or 0.0, abs(off))
        early = off < -self._tolerance and not (may_be_short or self._by_when)
        if abs(off) <= self._allowed and not early:
            return
        self._fault(what, f"{true * 1e3:.1f} ms", f"{told * 1e3:.1f} ms", busy=self._busy and not early)

    def _fault(self, what: str, true: object, told: object, *, busy: bool) -> None:
        outcome = "busy" if busy else "wrong"
        fault = Fault(what=what, true=_said(true), told=_said(told), outcome=outcome)
        if fault not in self.faults:
            self.faults.append(fault)


def _said(value: object) -> str:
    return "not told" if value is UNSET else "none" if value is None else str(value)


def _merged(runs: tuple[Findings, ...]) -> Findings:
    """The first run's findings with the median of every time; all runs have the same ones."""
    attempts = tuple(
        _merged_attempt(one) for one in zip(*(findings.attempts for findings in runs), strict=True)
    )
    summaries = [findings.summary for findings in runs if isinstance(findings.summary, Summary)]
    if not summaries:
        return Findings(attempts=attempts)
    medians = [summary.ttft_p50_s for summary in summaries if summary.ttft_p50_s is not None]
    middle = median(medians) if medians else None
    return Findings(attempts=attempts, summary=msgspec.structs.replace(summaries[0], ttft_p50_s=middle))


def _merged_attempt(runs: tuple[Finding, ...]) -> Finding:
    times: dict[str, object] = {}
    for field in TIMED:
        told = [time for run in runs if isinstance(time := getattr(run, field), float)]
        if told:
            times[field] = median(told)
    gaps = [run.gaps_s for run in runs if run.gaps_s is not UNSET]
    if gaps and len({len(one) for one in gaps}) == 1:
        times["gaps_s"] = tuple(median(place) for place in zip(*gaps, strict=True))
    return msgspec.structs.replace(runs[0], **times)
