"""The files that an audit is written to: its report as JSON, and as a page."""

from pathlib import Path

import msgspec

from tithe.audit import AuditReport
from tithe.core.errors import UsageError
from tithe.report import audit_page


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """Where to write, if anywhere."""

    save: Path | None
    html: Path | None

    def check(self, *, reading: Path | None) -> None:
        """Raises `UsageError` when a file cannot be written, or is named twice; `reading` is not to be written over."""
        named = {"--from": reading, "--save": self.save, "--html": self.html}
        seen: dict[Path, str] = {}
        for flag, path in named.items():
            if path is None:
                continue
            first = seen.setdefault(path.resolve(), flag)
            if first != flag:
                raise UsageError(f"{first} and {flag} name the same file, {path}; name two.")
            if flag != "--from":
                check_writable(path, flag)

    def write(self, report: AuditReport, written: bytes) -> UsageError | None:
        """Write the report; what went wrong is returned, so that it can be printed first."""
        wrong: UsageError | None = None
        if self.html is not None:
            wrong = _write(self.html, audit_page(report).encode(), "--html")
        if self.save is not None:
            wrong = _write(self.save, written, "--save") or wrong
        return wrong


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


def _write(path: Path, written: bytes, flag: str) -> UsageError | None:
    try:
        path.write_bytes(written)
    except OSError as error:
        return _unwritable(path, flag, error)
    return None


def _unwritable(path: Path, flag: str, error: OSError) -> UsageError:
    return UsageError(
        f"The report cannot be written to {path}: {error.strerror}. Name another file with {flag}."
    )
