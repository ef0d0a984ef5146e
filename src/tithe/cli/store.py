"""Where the record is: `--db`, else TITHE_DB, else the user's data directory."""

import os
from pathlib import Path
from typing import Annotated

import platformdirs
from cyclopts import Parameter

Db = Annotated[Path | None, Parameter(name="--db")]
"""The flag that names the record's file."""


def record_path(db: Path | None) -> Path:
    """The record's file, which need not be there."""
    named = db if db is not None else os.environ.get("TITHE_DB")
    return Path(named) if named else Path(platformdirs.user_data_dir("tithe", appauthor=False)) / "record.db"
