"""How the expert queries and updates records."""

# ruff: noqa: S608 # the statements are what an agent writes; the database bounds what they may do

import random

from tithe.world.conversation import Conversation
from tithe.world.records import QUESTIONS, Question


def solve(talk: Conversation, draw: random.Random, question: Question, *, mistaken: bool) -> None:
    """Say what is wanted and see the tables; then answer with a query, or look at the rows, change them, report."""
    where = condition(question)
    slips = ("table", "argument", "column", "quotes", "wrong tool", "no call")
    slip = draw.choice(slips) if mistaken else ""
    theme = question.theme
    if slip == "table":
        talk.mistake("query", {"sql": f"SELECT * FROM {theme.one}"})
    elif slip == "no call":
        talk.idle(wanted(question))
    elif slip == "argument":
        talk.mistake("schema", {"table": theme.table})
    talk.call("schema", {}, plan=wanted(question))
    if slip == "column":
        talk.mistake("query", {"sql": f"SELECT {theme.one}_{question.number} FROM {theme.table}{where}"})
    elif slip == "quotes" and "'" in where:
        talk.mistake("query", {"sql": f"SELECT * FROM {theme.table}{where}".replace("'", "")})
    if question.verb in QUESTIONS:
        told = talk.call("query", {"sql": f"SELECT {_asked(question)} FROM {theme.table}{where}"})
        talk.call("finish", {"answer": _cell(told)})
        return
    if question.verb != "add":
        talk.call("query", {"sql": f"SELECT * FROM {theme.table}{where}"})
    statement = change(question, where)
    if slip == "wrong tool":
        talk.mistake("query", {"sql": statement})
    changed = talk.call("update", {"sql": statement}).split(" ")[0]
    if question.report == "changed":
        talk.call("finish", {"answer": changed})
        return
    asked = "COUNT(*)" if question.report == "count" else f"SUM({question.report_number})"
    talk.call("finish", {"answer": _cell(talk.call("query", {"sql": f"SELECT {asked} FROM {theme.table}"}))})


def wanted(question: Question) -> str:
    """The goal in one form, whatever its words: `boats: set crew to 12; speed above 20; then total crew.`"""
    number = question.number
    done = {
        "count": "count",
        "total": f"total {number}",
        "highest": f"highest {number}",
        "lowest": f"lowest {number}",
        "set": f"set {number} to {question.value}",
        "raise": f"raise {number} by {question.value}",
        "move": f"move {question.theme.kind} to {question.to}",
        "remove": "remove",
        "add": f"add {question.name}, {question.theme.kind} {question.to}, "
        + ", ".join(f"{c} {v}" for c, v in zip(question.theme.numbers, question.numbers, strict=True)),
    }[question.verb]
    kind = f"{question.theme.kind} {question.of}"
    which = {
        "none": "",
        "named": f"; name {question.name}",
        "kind": f"; {kind}",
        "above": f"; {question.by} above {question.edge}",
        "below": f"; {question.by} below {question.edge}",
        "both": f"; {kind} and {question.by} above {question.edge}",
    }[question.condition]
    asked = {None: "", "changed": "; then changed", "count": "; then count"}
    report = asked.get(question.report, f"; then total {question.report_number}")
    return f"{question.theme.table}: {done}{which}{report}."


def condition(question: Question) -> str:
    """The WHERE of the question, with a space before it; nothing where no rows are chosen."""
    kind = f"{question.theme.kind} = '{question.of}'"
    return {
        "none": "",
        "named": f" WHERE name = '{question.name}'",
        "kind": f" WHERE {kind}",
        "above": f" WHERE {question.by} > {question.edge}",
        "below": f" WHERE {question.by} < {question.edge}",
        "both": f" WHERE {kind} AND {question.by} > {question.edge}",
    }[question.condition]


def change(question: Question, where: str) -> str:
    """The statement that changes the rows."""
    table, number = question.theme.table, question.number
    if question.verb == "add":
        columns = ", ".join(("name", question.theme.kind, *question.theme.numbers))
        values = f"'{question.name}', '{question.to}', {question.numbers[0]}, {question.numbers[1]}"
        return f"INSERT INTO {table} ({columns}) VALUES ({values})"
    if question.verb == "remove":
        return f"DELETE FROM {table}{where}"
    assigned = {
        "set": f"{number} = {question.value}",
        "raise": f"{number} = {number} + {question.value}",
        "move": f"{question.theme.kind} = '{question.to}'",
    }[question.verb]
    return f"UPDATE {table} SET {assigned}{where}"


def _asked(question: Question) -> str:
    if question.verb == "count":
        return "COUNT(*)"
    function = {"total": "SUM", "highest": "MAX", "lowest": "MIN"}[question.verb]
    return f"{function}({question.number})"


def _cell(told: str) -> str:
    """The value of a result that has one: the line after the column's name."""
    return told.split("\n")[1]
