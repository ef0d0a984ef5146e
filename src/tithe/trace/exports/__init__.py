"""Tasks as files for other programs, one file a format. Each takes tasks and gives bytes, piece by piece."""

from tithe.trace.exports.chrome import to_chrome
from tithe.trace.exports.columns import COLUMNS
from tithe.trace.exports.csv import to_csv
from tithe.trace.exports.otlp import to_otlp
from tithe.trace.exports.parquet import to_parquet

__all__ = ["COLUMNS", "to_chrome", "to_csv", "to_otlp", "to_parquet"]
