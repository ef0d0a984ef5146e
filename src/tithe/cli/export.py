"""`tithe export`: recorded tasks as a file for another program."""

import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from cyclopts import Parameter

from tithe.cli.loop import TERMINATED
from tithe.cli.store import Db, record_path
from tithe.core.errors import UsageError
from tithe.report.figures import counted
from tithe.trace import Store, TaskRecord
from tithe.trace.exports import to_chrome, to_csv, to_otlp, to_parquet

Format = Literal["otlp", "chrome", "csv", "parquet"]

_WRITERS: dict[Format, Callable[[Iterable[TaskRecord]], Iterator[bytes]]] = {
    "otlp": to_otlp,
    "chrome": to_chrome,
    "csv": to_csv,
    "parquet": to_parquet,
}
# The longer first: trace.json is what Perfetto's own files are called.
_SUFFIXES: dict[str, Format] = {
    ".trace.json": "chrome",
    ".chrome.json": "chrome",
    ".json": "otlp",
    ".csv": "csv",
    ".parquet": "parquet",
}


def export(
    *tasks: str,
    format_: Annotated[Format | None, Parameter(name="--format")] = None,
    out: Path | None = None,
    db: Db = None,
) -> None:
    """Write recorded tasks as OTLP JSON, Chrome trace (for ui.perfetto.dev), CSV or Parquet.

    Parameters
    ----------
    tasks
        The tasks to write: an id, a beginning of it that no other task has, or last. All when none is named.
    format_
        otlp, chrome, csv or parquet (which needs pip install 'tithe[parquet]'). Guessed from the end of --out's name when
        left out: .json (OTLP), .trace.json (Chrome), .csv, .parquet.
    out
        The file to write. It appears when it is whole, in place of one of that name. Standard output when left out.
    db
        The record's file. Without it that of TITHE_DB, else record.db in the user's data directory.
    """
    chosen = format_ if format_ is not None else _guessed(out)
    if chosen == "parquet" and out is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal: name a file with --out, or send it to a pipe.")
    with Store.open(record_path(db), write=False) as store:
        whole = [store.find(one) for one in tasks]
        told = _Counted(store.task_records(whole or None))
        pieces = _WRITERS[chosen](told)
        if out is None:
            _print(pieces)
            return
        _write(out, pieces)
    sys.stderr.write(f"tithe: wrote {counted(told.count, 'task')} to {out} ({chosen}).\n")


class _Counted:
    """Records, counted as they are taken."""

    def __init__(self, records: Iterator[TaskRecord]) -> None:
        self.count = 0
        self._records = records

    def __iter__(self) -> Iterator[TaskRecord]:
        for record in self._records:
            self.count += 1
            yield record


def _guessed(out: Path | None) -> Format:
    name = "" if out is None else out.name.lower()
    for suffix, found in _SUFFIXES.items():
        if name.endswith(suffix):
            return found
    raise UsageError(
        f"{'No format is named' if out is None else f'The name {out.name} does not tell the format'}: "
        "give --format otlp, chrome, csv or parquet."
    )


def _print(pieces: Iterable[bytes]) -> None:
    try:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has enough. Python would complain of it again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(out: Path, pieces: Iterable[bytes]) -> None:
    """Write beside `out` and put it in its place when it is whole; what was there stays until then."""
    _end_in_order()
    try:
        if out.exists() and not out.is_file():  # a pipe or a device has no other place
            with out.open("wb") as file:
                file.writelines(pieces)
            return
        target = out.resolve()
        # Named before it is made, so that no signal falls between the two.
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with beside.open("xb") as file:
                file.writelines(pieces)
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"The export cannot be written to {out}: {error.strerror}. Name another file with --out."
        ) from error


def _end_in_order() -> None:
    """Have Ctrl-C and SIGTERM take back what was begun: see `tithe.__main__`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: object) -> NoReturn:
    sys.exit(TERMINATED)
