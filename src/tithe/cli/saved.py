"""Reports that `tithe audit --save` wrote: shown again, or compared."""

from collections.abc import Sequence
from pathlib import Path

from tithe.audit import AuditReport, compare, read_report, read_saved
from tithe.cli.giving import give
from tithe.cli.outputs import Outputs
from tithe.core.errors import UsageError


def show_saved(path: Path, outputs: Outputs, *, json: bool) -> None:
    """Give a report or comparison that was saved. Raises `UsageError` when it is none that can be shown."""
    outputs.check(reading=[path])
    found = read_saved(read_saved_file(path), str(path))
    try:
        give(found, outputs, json=json)
    except (LookupError, ValueError, ZeroDivisionError) as error:
        # Its types are right and its parts do not fit each other: somebody has changed it.
        what = "audit report" if isinstance(found, AuditReport) else "comparison"
        raise UsageError(f"{path} is no whole {what}: its parts do not fit each other.") from error


def saved_report(path: Path) -> AuditReport:
    """The report of one endpoint in a file. Raises `UsageError` when it cannot be read, or is none."""
    return read_report(read_saved_file(path), str(path))


def compare_saved(paths: Sequence[Path], outputs: Outputs, *, json: bool) -> None:
    """Compare reports that were saved, each with the first.

    Raises:
        UsageError: fewer than two, one that cannot be read, or some without a figure in common.
    """
    if len(paths) < 2:
        raise UsageError("--compare needs two reports or more, as `tithe audit --save` writes them.")
    outputs.check(reading=paths, flag="--compare")
    reports = [read_report(read_saved_file(path), str(path)) for path in paths]
    try:
        give(compare(reports, interleaved=False), outputs, json=json)
    except (LookupError, ValueError, ZeroDivisionError) as error:
        named = ", ".join(str(path) for path in paths)
        raise UsageError(
            f"One of {named} is no whole audit report: its parts do not fit each other."
        ) from error


def read_saved_file(path: Path) -> bytes:
    """What is in a file. Raises `UsageError` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"The report {path} cannot be read: {error.strerror}.") from error
