"""Lookup and sum: answer a question from several small files.

Theory. Every answer is a weighted sum of a few values that stand somewhere in the files: a total has
weights 1, a difference 1 and -1, "3 pears and 2 plums" 3 and 2. A *formula* is such a pattern of
weights, a *layout* a way of spreading values over files, and an operation is a pair of both. The
held-out split asks pairs, wordings, fields and names that training never shows; each formula and each
layout by itself is known from training, for what is tested is whether skills carry over to new
combinations.
"""

import random
from typing import Literal

import msgspec

from tithe.world.calculator import calculate
from tithe.world.lookup_words import CLOSERS, FIELDS, NOTES, WORDINGS
from tithe.world.task import SYSTEM, Split, Task, same_number, tool
from tithe.world.words import invented_names, things

Formula = Literal["total2", "total3", "total4", "difference", "one_cost", "two_costs", "balance"]
Layout = Literal["lists", "table", "cards", "notes", "index"]
Operation = tuple[Formula, Layout]

FORMULAS: tuple[Formula, ...] = (
    "total2",
    "total3",
    "total4",
    "difference",
    "one_cost",
    "two_costs",
    "balance",
)
LAYOUTS: tuple[Layout, ...] = ("lists", "table", "cards", "notes", "index")

_HELD_OUT: tuple[Operation, ...] = (
    ("total2", "index"),
    ("total3", "cards"),
    ("total3", "table"),
    ("total4", "lists"),
    ("difference", "notes"),
    ("one_cost", "table"),
    ("two_costs", "lists"),
    ("two_costs", "cards"),
    ("balance", "index"),
)
OPERATIONS: dict[Split, tuple[Operation, ...]] = {
    "train": tuple((f, layout) for f in FORMULAS for layout in LAYOUTS if (f, layout) not in _HELD_OUT),
    "held_out": _HELD_OUT,
}

TOOLS = (
    tool("list_files", "List the file names."),
    tool("search", "Find lines that contain a text.", text="The text."),
    tool("read_file", "Read a file.", path="The file name."),
    tool("calc", "Calculate.", expression="Arithmetic, like 2 * 3 + 4."),
    tool("finish", "End the task.", answer="The answer."),
)
STEP_LIMIT = 16
_SHOWN = 6


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, as one who understood the goal knows it: no file and no value is in here.

    `weights` belong to `items` one by one. `place` is set where the goal names one.
    """

    layout: Layout
    field: str
    items: tuple[str, ...]
    weights: tuple[int, ...]
    place: str | None


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """A task of this family with what is behind it: the files by name, and the answer."""

    task: Task
    question: Question
    operation: Operation
    wording: str
    files: dict[str, str]
    answer: int


def make(seed: int, split: Split) -> Lookup:
    """Draw the task with this seed."""
    draw = random.Random(f"lookup/{split}/{seed}")
    formula, layout = operation = draw.choice(OPERATIONS[split])
    weights = _weights(draw, formula)
    names = things(draw, split, len(weights) + draw.randint(3, 5))
    fields = draw.sample(FIELDS[split], 3)
    values = {name: {field: draw.randint(2, 60) for field in fields} for name in names}
    items = tuple(names[: len(weights)])
    if sum(w * values[item][fields[0]] for w, item in zip(weights, items, strict=True)) < 0:
        # Only with a negative weight: asked the other way round, the answer is not negative.
        _swap_extremes(values, items, fields[0])
    draw.shuffle(names)
    places = invented_names(draw, split, draw.randint(2, 4))
    files = _files(draw, split, layout, names, places, values)
    place = places[0] if layout in ("lists", "table") else None
    question = Question(layout=layout, field=fields[0], items=items, weights=weights, place=place)
    wording = draw.choice(WORDINGS[split][_manner(formula)])
    closer = draw.choice(CLOSERS[split])
    return Lookup(
        task=Task(
            family="lookup",
            seed=seed,
            split=split,
            system=SYSTEM,
            goal=_goal(question, wording) + closer,
            tools=TOOLS,
            step_limit=STEP_LIMIT,
        ),
        question=question,
        operation=operation,
        wording=wording,
        files=files,
        answer=sum(w * values[item][fields[0]] for w, item in zip(weights, items, strict=True)),
    )


def _weights(draw: random.Random, formula: Formula) -> tuple[int, ...]:
    if formula == "one_cost":
        return (draw.randint(2, 9),)
    if formula == "two_costs":
        return (draw.randint(2, 9), draw.randint(2, 9))
    return {
        "total2": (1, 1),
        "total3": (1,) * 3,
        "total4": (1,) * 4,
        "difference": (1, -1),
        "balance": (1, 1, -1),
    }[formula]


def _manner(formula: Formula) -> str:
    """Which wordings ask for this formula."""
    if formula.startswith("total"):
        return "total"
    return "cost" if formula.endswith(("cost", "costs")) else formula


def _swap_extremes(values: dict[str, dict[str, int]], items: tuple[str, ...], field: str) -> None:
    """Give the largest of the items' values to the first and the smallest to the last."""
    ordered = sorted((values[item][field] for item in items), reverse=True)
    for item, value in zip(items, ordered, strict=True):
        values[item][field] = value


def _goal(question: Question, wording: str) -> str:
    items, weights = question.items, question.weights
    counted = [f"{w} {item}" for w, item in zip(weights, items, strict=True)]
    listed = counted if max(weights) > 1 else list(items)
    if -1 in weights:
        listed = listed[:-1]
    return wording.format(
        field=question.field,
        list=", ".join(listed[:-1]) + " and " + listed[-1] if len(listed) > 1 else listed[0],
        last=items[-1],
        where=f" at {question.place}" if question.place else "",
    )


def _files(
    draw: random.Random,
    split: Split,
    layout: Layout,
    names: list[str],
    places: list[str],
    values: dict[str, dict[str, int]],
) -> dict[str, str]:
    """The files by name, in order of name. `values` holds what the question is about; the rest is drawn
    so that it misleads who reads the wrong file or the wrong line."""
    fields = list(next(iter(values.values())))
    files: dict[str, list[str]] = {}
    if layout in ("lists", "table"):
        for i, place in enumerate(places):
            here = values if i == 0 else {n: {f: draw.randint(2, 60) for f in fields} for n in names}
            if layout == "lists":
                files[f"{place}.txt"] = [f"{fields[0]} at {place}"] + [
                    f"{n}: {here[n][fields[0]]}" for n in names
                ]
            else:
                columns = draw.sample(fields, 3)
                rows = [",".join([n, *(str(here[n][f]) for f in columns)]) for n in names]
                files[f"{place}.csv"] = [",".join(["name", *columns]), *rows]
    elif layout == "cards":
        for name in names:
            shown = draw.sample(fields, 3)
            files[f"{name}.txt"] = [f"{field}: {values[name][field]}" for field in shown]
    elif layout == "notes":
        sentence = draw.choice(NOTES[split])
        lines = [
            sentence.format(item=n, field=f, value=values[n][f])
            for n in names
            for f in [*draw.sample(fields[1:], draw.randint(0, 1)), fields[0]]
        ]
        draw.shuffle(lines)
        pages = draw.randint(3, 4)
        files = {f"note_{page + 1}.txt": lines[page::pages] for page in range(pages)}
    else:
        boxes = [f"box_{number}.txt" for number in draw.sample(range(1, 10), draw.randint(2, 3))]
        kept = {name: boxes[i] if i < len(boxes) else draw.choice(boxes) for i, name in enumerate(names)}
        files["index.txt"] = [f"{name}: {kept[name]}" for name in names]
        for box in boxes:
            files[box] = [fields[0]] + [f"{n}: {values[n][fields[0]]}" for n in names if kept[n] == box]
    return {name: "\n".join(files[name]) for name in sorted(files)}


class LookupState:
    """The files, held in memory; no tool changes them."""

    def __init__(self, lookup: Lookup) -> None:
        self._files = lookup.files
        self._answer = lookup.answer

    def act(self, name: str, arguments: dict[str, str]) -> str:
        if name == "list_files":
            return "\n".join(self._files)
        if name == "search":
            return self._search(arguments["text"])
        if name == "read_file":
            path = arguments["path"]
            return self._files.get(path, f"There is no file '{path[:60]}'. list_files shows the names.")
        return calculate(arguments["expression"])

    def right(self, answer: str) -> bool:
        return same_number(answer, self._answer)

    def stands(self) -> None:
        """Files are only read."""

    def close(self) -> None:
        """Nothing is held outside memory."""

    def _search(self, text: str) -> str:
        wanted = text.strip().lower()
        if not wanted:
            return "search needs a text that is not empty."
        found = [
            f"{name}: {line}"
            for name, content in self._files.items()
            for line in content.split("\n")
            if wanted in line.lower()
        ]
        if not found:
            return f"No line contains '{text[:60]}'. Try a single word."
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        return "\n".join(found[:_SHOWN] + more)
