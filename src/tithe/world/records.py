"""Records: query and update a small SQLite database.

Theory. An operation is a pair: what is to be done (count, sum, set, remove, ...) and to which rows (by
name, by kind, above or below a number). The held-out split asks pairs that training never shows, of
tables with other names and columns. The right final rows and the right answer are computed from the
rows as Python values, not with SQL.
"""

import random
from typing import Literal

import msgspec

from tithe.world.database import Database, Row
from tithe.world.records_words import CONDITIONS, REPORTS, WORDINGS
from tithe.world.task import SYSTEM, Split, Task, same_number, tool
from tithe.world.themes import THEMES, Theme
from tithe.world.words import invented_names

Verb = Literal["count", "total", "highest", "lowest", "set", "raise", "move", "remove", "add"]
Condition = Literal["none", "named", "kind", "above", "below", "both"]
Operation = tuple[Verb, Condition]
Report = Literal["changed", "total", "count"]

OPERATIONS: dict[Split, tuple[Operation, ...]] = {
    "train": (
        ("count", "kind"),
        ("count", "above"),
        ("count", "both"),
        ("total", "kind"),
        ("total", "above"),
        ("total", "below"),
        ("highest", "kind"),
        ("highest", "both"),
        ("lowest", "above"),
        ("lowest", "both"),
        ("set", "kind"),
        ("set", "below"),
        ("set", "named"),
        ("raise", "named"),
        ("raise", "above"),
        ("raise", "below"),
        ("move", "named"),
        ("move", "above"),
        ("move", "both"),
        ("remove", "named"),
        ("remove", "kind"),
        ("remove", "below"),
        ("add", "none"),
    ),
    "held_out": (
        ("count", "below"),
        ("total", "both"),
        ("highest", "below"),
        ("lowest", "kind"),
        ("set", "above"),
        ("raise", "kind"),
        ("move", "below"),
        ("remove", "above"),
    ),
}
QUESTIONS: tuple[Verb, ...] = ("count", "total", "highest", "lowest")
"""What changes nothing; the others change rows and are answered with a report."""

TOOLS = (
    tool("schema", "Show the tables."),
    tool("query", "Read with SQL.", sql="One SELECT."),
    tool("update", "Change rows with SQL.", sql="One UPDATE, INSERT or DELETE."),
    tool("finish", "End the task.", answer="The answer."),
)
STEP_LIMIT = 14


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, as one who understood the goal knows it: nothing of the rows is in here.

    `number` is the column that the verb reads or changes, with `value` where it changes; `to` is the
    new kind. The condition compares the column `by` with `edge`, the kind with `of`, the name with
    `name`. `numbers` are a new row's. `report` is None for a question that changes nothing.
    """

    theme: Theme
    verb: Verb
    condition: Condition
    number: str
    value: int
    to: str
    by: str
    edge: int
    of: str
    name: str
    numbers: tuple[int, int]
    report: Report | None
    report_number: str


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """A task of this family with what is behind it.

    `tables` are column names and rows at the start, `final` the right rows at the end (a new row's id is
    None: any will do), `answer` the right answer.
    """

    task: Task
    question: Question
    wordings: tuple[str, ...]
    tables: dict[str, tuple[tuple[str, ...], tuple[Row, ...]]]
    final: tuple[Row, ...]
    answer: int


def make(seed: int, split: Split) -> Records:
    """Draw the task with this seed."""
    draw = random.Random(f"records/{split}/{seed}")
    verb, condition = draw.choice(OPERATIONS[split])
    theme, other = draw.sample(THEMES[split], 2)
    names = invented_names(draw, split, 15)
    rows = _rows(draw, theme, names[: draw.randint(5, 8)])
    others = _rows(draw, other, names[8 : 8 + draw.randint(3, 5)])
    question = _question(draw, theme, verb, condition, rows, names[-1])
    chosen = [row for row in rows if _fits(question, row)]
    final = _final(question, rows)
    goal, wordings = _goal(draw, split, question)
    tables = {theme.table: (_columns(theme), rows), other.table: (_columns(other), others)}
    return Records(
        task=Task(
            family="records",
            seed=seed,
            split=split,
            system=SYSTEM,
            goal=goal,
            tools=TOOLS,
            step_limit=STEP_LIMIT,
        ),
        question=question,
        wordings=wordings,
        tables={name: tables[name] for name in sorted(tables)},
        final=final,
        answer=_answer(question, chosen, final),
    )


def _columns(theme: Theme) -> tuple[str, ...]:
    return ("id", "name", theme.kind, *theme.numbers)


def _rows(draw: random.Random, theme: Theme, names: list[str]) -> tuple[Row, ...]:
    # Every kind has a row: the first three of them, in an order of chance.
    kinds = [*theme.kinds, *(draw.choice(theme.kinds) for _ in names)][: len(names)]
    draw.shuffle(kinds)
    return tuple(
        (i + 1, name, kind, draw.randint(1, 40), draw.randint(1, 40))
        for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
    )


def _question(
    draw: random.Random, theme: Theme, verb: Verb, condition: Condition, rows: tuple[Row, ...], new: str
) -> Question:
    """Draw until some rows fit and some do not."""
    while True:
        number, by = draw.choice(theme.numbers), draw.choice(theme.numbers)
        some = draw.choice(rows)
        edge = some[_columns(theme).index(by)]
        assert isinstance(edge, int)
        question = Question(
            theme=theme,
            verb=verb,
            condition=condition,
            number=number,
            value=draw.randint(2, 9) if verb == "raise" else draw.randint(10, 60),
            to=draw.choice([kind for kind in theme.kinds if kind != some[2]]),
            by=by,
            edge=edge + draw.choice((-1, 0, 1)),
            of=str(some[2]),
            name=new if verb == "add" else str(some[1]),
            numbers=(draw.randint(1, 40), draw.randint(1, 40)),
            report=_report(draw, verb),
            report_number=number if verb in ("set", "raise") else draw.choice(theme.numbers),
        )
        fitting = sum(_fits(question, row) for row in rows)
        if 0 < fitting < len(rows) or condition == "none":
            return question


def _report(draw: random.Random, verb: Verb) -> Report | None:
    if verb in QUESTIONS:
        return None
    if verb == "add":
        return draw.choice(("total", "count"))
    return draw.choice(("changed", "total", "count") if verb == "remove" else ("changed", "total"))


def _fits(question: Question, row: Row) -> bool:
    """Whether the condition holds for a row of the main table."""
    number = row[_columns(question.theme).index(question.by)]
    assert isinstance(number, int)
    return {
        "none": False,
        "named": row[1] == question.name,
        "kind": row[2] == question.of,
        "above": number > question.edge,
        "below": number < question.edge,
        "both": row[2] == question.of and number > question.edge,
    }[question.condition]


def _final(question: Question, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The right rows of the main table at the end."""
    if question.verb == "add":
        return (*rows, (None, question.name, question.to, *question.numbers))
    final: list[Row] = []
    at = _columns(question.theme).index(question.number)
    for row in rows:
        if not _fits(question, row) or question.verb in QUESTIONS:
            final.append(row)
        elif question.verb == "move":
            final.append((*row[:2], question.to, *row[3:]))
        elif question.verb != "remove":
            number = row[at]
            assert isinstance(number, int)
            value = question.value + (number if question.verb == "raise" else 0)
            final.append((*row[:at], value, *row[at + 1 :]))
    return tuple(final)


def _answer(question: Question, chosen: list[Row], final: tuple[Row, ...]) -> int:
    if question.report == "count":
        return len(final)
    if question.report == "total":
        return sum(_numbers(question, question.report_number, list(final)))
    if question.report == "changed" or question.verb == "count":
        return len(chosen)
    numbers = _numbers(question, question.number, chosen)
    return {"total": sum, "highest": max, "lowest": min}[question.verb](numbers)


def _numbers(question: Question, column: str, rows: list[Row]) -> list[int]:
    at = _columns(question.theme).index(column)
    return [number for row in rows if isinstance(number := row[at], int)]


def _goal(draw: random.Random, split: Split, question: Question) -> tuple[str, tuple[str, ...]]:
    """The goal, and the wordings that it was made of."""
    theme = question.theme
    wordings = [draw.choice(WORDINGS[split][question.verb])]
    condition = ""
    if question.condition != "none":
        wordings.append(draw.choice(CONDITIONS[split][question.condition]))
        condition = wordings[1].format(
            kind=theme.kind, of=question.of, by=question.by, edge=question.edge, name=question.name
        )
    goal = wordings[0].format(
        one=theme.one,
        many=theme.many,
        cond=condition,
        num=question.number,
        value=question.value,
        kind=theme.kind,
        to=question.to,
        name=question.name,
        numbers=" and ".join(f"{c} {v}" for c, v in zip(theme.numbers, question.numbers, strict=True)),
    )
    if question.report is not None:
        wordings.append(draw.choice(REPORTS[split][question.report]))
        goal += wordings[-1].format(num=question.report_number, many=theme.many)
    return goal, tuple(wordings)


class RecordsState:
    """The database, held in memory."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._database = Database(records.tables)

    def act(self, name: str, arguments: dict[str, str]) -> str:
        if name == "schema":
            return "\n".join(
                f"{table}({', '.join(columns)})" for table, (columns, _) in self._records.tables.items()
            )
        if name == "query":
            return self._database.query(arguments["sql"])
        return self._database.update(arguments["sql"])

    def right(self, answer: str) -> bool:
        """Whether every table has the rows it must have, and the answer is right."""
        main = self._records.question.theme.table
        for table, (_, before) in self._records.tables.items():
            known = {row[0] for row in before}
            # A new row may have any id.
            rows = [row if row[0] in known else (None, *row[1:]) for row in self._database.rows(table)]
            wanted = self._records.final if table == main else before
            if sorted(map(repr, rows)) != sorted(map(repr, wanted)):
                return False
        return same_number(answer, self._records.answer)

    def stands(self) -> tuple[tuple[Row, ...], ...]:
        """All rows, of table after table."""
        return tuple(tuple(self._database.rows(table)) for table in self._records.tables)

    def close(self) -> None:
        self._database.close()
