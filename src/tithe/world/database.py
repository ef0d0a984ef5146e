"""A small SQLite database in memory, with one door for reading and one for changing rows.

What a statement may do is decided by SQLite's authorizer, not by reading its text; work, memory and
results are bounded, so that no statement can hang or swell.
"""

import sqlite3

Row = tuple[int | str | None, ...]

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
_CHANGING = _READING | {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
# They load code, or make values far larger than any row has.
_DENIED_FUNCTIONS = {"load_extension", "zeroblob", "randomblob", "printf", "format"}
_SHOWN_ROWS = 10
_SHOWN_CHARACTERS = 400
_OPERATIONS = 1_000_000
_ROWS = 1000


class Database:
    """Tables given as column names and rows; the first column is an integer primary key."""

    def __init__(self, tables: dict[str, tuple[tuple[str, ...], tuple[Row, ...]]]) -> None:
        # An agent's tools may run on any thread, one at a time.
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for table, (columns, rows) in tables.items():
            first, *others = (f'"{column}"' for column in columns)
            self._connection.execute(
                f'CREATE TABLE "{table}" ({first} INTEGER PRIMARY KEY, {", ".join(others)})'
            )
            places = ", ".join("?" * len(columns))
            self._connection.executemany(f'INSERT INTO "{table}" VALUES ({places})', rows)  # noqa: S608 # ours
        self._tables = tuple(tables)
        self._allowed = _READING
        self._operations = 0
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 2_000)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 50)
        self._connection.set_authorizer(self._judge)
        self._connection.set_progress_handler(self._tick, 10_000)

    def rows(self, table: str) -> list[Row]:
        """All rows of a table as they are now, at most a thousand and one."""
        self._allowed = _READING
        self._operations = 0
        return self._connection.execute(f'SELECT * FROM "{table}"').fetchmany(_ROWS + 1)  # noqa: S608 # our name

    def query(self, sql: str) -> str:
        """The result of one SELECT as lines, or what is wrong with it."""
        try:
            cursor = self._run(sql, _READING)
            if cursor.description is None:
                return "Error: query takes one SELECT."
            rows: list[Row] = cursor.fetchmany(_SHOWN_ROWS + 1)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            return self._told(error, "query only reads: use update to change rows")
        if not rows:
            return "No rows."
        lines = [" | ".join(column[0] for column in cursor.description)]
        lines += [" | ".join(map(str, row)) for row in rows[:_SHOWN_ROWS]]
        if len(rows) > _SHOWN_ROWS:
            lines.append("and more")
        return "\n".join(lines)[:_SHOWN_CHARACTERS]

    def update(self, sql: str) -> str:
        """How many rows one UPDATE, INSERT or DELETE changed, or what is wrong with it."""
        try:
            cursor = self._run(sql, _CHANGING)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            return self._told(error, "update takes one UPDATE, INSERT or DELETE")
        if cursor.rowcount < 0:
            cursor.close()
            return "Error: update takes one UPDATE, INSERT or DELETE. Use query to read."
        return f"{cursor.rowcount} row{'' if cursor.rowcount == 1 else 's'} changed."

    def close(self) -> None:
        self._connection.close()

    def _run(self, sql: str, allowed: set[int]) -> sqlite3.Cursor:
        self._allowed = allowed
        self._operations = 0
        return self._connection.execute(sql)

    def _judge(
        self, action: int, first: str | None, second: str | None, _database: str | None, _inner: str | None
    ) -> int:
        """Called by SQLite for each thing that a statement would do."""
        # The tables that describe tables are no business of an agent's.
        inside = (first or "").startswith("sqlite_") or second in _DENIED_FUNCTIONS
        return sqlite3.SQLITE_OK if action in self._allowed and not inside else sqlite3.SQLITE_DENY

    def _tick(self) -> int:
        """Called by SQLite every 10,000 of its operations; 1 stops the statement."""
        self._operations += 10_000
        return int(self._operations > _OPERATIONS)

    def _told(self, error: Exception, refused: str) -> str:
        said = str(error).rstrip(".")[:120]
        if said.startswith(("not authorized", "access to", "prohibited")):
            said = refused
        elif said.startswith("no such table"):
            said += f". Tables: {', '.join(self._tables)}"
        elif said.startswith("no such column"):
            said += ". Put text in 'quotes'; schema shows the columns"
        elif said.startswith("interrupted"):
            said = "the statement takes too long"
        elif "one statement" in said:
            said = "one statement a call, please"
        return f"Error: {said}."
