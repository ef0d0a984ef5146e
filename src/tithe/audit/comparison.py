"""Two endpoints or more, compared: each against the first, figure by figure, and a verdict for each measurement.

Verdicts say faster, slower, or that no difference can be detected, which is a finding too: it comes with the
interval that the difference lies in. Each stands on one figure that was chosen beforehand (samples.primary),
and all of a comparison's verdicts together are wrong about a difference that is not there in at most one
comparison of twenty: the intervals they stand on are of level 1 - 0.05 / number of verdicts (Bonferroni). The
other figures have their own 95 % intervals, to look into; of twenty of them one excludes the truth.

Endpoints that were measured by turns are compared by pairs; runs that were kept by ranks, tasks and numbers
of agents by pairs (differences.py). Runs that were kept were measured at different times, so a difference
between them may be the hour's or the machine's.
"""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec

import tithe
from tithe.audit.audit import AuditReport
from tithe.audit.differences import Difference, by_pairs, by_ranks, by_shares
from tithe.audit.plan import as_typed
from tithe.audit.samples import SHAPED_BY, Name, Samples, primary, samples
from tithe.audit.verdict import About
from tithe.core.errors import UsageError
from tithe.core.statistics import LEVEL

COMPARISON_VERSION = 1

Compared = Literal["faster", "slower", "no_detectable_difference", "unclear"]

# Samples that are of one task, or of one number of agents, are pairs whenever they were taken.
_MATCHED: tuple[About, ...] = ("concurrency", "task")

ABOUTS: tuple[About, ...] = get_args(About)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict: how the other endpoint's `figure` stands to the base's.

    `withheld` has, for each endpoint whose client cannot vouch for its figure or that has none, its place in the
    reports and the reason; `outcome` is then what the figures alone say. `difference` None: not measured at both.
    """

    about: About
    outcome: Compared
    figure: str
    difference: Difference | None
    withheld: dict[int, str]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure at both endpoints, with its 95 % intervals."""

    about: About
    figure: str
    difference: Difference


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint against the base. `other` is its place in the comparison's reports; `unlike` says what was not compared, and why."""

    other: int
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    unlike: tuple[str, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoints compared. The first of the `reports` is the base. `level` is that of the findings' intervals.

    `missing` are endpoints that answered nothing and have no report, each with the reason.
    """

    version: int
    tithe: str
    date: str
    interleaved: bool
    level: float
    reports: tuple[AuditReport, ...]
    contrasts: tuple[Contrast, ...]
    missing: tuple[str, ...] = ()


def compare(reports: Sequence[AuditReport], *, interleaved: bool, missing: Sequence[str] = ()) -> Comparison:
    """Compare each report with the first.

    Args:
        interleaved: they were measured by turns, so samples of one round are pairs. What has no figure in common
            is then told in the findings, since it has cost something.
        missing: what else was to be compared, and why it is not.

    Raises:
        UsageError: fewer than two reports; kept ones that are of one run, or have no figure in common.
    """
    if len(reports) < 2:
        raise UsageError("A comparison needs two reports at least.")
    if not interleaved and any(one == other for one, other in itertools.combinations(reports, 2)):
        raise UsageError("Two of these reports are of one and the same audit; name different ones.")
    level = 1 - (1 - LEVEL) / (len(ABOUTS) * (len(reports) - 1))
    return Comparison(
        version=COMPARISON_VERSION,
        tithe=tithe.__version__,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        interleaved=interleaved,
        level=level,
        reports=tuple(reports),
        missing=tuple(missing),
        contrasts=tuple(
            _contrast(reports[0], report, other, level, interleaved=interleaved)
            for other, report in enumerate(reports[1:], start=1)
        ),
    )


class _Both:
    """The samples of two reports, and how to tell a difference between them."""

    def __init__(self, base: AuditReport, other: AuditReport, *, interleaved: bool) -> None:
        self._base, self._other = samples(base), samples(other)
        self._interleaved = interleaved

    def names(self, alike: Sequence[About]) -> list[Name]:
        """The figures that both have, of the measurements that are alike, in the order measured."""
        return [
            name
            for about in ABOUTS
            if about in alike
            for name in (*_in_both(self._base.times, self._other.times), *self._shares())
            if name[0] == about
        ]

    def _shares(self) -> list[Name]:
        return _in_both(self._base.shares, self._other.shares)

    def primary(self, report: AuditReport) -> dict[About, str]:
        common = {name: self._base.times[name] for name in _in_both(self._base.times, self._other.times)}
        return primary(report.plan, common)

    def difference(self, name: Name, level: float) -> Difference | None:
        """None where there is nothing to compare: no pair, or none on one side."""
        if name in self._base.shares:
            return _shares(self._base, self._other, name, level)
        base, other = self._base.times.get(name, {}), self._other.times.get(name, {})
        if self._interleaved or name[0] in _MATCHED:
            pairs = [(value, other[key]) for key, value in base.items() if key in other]
            return by_pairs(pairs, level=level) if pairs else None
        if not base or not other:
            return None
        return by_ranks(list(base.values()), list(other.values()), level=level)


def _shares(base: Samples, other: Samples, name: Name, level: float) -> Difference | None:
    if name not in other.shares:
        return None
    return by_shares(base.shares[name], other.shares[name], level=level)


def _in_both(base: Mapping[Name, object], other: Mapping[Name, object]) -> list[Name]:
    return [name for name in base if name in other]


def _contrast(
    base: AuditReport, other: AuditReport, place: int, level: float, *, interleaved: bool
) -> Contrast:
    unlike = _unlike(base, other)
    both = _Both(base, other, interleaved=interleaved)
    alike: list[About] = [about for about in ABOUTS if about not in unlike]
    rows = [
        Row(about=name[0], figure=name[1], difference=difference)
        for name in both.names(alike)
        if (difference := both.difference(name, LEVEL)) is not None
    ]
    if not rows and not interleaved:
        why = f" {' '.join(unlike.values())}" if unlike else ""
        raise UsageError(
            f"{base.endpoint.url} and {other.endpoint.url} have no figure in common to compare.{why}"
        )
    chosen = both.primary(base)
    return Contrast(
        other=place,
        findings=tuple(
            _finding(
                about, chosen[about], both.difference((about, chosen[about]), level), (base, other), place
            )
            for about in alike
        ),
        rows=tuple(rows),
        unlike=tuple(unlike.values()),
    )


def _unlike(base: AuditReport, other: AuditReport) -> dict[About, str]:
    """A sentence for each measurement that the two plans shaped differently."""
    said: dict[About, str] = {}
    for about, fields in SHAPED_BY.items():
        differing = [
            f"--{field.replace('_', '-')} {as_typed(getattr(base.plan, field))} and {as_typed(getattr(other.plan, field))}"
            for field in fields
            if getattr(base.plan, field) != getattr(other.plan, field)
        ]
        if differing:
            said[about] = f"Not compared: {about}, measured with {', '.join(differing)}."
    return said


def _finding(
    about: About,
    figure: str,
    difference: Difference | None,
    reports: tuple[AuditReport, AuditReport],
    other: int,
) -> Finding:
    withheld: dict[int, str] = {}
    for place, report in zip((0, other), reports, strict=True):
        for verdict in report.verdicts:
            if verdict.about == about and verdict.withheld is not None:
                withheld[place] = report.left_out.get(about, verdict.withheld)
    return Finding(
        about=about,
        outcome=_outcome(difference),
        figure=figure,
        difference=difference,
        withheld=withheld,
    )


def _outcome(difference: Difference | None) -> Compared:
    if difference is None or difference.difference is None or difference.detected is None:
        return "unclear"
    if not difference.detected:
        return "no_detectable_difference"
    return "slower" if difference.difference.value > 0 else "faster"
