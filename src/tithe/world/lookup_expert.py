"""How the expert looks values up and sums them."""

import random
import re

from tithe.world.conversation import Conversation
from tithe.world.lookup import Question


def solve(talk: Conversation, draw: random.Random, question: Question, *, mistaken: bool) -> None:
    """Find the value of each item, calculate, finish."""
    slip = draw.choice(("early file", "argument", "other file", "long search", "words")) if mistaken else ""
    if slip == "early file":
        talk.mistake("read_file", {"path": f"{question.place or question.field}.md"})
    listed = talk.call("list_files", {})
    names = listed.split("\n")
    if slip == "argument":
        talk.mistake("read_file", {"file": names[0]})
    elif slip == "long search":
        talk.mistake("search", {"text": f"{question.items[0]} {question.field} sum"})
    if question.layout == "notes":
        values = _from_notes(talk, question)
    elif question.layout == "index":
        values = _from_boxes(talk, question)
    elif question.layout == "cards":
        values = [
            _value(talk.call("read_file", {"path": f"{item}.txt"}), question.field) for item in question.items
        ]
    else:
        ending = "csv" if question.layout == "table" else "txt"
        path = f"{question.place}.{ending}"
        if slip == "other file":
            talk.mistake("read_file", {"path": draw.choice([name for name in names if name != path])})
        values = _from_place(talk.call("read_file", {"path": path}), question)
    if slip == "words":
        talk.mistake("calc", {"expression": " + ".join(question.items)})
    seen = ", ".join(f"{item} {value}" for item, value in zip(question.items, values, strict=True))
    result = talk.call("calc", {"expression": expression(question.weights, values)}, plan=f"{seen}.")
    talk.call("finish", {"answer": result})


def expression(weights: tuple[int, ...], values: list[int]) -> str:
    """The weighted sum as it is written: `3 * 14 + 9 - 2`."""
    text = ""
    for weight, value in zip(weights, values, strict=True):
        sign = "" if not text else " - " if weight < 0 else " + "
        text += sign + (str(value) if abs(weight) == 1 else f"{abs(weight)} * {value}")
    return text


def _from_notes(talk: Conversation, question: Question) -> list[int]:
    values: list[int] = []
    for item in question.items:
        found = talk.call("search", {"text": item}).split("\n")
        # Items may share their beginnings, and a note may be about another field.
        pattern = re.compile(rf"\b{item}\b.*\b{question.field}\b|\b{question.field}\b.*\b{item}\b")
        values.append(_number(next(line for line in found if pattern.search(line))))
    return values


def _from_boxes(talk: Conversation, question: Question) -> list[int]:
    index = talk.call("read_file", {"path": "index.txt"})
    boxes = {item: _entry(index, item) for item in question.items}
    texts: dict[str, str] = {}
    for box in boxes.values():
        if box not in texts:
            texts[box] = talk.call("read_file", {"path": box})
    return [_value(texts[boxes[item]], item) for item in question.items]


def _from_place(text: str, question: Question) -> list[int]:
    if question.layout == "lists":
        return [_value(text, item) for item in question.items]
    header, *rows = [line.split(",") for line in text.split("\n")]
    column = header.index(question.field)
    cells = {row[0]: row[column] for row in rows}
    return [int(cells[item]) for item in question.items]


def _entry(text: str, key: str) -> str:
    """What stands behind `key: ` at the beginning of a line."""
    return next(line for line in text.split("\n") if line.startswith(f"{key}: ")).removeprefix(f"{key}: ")


def _value(text: str, key: str) -> int:
    return int(_entry(text, key))


def _number(line: str) -> int:
    return int(re.findall(r"\d+", line)[-1])
