"""Tasks as comma-separated values (RFC 4180), one row a span; columns.py has the columns.

A text that a spreadsheet would take for a formula gets an apostrophe before it: names of tools and models come from
whoever was recorded, and a table is opened by somebody else.
"""

import csv
import io
from collections.abc import Iterable, Iterator

from tithe.trace.exports.columns import COLUMNS, Cell, rows
from tithe.trace.records import TaskRecord

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(records: Iterable[TaskRecord]) -> Iterator[bytes]:
    """UTF-8, the head first, then a piece for each task. Times are to the nanosecond, dates to the microsecond."""
    yield _lines([[column.name for column in COLUMNS]])
    for record in records:
        yield _lines(
            [
                [_text(cell, column.name) for cell, column in zip(row, COLUMNS, strict=True)]
                for row in rows(record)
            ]
        )


def _text(cell: Cell, column: str) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float():
            return f"{cell:.6f}" if column == "started" else f"{cell:.9f}".rstrip("0").rstrip(".")
        case int():
            return str(cell)
        case str():
            return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _lines(table: list[list[str]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(table)
    return written.getvalue().encode()
