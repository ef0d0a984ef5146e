"""The files that an audit is written to: its report as JSON and as a page, and its calls as a table."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tithe.audit import AuditReport, Comparison
from tithe.core.errors import UsageError
from tithe.report import audit_page, calls_csv, compared_calls_csv, comparison_page


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outputs:
    """Where to write, if anywhere. The flags and their help are made from this.

    Attributes:
        save: Write the report as JSON to this file as well.
        html: Write the report to this file as a page as well: charts, tables and all they need in one file.
        csv: Write every call to this file as well, as a table with one row an attempt.
    """

    save: Path | None = None
    html: Path | None = None
    csv: Path | None = None

    def check(self, *, reading: Sequence[Path] = (), flag: str = "--from") -> None:
        """Raises `UsageError` when a file cannot be written, or is named twice; `reading`, named by `flag`, is not to be written over."""
        seen = dict.fromkeys((path.resolve() for path in reading), flag)
        for each, path in {"--save": self.save, "--html": self.html, "--csv": self.csv}.items():
            if path is None:
                continue
            first = seen.setdefault(path.resolve(), each)
            if first != each:
                raise UsageError(f"{first} and {each} name the same file, {path}; name two.")
            check_writable(path, each)

    def write(self, report: AuditReport | Comparison, written: bytes) -> UsageError | None:
        """Write the report; what went wrong is returned, so that it can be printed first."""
        wrong: UsageError | None = None
        if self.html is not None:
            wrong = write_file(self.html, _page(report).encode(), "--html")
        if self.csv is not None:
            wrong = write_file(self.csv, _calls(report).encode(), "--csv") or wrong
        if self.save is not None:
            wrong = write_file(self.save, written, "--save") or wrong
        return wrong


def _page(report: AuditReport | Comparison) -> str:
    return audit_page(report) if isinstance(report, AuditReport) else comparison_page(report)


def _calls(report: AuditReport | Comparison) -> str:
    return calls_csv(report) if isinstance(report, AuditReport) else compared_calls_csv(report.reports)


def check_writable(path: Path, flag: str) -> None:
    """Raises `UsageError` when `path` cannot be written; leaves no trace."""
    new = not path.exists()
    try:
        with path.open("ab"):
            pass
        if new:
            path.unlink()
    except OSError as error:
        raise _unwritable(path, flag, error) from error


def write_file(path: Path, written: bytes, flag: str) -> UsageError | None:
    """Write a file; what went wrong is returned, so that what was to be written can be printed first."""
    try:
        path.write_bytes(written)
    except OSError as error:
        return _unwritable(path, flag, error)
    return None


def _unwritable(path: Path, flag: str, error: OSError) -> UsageError:
    return UsageError(
        f"The report cannot be written to {path}: {error.strerror}. Name another file with {flag}."
    )
