"""Tasks as Parquet, one row a span; columns.py has the columns. Needs pyarrow, of the extra `tithe[parquet]`."""

import io
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import islice
from typing import Any

from tithe.core.errors import UsageError
from tithe.trace.exports.columns import COLUMNS, Cell, rows
from tithe.trace.records import TaskRecord

_GROUP = 50_000  # rows held before they are written as one row group


def to_parquet(records: Iterable[TaskRecord]) -> Iterator[bytes]:
    """The file, piece by piece. Raises `UsageError` when pyarrow is not installed."""
    try:
        # It ships no types: what it gives is used as it is, here alone.
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow, not installed here. Get it with: pip install 'tithe[parquet]', or choose "
            "--format csv, which has the same columns."
        ) from error
    types = {"text": arrow.string(), "count": arrow.int64(), "seconds": arrow.float64(), "yes": arrow.bool_()}
    schema = arrow.schema([(column.name, types[column.type]) for column in COLUMNS])
    every = (row for record in records for row in rows(record))
    file = io.BytesIO()
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(every, _GROUP)):
            writer.write_table(_table(arrow, schema, group))
            yield _drain(file)
    yield _drain(file)


def _table(arrow: Any, schema: Any, group: list[list[Cell]]) -> Any:
    return arrow.Table.from_arrays(
        [
            arrow.array(cells, type=field.type)
            for cells, field in zip(zip(*group, strict=True), schema, strict=True)
        ],
        schema=schema,
    )


def _drain(file: io.BytesIO) -> bytes:
    written = file.getvalue()
    file.seek(0)
    file.truncate()
    return written
