"""A report that was saved, read again. What a file holds is checked before anything is made of it."""

import msgspec

from tithe.audit.audit import REPORT_VERSION, AuditReport
from tithe.audit.structured import ARMS
from tithe.audit.verdict import Measured
from tithe.core.errors import UsageError


class _Version(msgspec.Struct):
    version: int
    tithe: str = "an unknown version"


def read_report(written: bytes, name: str) -> AuditReport:
    """The report in `written`, the JSON that `tithe audit --save` wrote; `name` is what errors call it.

    Raises:
        UsageError: it is no report, or one of another version.
    """
    try:
        found = msgspec.json.decode(written, type=_Version)
        if found.version != REPORT_VERSION:
            raise UsageError(
                f"{name} is a report of version {found.version}, written by Tithe {found.tithe}; this is Tithe "
                f"with reports of version {REPORT_VERSION}. Measure again, or read it with the Tithe that wrote it."
            )
        report = msgspec.json.decode(written, type=AuditReport)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"{name} is no audit report: {error}. Name a file that `tithe audit --save` wrote."
        ) from error
    lacking = _lacking(report.measured, len(report.verdicts))
    if lacking is not None:
        raise UsageError(f"{name} is no whole audit report: it has {lacking}.")
    return report


def _lacking(measured: Measured, verdicts: int) -> str | None:
    """What every audit has and types alone don't promise; None when nothing is lacking."""
    if tuple(arm.arm for arm in measured.structured.figures) != ARMS:
        return "other arms of structured output than an audit has"
    if verdicts != len(Measured.__struct_fields__):
        return f"{verdicts} verdicts, not {len(Measured.__struct_fields__)}"
    return None
