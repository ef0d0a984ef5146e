"""A report or a comparison that was saved, read again. What a file holds is checked before anything is made of it."""

import msgspec

from tithe.audit.audit import REPORT_VERSION, AuditReport
from tithe.audit.comparison import COMPARISON_VERSION, Comparison
from tithe.audit.structured import ARMS
from tithe.audit.verdict import Measured
from tithe.core.errors import UsageError


class _Head(msgspec.Struct):
    version: int
    tithe: str = "an unknown version"
    contrasts: msgspec.Raw = msgspec.Raw()


def read_report(written: bytes, name: str) -> AuditReport:
    """The report in `written`, the JSON that `tithe audit --save` wrote; `name` is what errors call it.

    Raises:
        UsageError: it is no report, or one of another version.
    """
    found = read_saved(written, name)
    if isinstance(found, Comparison):
        raise UsageError(
            f"{name} holds a comparison of {len(found.reports)} endpoints, not the report of one. "
            "`tithe audit --from` shows it."
        )
    return found


def read_saved(written: bytes, name: str) -> AuditReport | Comparison:
    """What `tithe audit --save` wrote: the report of one endpoint, or a comparison of several.

    Raises:
        UsageError: it is neither, or one of another version.
    """
    try:
        head = msgspec.json.decode(written, type=_Head)
        if bytes(head.contrasts):
            _check(head, COMPARISON_VERSION, "comparison", name)
            comparison = msgspec.json.decode(written, type=Comparison)
            for report in comparison.reports:
                _check_whole(report, name)
            if any(not 0 < contrast.other < len(comparison.reports) for contrast in comparison.contrasts):
                raise UsageError(f"{name} is no whole comparison: it contrasts a report that it has not.")
            return comparison
        _check(head, REPORT_VERSION, "report", name)
        report = msgspec.json.decode(written, type=AuditReport)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"{name} is no audit report: {error}. Name a file that `tithe audit --save` wrote."
        ) from error
    _check_whole(report, name)
    return report


def _check(head: _Head, version: int, what: str, name: str) -> None:
    if head.version != version:
        raise UsageError(
            f"{name} is a {what} of version {head.version}, written by Tithe {head.tithe}; this is Tithe "
            f"with {what}s of version {version}. Measure again, or read it with the Tithe that wrote it."
        )


def _check_whole(report: AuditReport, name: str) -> None:
    lacking = _lacking(report.measured, len(report.verdicts))
    if lacking is not None:
        raise UsageError(f"{name} is no whole audit report: it has {lacking}.")


def _lacking(measured: Measured, verdicts: int) -> str | None:
    """What every audit has and types alone don't promise; None when nothing is lacking."""
    if tuple(arm.arm for arm in measured.structured.figures) != ARMS:
        return "other arms of structured output than an audit has"
    if verdicts != len(Measured.__struct_fields__):
        return f"{verdicts} verdicts, not {len(Measured.__struct_fields__)}"
    return None
