"""Exercises for the mix: short conversations in which nearly every token of the answer is copied.

Theory. Most of what an agent of the task world writes stands somewhere in its context: a name, a value behind
a name, a line of code. A transformer copies by attending to what followed the same tokens before (induction;
Olsson et al. 2022), and a transcript, of which a third is learnt and most of that is form, teaches that
slowly. An exercise is half answer and has no system prompt, so a step with them costs little and is
about copying alone. Names are those that renaming draws, some of them made of the tokenizer's pieces; nothing here is of a task.
"""

import functools
import json
import random
from collections.abc import Callable, Sequence

from renaming import fresh
from tithe.core import Message

_FIELDS = ("item", "part", "row", "case", "lot")


def drill(seed: int, words: list[str], pieces: Sequence[str] = ()) -> tuple[Message, ...]:
    """A user's turn with names and values, and an answer made of them."""
    draw = random.Random(f"drill/{seed}")
    exercise = draw.choice((_repeat, _recall, _formula, _formula, _follow, _walk, _lines, _lines))
    asked, answered = exercise(draw, functools.partial(fresh, draw, words, pieces))
    return (Message(role="user", content=asked), Message(role="assistant", content=answered))


def _names(name: Callable[[], str], count: int) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < count:
        names[name()] = None
    return list(names)


def _repeat(draw: random.Random, name: Callable[[], str]) -> tuple[str, str]:
    """The same text again: names, numbers and signs as they stand."""
    marks = (" ", ", ", ".txt ", ".py ", " = ", " > ", "_", ": ", "(", ")", " '", "' ", " -", "[")
    parts = _names(name, draw.randint(8, 20)) + [str(draw.randint(0, 60)) for _ in range(6)]
    draw.shuffle(parts)
    text = "".join(part + draw.choice(marks) for part in parts).strip()
    return f"Repeat: {text}", text


def _recall(draw: random.Random, name: Callable[[], str]) -> tuple[str, str]:
    """Values behind names, asked in another order and written in another form."""
    names = _names(name, draw.randint(4, 12))
    values = {name: str(draw.randint(2, 60)) for name in names}
    sign, end = draw.choice(((": ", "\n"), (" ", ", "), (",", "\n"), (" = ", "\n"), (" is ", ". ")))
    shown = end.join(f"{name}{sign}{value}" for name, value in values.items())
    asked = draw.sample(names, draw.randint(3, len(names)))
    answer = ", ".join(f"{name}: {values[name]}" for name in asked)
    return f"{shown}\nTell: {', '.join(asked)}", f"{answer}."


def _formula(draw: random.Random, name: Callable[[], str]) -> tuple[str, str]:
    """A sum of names, each with the value behind it, and then of the values alone."""
    names = _names(name, draw.randint(4, 8))
    values = {name: str(draw.randint(2, 60)) for name in names}
    shown = "\n".join(f"{name}: {value}" for name, value in values.items())
    asked = draw.sample(names, draw.randint(2, 4))
    weights = [draw.choice(("", "", f"{draw.randint(2, 9)} * ")) for _ in asked]
    signs = ["", *(draw.choice((" + ", " + ", " - ")) for _ in asked[1:])]
    terms = list(zip(signs, weights, asked, strict=True))
    whole, told, alone = (
        "".join(f"{sign}{weight}{term(name)}" for sign, weight, name in terms)
        for term in (str, lambda name: f"{name}: {values[name]}", values.__getitem__)
    )
    return f"{shown}\nWork out: {whole}", f"{whole}.\n{told}.\n{alone}"


def _follow(draw: random.Random, name: Callable[[], str]) -> tuple[str, str]:
    """From a name to a second by one list, and to its value by another."""
    names, places = _names(name, draw.randint(4, 8)), _names(name, 3)
    kept = {name: draw.choice(places) for name in names}
    values = {place: str(draw.randint(2, 60)) for place in places}
    shown = [f"{name}: {place}" for name, place in kept.items()]
    shown += [f"{place}: {value}" for place, value in values.items()]
    asked = draw.sample(names, draw.randint(3, len(names)))
    answer = [f"{name}: {kept[name]} {values[kept[name]]}" for name in asked]
    return "\n".join([*shown, f"Tell: {', '.join(asked)}"]), ", ".join(answer) + "."


def _walk(draw: random.Random, name: Callable[[], str]) -> tuple[str, str]:
    """A table's cells with the names of their columns, up to the column asked for."""
    columns, names = _names(name, 3), _names(name, draw.randint(4, 7))
    rows = {name: [str(draw.randint(2, 60)) for _ in columns] for name in names}
    shown = [",".join(["name", *columns])] + [",".join([name, *cells]) for name, cells in rows.items()]
    last = draw.randint(1, 3)
    asked = draw.sample(names, draw.randint(2, 4))
    answer = [
        f"{name} "
        + " ".join(f"{c} {cell}" for c, cell in zip(columns[:last], rows[name], strict=False))
        + f", {name}: {rows[name][last - 1]}."
        for name in asked
    ]
    return "\n".join([*shown, f"Tell: {columns[last - 1]} of {', '.join(asked)}"]), "\n".join(answer)


def _lines(draw: random.Random, name: Callable[[], str]) -> tuple[str, str]:
    """Some lines of code as they stand, as JSON."""
    names = _names(name, 5)
    forms = (
        "{0} = {1}",
        "for {0} in {1}:",
        "if {0} > {1}:",
        "return {0} * {1}",
        "{0}.append({1})",
        "{0} = {0} + {1}",
    )
    forms += ("return {0}[{1}]", "if {0} <= {1}:", "return {0} - {1}", "{0} = -{1}")
    # A line may also stop in the middle of what usually follows.
    forms += ("{0}", "{0} * {1}", "{0}[{1}]", "{0} - {1}", "max({0})")
    pieces = [*names, *(str(n) for n in range(6))]
    lines = [
        " " * draw.choice((4, 8, 12)) + draw.choice(forms).format(draw.choice(names), draw.choice(pieces))
        for _ in range(draw.randint(4, 8))
    ]
    first = draw.randrange(len(lines))
    last = draw.randint(first + 1, len(lines))
    part = json.dumps("\n".join(lines[first:last]))
    return "\n".join([*lines, f"Lines {first + 1} to {last} as JSON."]), f'{{"old": {part}}}'
