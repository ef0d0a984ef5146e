"""How the expert looks values up and sums them."""

import random
import re
from collections.abc import Sequence

from tithe.world.conversation import Conversation
from tithe.world.lookup import Question


def solve(talk: Conversation, draw: random.Random, question: Question, *, mistaken: bool) -> None:
    """Say what is wanted, find the value of each item, calculate, finish."""
    slips = ("early file", "argument", "other file", "long search", "words", "no call", "no sum")
    slip = draw.choice(slips) if mistaken else ""
    if slip == "no call":
        talk.idle(wanted(question))
    if slip == "early file":
        talk.mistake("read_file", {"path": f"{question.place or question.field}.md"})
    listed = talk.call("list_files", {}, plan=wanted(question))
    names = listed.split("\n")
    if slip == "argument":
        talk.mistake("read_file", {"file": names[0]})
    elif slip == "long search":
        talk.mistake("search", {"text": f"{question.items[0]} {question.field} sum"})
    found = Found(question)
    if question.layout == "notes":
        _from_notes(talk, found)
    elif question.layout == "index":
        _from_boxes(talk, found)
    elif question.layout == "cards":
        for item in question.items:
            card = talk.call("read_file", {"path": f"{item}.txt"}, plan=found.told())
            found.note(item, _value(card, question.field), how=f"{question.field}: {{value}}")
    else:
        ending = "csv" if question.layout == "table" else "txt"
        path = f"{question.place}.{ending}"
        if slip == "other file":
            talk.mistake("read_file", {"path": draw.choice([name for name in names if name != path])})
        _from_place(talk.call("read_file", {"path": path}), found)
    if slip == "words":
        talk.mistake("calc", {"expression": expression(question.weights, question.items)})
    summary = found.summary()
    if slip == "no sum":
        talk.idle(summary)
    calculated = {"expression": expression(question.weights, found.values())}
    result = talk.call("calc", calculated, plan=summary)
    talk.call("finish", {"answer": result})


def wanted(question: Question) -> str:
    """The goal in one form, whatever its words: `mass at yabda: 3 * pins + 2 * clips.`"""
    where = f" at {question.place}" if question.place else ""
    return f"{question.field}{where}: {expression(question.weights, question.items)}."


class Found:
    """What was found: noted in the turn after the one that showed it, and summed up before it is used.

    A model that reads one value at a time and writes it down needs to find each where it was just shown;
    and one that names the field before its value, where that field stands.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self._values: dict[str, int] = {}
        self._untold: list[str] = []

    def note(self, item: str, value: int, *, how: str | None = None) -> None:
        """Keep a value; `how` is how it was found, where that takes a look of its own."""
        self._values[item] = value
        told = f"{item}: {value}"
        self._untold.append(told if how is None else f"{how.format(value=value)}, {told}")

    def values(self) -> list[str]:
        return [str(self._values[item]) for item in self.question.items]

    def say(self, text: str) -> None:
        """Write down something else that was seen."""
        self._untold.append(text)

    def told(self) -> str | None:
        """What has not been written down yet."""
        untold, self._untold = self._untold, []
        return ".\n".join(untold) + "." if untold else None

    def summary(self) -> str:
        """What has not been written down, and then the sum with each value beside its item."""
        items = [f"{item}: {self._values[item]}" for item in self.question.items]
        told, summed = self.told(), expression(self.question.weights, items)
        return f"{summed}." if told is None else f"{told}\n{summed}."


def expression(weights: Sequence[int], terms: Sequence[str]) -> str:
    """The weighted sum of terms as it is written: `3 * 14 + 9 - 2`."""
    text = ""
    for weight, term in zip(weights, terms, strict=True):
        sign = "" if not text else " - " if weight < 0 else " + "
        text += sign + (term if abs(weight) == 1 else f"{abs(weight)} * {term}")
    return text


def _from_notes(talk: Conversation, found: Found) -> None:
    for item in found.question.items:
        lines = talk.call("search", {"text": item}, plan=found.told()).split("\n")
        # Items may share their beginnings, and a note may be about another field.
        field = found.question.field
        pattern = re.compile(rf"\b{item}\b.*\b{field}\b|\b{field}\b.*\b{item}\b")
        value = _number(next(line for line in lines if pattern.search(line)))
        found.note(item, value, how=f"{field}: {{value}}")


def _from_boxes(talk: Conversation, found: Found) -> None:
    items = found.question.items
    index = talk.call("read_file", {"path": "index.txt"})
    boxes = {item: _entry(index, item) for item in items}
    for item in items:
        found.say(f"{item}: {boxes[item]}")
    for box in dict.fromkeys(boxes.values()):
        text = talk.call("read_file", {"path": box}, plan=found.told())
        for item in items:
            if boxes[item] == box:
                found.note(item, _value(text, item))


def _from_place(text: str, found: Found) -> None:
    question = found.question
    if question.layout == "lists":
        for item in question.items:
            found.note(item, _value(text, item))
        # One look shows all: the summary is the note.
        found.told()
        return
    header, *rows = [line.split(",") for line in text.split("\n")]
    column = header.index(question.field)
    cells = {row[0]: row[1:] for row in rows}
    for item in question.items:
        # Cell by cell with its column's name, as one reads a table with a finger on it.
        walked = zip(header[1 : column + 1], cells[item], strict=False)
        how = " ".join(f"{name} {cell}" for name, cell in walked)
        found.note(item, int(cells[item][column - 1]), how=f"{item} {how}")


def _entry(text: str, key: str) -> str:
    """What stands behind `key: ` at the beginning of a line."""
    return next(line for line in text.split("\n") if line.startswith(f"{key}: ")).removeprefix(f"{key}: ")


def _value(text: str, key: str) -> int:
    return int(_entry(text, key))


def _number(line: str) -> int:
    """The number of a note. A note that begins with its value has no other."""
    return int(re.findall(r"\d+", re.sub(r"^note_\d+\.txt: ", "", line))[-1])
