"""Records: what SQL may do, and that the rows and the answer decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.world import SPLITS, Split, open_world, solve
from tithe.world.database import Database
from tithe.world.records import QUESTIONS, make
from tithe.world.records_expert import change, condition

TABLES = {"pens": (("id", "name", "size"), tuple((i, f"p{i}", i * 10) for i in range(1, 13)))}


@pytest.fixture
def pens():
    database = Database(TABLES)
    yield database
    database.close()


@pytest.mark.parametrize("split", SPLITS)
def test_rows_and_answer_decide(split: Split) -> None:
    for seed in range(80):
        records = make(seed, split)
        question = records.question
        statement = change(question, condition(question)) if question.verb not in QUESTIONS else None
        for answer, changes, right in (
            (records.answer, True, True),
            (records.answer + 1, True, False),
            (records.answer, False, statement is None),
        ):
            with open_world(records.task) as world:
                if statement and changes:
                    world.call("update", {"sql": statement})
                world.call("finish", {"answer": str(answer)})
            # A change may set what is there already; to leave it out is then right too.
            unchanged = records.final == records.tables[question.theme.table][1]
            assert world.succeeded is (right or (answer == records.answer and unchanged))


def test_another_table_must_stay_as_it_was() -> None:
    records = make(0, "train")
    other = next(table for table in records.tables if table != records.question.theme.table)
    with open_world(records.task) as world:
        for message in solve(records.task).messages:
            for call in message.tool_calls:
                if call.name == "finish":
                    assert (
                        world.call("update", {"sql": f"DELETE FROM {other} WHERE id = 1"}) == "1 row changed."
                    )
                world.call_json(call.name, call.arguments)
    assert not world.succeeded


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT name, size FROM pens WHERE size > 100", "name | size\np11 | 110\np12 | 120"),
        ("SELECT SUM(size) FROM pens", "SUM(size)\n780"),
        ("SELECT name FROM pens WHERE size > 500", "No rows."),
        ("SELECT 1; SELECT 2", "Error: one statement a call, please."),
        ("DELETE FROM pens", "Error: query only reads: use update to change rows."),
        ("SELECT size FROM pen", "Error: no such table: pen. Tables: pens."),
        ("SELECT x FROM pens", "Error: no such column: x. Put text in 'quotes'; schema shows the columns."),
        ("SELEC", 'Error: near "SELEC": syntax error.'),
        ("", "Error: query takes one SELECT."),
        ("PRAGMA table_info(pens)", "Error: query only reads: use update to change rows."),
        ("SELECT * FROM sqlite_master", "Error: query only reads: use update to change rows."),
        ("SELECT load_extension('x')", "Error: query only reads: use update to change rows."),
        ("ATTACH 'x.db' AS x", "Error: query only reads: use update to change rows."),
        ("SELECT 'a\0b'", "Error:"),
        ("SELECT '\ud800'", "Error:"),
    ],
)
def test_query(pens: Database, sql: str, said: str) -> None:
    assert pens.query(sql).startswith(said)
    assert pens.rows("pens") == list(TABLES["pens"][1])


def test_a_long_result_is_cut_short(pens: Database) -> None:
    told = pens.query("SELECT id FROM pens").split("\n")
    assert (len(told), told[-1]) == (12, "and more")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM pens a, pens b, pens c, pens d, pens e, pens f, pens g, pens h",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
        "SELECT zeroblob(1000000000)",
        "SELECT printf('%.*c', 1000000000, 'x')",
    ],
)
def test_no_statement_hangs_or_swells(pens: Database, sql: str) -> None:
    assert pens.query(sql).startswith("Error: ")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE pens SET size = 1 WHERE id = 1", "1 row changed."),
        ("DELETE FROM pens WHERE id > 10", "2 rows changed."),
        ("INSERT INTO pens (name, size) VALUES ('new', 5)", "1 row changed."),
        ("UPDATE pens SET size = 1 WHERE id = 99", "0 rows changed."),
        ("SELECT * FROM pens", "Error: update takes one UPDATE, INSERT or DELETE. Use query to read."),
        ("DROP TABLE pens", "Error: update takes one UPDATE, INSERT or DELETE."),
        ("CREATE TABLE x (y)", "Error: update takes one UPDATE, INSERT or DELETE."),
        ("DELETE FROM pens; DELETE FROM pens", "Error: one statement a call, please."),
        ("BEGIN", "Error: update takes one UPDATE, INSERT or DELETE."),
        ("INSERT INTO pens (id, name) VALUES (1, 'x')", "Error: UNIQUE constraint failed: pens.id."),
    ],
)
def test_update(pens: Database, sql: str, said: str) -> None:
    assert pens.update(sql) == said


@given(
    st.text(max_size=40)
    | st.sampled_from(["SELECT ", "UPDATE pens SET "]).flatmap(lambda s: st.text().map(s.__add__))
)
def test_never_raises(sql: str) -> None:
    database = Database(TABLES)
    assert database.query(sql)
    assert database.update(sql)
    database.close()
