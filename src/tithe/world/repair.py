"""Fix the test: a module with one wrong line, and a test that shows it.

Theory. The module and its test stand in a temporary directory and are run by a real interpreter. A run
succeeds when the module, whatever it looks like by then, gives the right values for the calls of the
tests and for as many that no test shows, and the test file is as it was. The right values were taken
from the right module when the task was made.
"""

import copy
import random
import re
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from tithe.world.bugs import BUG_KINDS, SLIP, slip
from tithe.world.interpreter import RunCode, run_code
from tithe.world.shapes import SHAPES, Shape, Value
from tithe.world.task import SYSTEM, Split, Task, tool
from tithe.world.words import THINGS_OF, invented

SAYS: dict[Split, tuple[str, ...]] = {
    "train": ("Return", "Give", "Compute", "Get", "Work out"),
    "held_out": ("Find", "Tell"),
}
GOALS: dict[Split, tuple[str, ...]] = {
    "train": (
        "The test in {test} fails. Fix the bug in {module}.",
        "{test} does not pass. Repair {module}.",
        "Make {test} pass by fixing {module}.",
        "There is a bug in {module}: {test} shows it. Fix it.",
        "Fix {module} so that {test} passes.",
        "A line of {module} is wrong, see {test}. Correct it.",
        "Running {test} fails. Mend {module}, not the test.",
        "Please repair the function in {module}. {test} must pass.",
        "{module} is broken. Get {test} to pass.",
        "Someone broke {module}. Repair it; {test} is right.",
    ),
    "held_out": (
        "{test} fails because of {module}. Fix the line that is wrong.",
        "Find the bug in {module} and fix it. {test} must pass.",
        "{module} has a wrong line. Repair it so that {test} passes.",
    ),
}
TOOLS = (
    tool("read_file", "Read a file.", path="The file name."),
    tool(
        "edit_file",
        "Replace lines of a file.",
        path="The file name.",
        old="The whole lines there now, with their indentation.",
        new="The lines instead.",
    ),
    tool("run_tests", "Run the tests."),
    tool("finish", "End the task.", answer="What was done."),
)
STEP_LIMIT = 14
_HIDDEN = 6
_TRIALS = 12
_PYTHON = frozenset("def for in if return range append get max min".split())
_SHOWN_CHARACTERS = 300
_FILE_CHARACTERS = 4000

# Names left open in a shape other than these are arguments, and stay as the shape has them.
_LOCAL = {
    "x": ("item", "entry", "part", "one", "each", "v"),
    "acc": ("result", "out", "answer", "current", "value"),
    "kept": ("kept", "chosen", "found", "good"),
    "limit": ("limit", "bound", "mark"),
    "n": ("n", "number", "size"),
    "paid": ("paid", "given", "budget"),
    "price": ("price", "cost", "fee"),
    "width": ("width", "wide", "w"),
    "height": ("height", "high", "h"),
    "table": ("table", "entries", "stock"),
    "key": ("key", "name", "label"),
    "a": ("first", "left", "a"),
    "b": ("second", "right", "b"),
}


class Call(msgspec.Struct, frozen=True):
    """A call of a function as source text, and the `repr` of what it must give."""

    source: str
    expected: str


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """A task of this family with what is behind it. `shown` are the calls of the tests."""

    task: Task
    shape: str
    bug: str
    say: str
    wording: str
    function: str
    module_name: str
    module: str
    test: str
    shown: tuple[Call, ...]
    hidden: tuple[Call, ...]


def make(seed: int, split: Split) -> Repair:
    """Draw the task with this seed."""
    draw = random.Random(f"repair/{split}/{seed}")
    # The kind first, so that those that fit few shapes are as frequent as the others.
    kind = draw.choice(BUG_KINDS[split])
    nouns = draw.sample(THINGS_OF[split], 3)
    if kind == SLIP:
        shape = draw.choice(SHAPES)
        names = _names(draw, split, shape, nouns[0])
        right = [line.format(**names) for line in shape.lines]
        wrong = _slipped(draw, shape, names, right)
    else:
        shape, bug = draw.choice([(shape, bug) for shape in SHAPES for bug in shape.bugs if bug.kind == kind])
        names = _names(draw, split, shape, nouns[0])
        right = [line.format(**names) for line in shape.lines]
        wrong = [*right[: bug.line], bug.wrong.format(**names), *right[bug.line + 1 :]]
    other = _other(draw, split, shape, nouns[1], wrong)
    calls = _calls(draw, shape, names["f"], right, wrong)
    test_calls = [(names["f"], calls[:2])]
    hidden = calls[2:]
    if other:
        other_shape, other_names, other_lines = other
        other_calls = _calls(draw, other_shape, other_names["f"], other_lines, other_lines)
        test_calls.append((other_names["f"], other_calls[:1]))
        hidden += other_calls[1:]
        first, second = (other_lines, wrong) if draw.random() < 0.5 else (wrong, other_lines)
        wrong = [*first, "", "", *second]
    module_name = draw.choice((nouns[2], invented(draw, split)))
    wording = draw.choice(GOALS[split])
    return Repair(
        task=Task(
            family="repair",
            seed=seed,
            split=split,
            system=SYSTEM,
            goal=wording.format(module=f"{module_name}.py", test=f"test_{module_name}.py"),
            tools=TOOLS,
            step_limit=STEP_LIMIT,
        ),
        shape=shape.name,
        bug=kind,
        say=names["say"],
        wording=wording,
        function=names["f"],
        module_name=module_name,
        module="\n".join(wrong) + "\n",
        test=_test(module_name, test_calls),
        shown=tuple(call for _, calls in test_calls for call in calls),
        hidden=tuple(hidden),
    )


def _slipped(draw: random.Random, shape: Shape, names: dict[str, str], right: list[str]) -> list[str]:
    """The lines with a slip in one of them that changes what the function gives."""
    held_out = {
        (bug.line, bug.wrong.format(**names)) for bug in shape.bugs if bug.kind in BUG_KINDS["held_out"]
    }
    words = tuple(sorted(set(re.findall(r"[a-z]\w*", " ".join(right[:1] + right[2:]))) - _PYTHON))
    good = _function(right, names["f"])
    while True:
        at = draw.randrange(2, len(right))
        wrong = [*right[:at], slip(draw, right[at], words), *right[at + 1 :]]
        if wrong == right or (at, wrong[at]) in held_out:
            continue
        try:
            bad = _function(wrong, names["f"])
        except SyntaxError:
            continue
        trials = [_arguments(draw, shape.takes) for _ in range(_TRIALS)]
        # One that shows often enough for a test to be found.
        if sum(_outcome(good, trial) != _outcome(bad, trial) for trial in trials) >= 2:
            return wrong


def _names(draw: random.Random, split: Split, shape: Shape, noun: str) -> dict[str, str]:
    """A name for everything that a shape leaves open, all different."""
    names = {key: draw.choice(choices) for key, choices in _LOCAL.items()}
    # Two of a shape's names may have drawn the same word; the first of the list is each one's own.
    if len(set(names.values())) < len(names):
        names = {key: choices[0] for key, choices in _LOCAL.items()}
    return names | {
        "f": f"{draw.choice(shape.verbs[split])}_{noun}",
        "xs": noun,
        "say": draw.choice(SAYS[split]),
    }


def _other(
    draw: random.Random, split: Split, shape: Shape, noun: str, wrong: list[str]
) -> tuple[Shape, dict[str, str], list[str]] | None:
    """Perhaps a second function, a right one, which shares no line with the wrong one."""
    if len(wrong) > 6 or draw.random() < 0.5:
        return None
    other = draw.choice([other for other in SHAPES if other.name != shape.name and len(other.lines) <= 6])
    names = _names(draw, split, other, noun)
    lines = [line.format(**names) for line in other.lines]
    text = "\n".join(lines)
    return None if any(line.strip() in text for line in wrong) else (other, names, lines)


def _calls(draw: random.Random, shape: Shape, name: str, right: list[str], wrong: list[str]) -> list[Call]:
    """Calls with different arguments; where the two sources differ, the first one and the last show it."""
    good, bad = _function(right, name), _function(wrong, name)
    telling: list[Call] = []
    others: list[Call] = []
    seen: set[str] = set()
    while len(telling) + len(others) < _HIDDEN + 2 or (right != wrong and len(telling) < 2):
        # Every shape's arguments have far more values than are wanted here.
        values = _arguments(draw, shape.takes)
        source = f"{name}({', '.join(map(repr, values))})"
        if source in seen:
            continue
        seen.add(source)
        expected = _outcome(good, values)
        call = Call(source, expected)
        (telling if _outcome(bad, values) != expected else others).append(call)
    if not telling:
        return others
    shown = [telling.pop(0), (others or telling).pop(0)]
    draw.shuffle(shown)
    return shown + (others + telling)[-_HIDDEN:]


def _function(lines: list[str], name: str) -> Any:
    """The function that our own source defines."""
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)  # noqa: S102 # text from shapes.py alone: nothing of an agent's is in it
    return names[name]


def _outcome(function: Any, values: list[Any]) -> str:
    try:
        return repr(function(*copy.deepcopy(values)))
    except Exception as error:  # noqa: BLE001 # a wrong line may raise anything, and differs by it
        return type(error).__name__


def _arguments(draw: random.Random, takes: tuple[Value, ...]) -> list[Any]:
    """Values for a shape's arguments. Numbers are few, so that limits fall on them now and then."""
    values: list[Any] = []
    for kind in takes:
        if kind == "numbers":
            values.append([draw.randint(1, 9) for _ in range(draw.randint(3, 4))])
        elif kind == "number":
            values.append(
                draw.randint(10, 60) if "numbers" not in takes and len(takes) > 1 else draw.randint(1, 9)
            )
        elif kind == "small":
            values.append(
                draw.randint(1, 3) if "numbers" in takes else draw.randint(2, 6 if len(takes) > 1 else 12)
            )
        elif kind == "word":
            values.append(draw.choice("red blue green gold old new big small".split()))
        elif kind == "table":
            keys = draw.sample(("a", "b", "c", "d"), 2)
            values.append({key: draw.randint(2, 9) for key in keys})
        else:
            values.append(draw.choice("abcd"))
    return values


def _test(module: str, calls: list[tuple[str, list[Call]]]) -> str:
    lines = [f"from {module} import {', '.join(name for name, _ in calls)}"]
    for name, shown in calls:
        lines += ["", "", f"def test_{name}():"]
        lines += [f"    assert {call.source} == {call.expected}" for call in shown]
    return "\n".join(lines) + "\n"


class RepairState:
    """The two files, in a temporary directory."""

    def __init__(self, repair: Repair, run: RunCode = run_code) -> None:
        self._repair = repair
        self._run = run
        self._directory = tempfile.TemporaryDirectory(prefix="tithe-repair-")
        self._folder = Path(self._directory.name)
        self._module = f"{repair.module_name}.py"
        self._test = f"test_{repair.module_name}.py"
        (self._folder / self._module).write_text(repair.module, encoding="utf-8")
        (self._folder / self._test).write_text(repair.test, encoding="utf-8")

    @property
    def folder(self) -> Path:
        """Where the files are, until `close`."""
        return self._folder

    def act(self, name: str, arguments: dict[str, str]) -> str:
        if name == "run_tests":
            return self._run_tests()
        path = arguments["path"]
        # Names are compared and never resolved, so that nothing outside can be named.
        if path not in (self._module, self._test):
            return f"There is no file '{path[:60]}'. Files: {self._module}, {self._test}."
        text = (self._folder / path).read_text(encoding="utf-8")
        if name == "read_file":
            return text.rstrip("\n")
        return self._edit(path, text, arguments["old"], arguments["new"])

    def right(self, answer: str) -> bool:  # noqa: ARG002 # what was done is seen in the files
        """Whether the functions give the right values now, and the test file is untouched."""
        if (self._folder / self._test).read_text(encoding="utf-8") != self._repair.test:
            return False
        calls = self._repair.shown + self._repair.hidden
        order = {"module": self._repair.module_name, "calls": [call.source for call in calls]}
        return self._run(self._folder, order).get("values") == [call.expected for call in calls]

    def stands(self) -> str:
        """The module's text."""
        return (self._folder / self._module).read_text(encoding="utf-8")

    def close(self) -> None:
        self._directory.cleanup()

    def _edit(self, path: str, text: str, old: str, new: str) -> str:
        # Whole lines, so that a short one is not found within a longer one; several at once are fine.
        lines, wanted = text.split("\n"), old.rstrip().split("\n")
        starts = [i for i in range(len(lines)) if lines[i : i + len(wanted)] == wanted]
        if len(starts) != 1 or not old.strip():
            where = f"is in {path} {len(starts)} times: give it with the next line"
            said = where if len(starts) > 1 and old.strip() else f"is no line of {path}"
            return f"No edit: '{old.rstrip()[:60]}' {said}."
        lines[starts[0] : starts[0] + len(wanted)] = new.rstrip().split("\n")
        edited = "\n".join(lines)
        if len(edited) > _FILE_CHARACTERS:
            return f"No edit: {path} may have at most {_FILE_CHARACTERS} characters."
        try:
            (self._folder / path).write_text(edited, encoding="utf-8")
        except UnicodeEncodeError:
            return "No edit: the new text cannot be written as UTF-8."
        return f"Edited {path}."

    def _run_tests(self) -> str:
        order = {"module": self._repair.module_name, "test": f"test_{self._repair.module_name}"}
        outcome = self._run(self._folder, order)
        if "error" in outcome:
            return f"ERROR {outcome['error']}"[:_SHOWN_CHARACTERS]
        failures: list[str] = outcome["failures"]
        if not failures:
            return f"{outcome['ran']} passed."
        lines = [f"FAILED {failure}"[:_SHOWN_CHARACTERS] for failure in failures[:3]]
        return "\n".join([*lines, f"{len(failures)} of {outcome['ran']} failed."])
