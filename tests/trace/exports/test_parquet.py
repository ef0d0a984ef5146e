"""Parquet: the columns of the CSV with their types, and a plain word where pyarrow is missing."""

import io
import subprocess
import sys

import pyarrow.parquet as pq

from tithe.trace.exports import COLUMNS, to_parquet

WITHOUT = """
import sys
sys.modules["pyarrow"] = None
from tithe.core.errors import UsageError
from tithe.trace.exports import to_parquet
try:
    list(to_parquet([]))
except UsageError as error:
    print(error.message)
"""


def test_the_columns_come_back_with_their_types(record) -> None:
    read = pq.read_table(io.BytesIO(b"".join(to_parquet([record, record]))))
    assert read.column_names == [column.name for column in COLUMNS]
    rows = read.to_pylist()
    assert len(rows) == 2 * len(record.spans)
    assert (rows[1]["input_tokens"], rows[1]["first_token_s"], rows[1]["error"]) == (1200, 0.5, None)
    assert rows[0]["input_tokens"] is None
    assert rows[6]["name"] == "=HYPERLINK(1)"  # no spreadsheet runs it


def test_no_tasks_are_a_table_without_rows() -> None:
    read = pq.read_table(io.BytesIO(b"".join(to_parquet([]))))
    assert (read.num_rows, len(read.column_names)) == (0, len(COLUMNS))


def test_without_pyarrow_it_says_what_to_install() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert "pip install 'tithe[parquet]'" in ran.stdout
