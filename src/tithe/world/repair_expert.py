"""How the expert finds a wrong line.

It knows how functions of each shape are written: the shape whose docstring the shown function has, and
the names that most of its lines agree on, say what every line should be. The line that differs is wrong.
It replaces the whole body by the right one: whoever writes that needs to know how the function is
written, and not which ways there are to write it wrongly.
"""

import random
import re
from collections import Counter

import msgspec

from tithe.world.bugs import BUG_KINDS
from tithe.world.conversation import Conversation
from tithe.world.shapes import SHAPES, Shape

_OPEN = re.compile(r"\\\{(\w+)\\\}")


def solve(talk: Conversation, draw: random.Random, module: str, *, mistaken: bool) -> None:
    """Run the tests, read, edit, run them again, finish."""
    slips = ("file", "argument", "line", "other file", "half a call", "no call", "wrong fix", "wrong fix")
    slip = draw.choice(slips) if mistaken else ""
    path = f"{module}.py"
    if slip == "file":
        talk.mistake("read_file", {"path": f"{module}.txt"})
    elif slip == "argument":
        talk.mistake("run_tests", {"path": f"test_{module}.py"})
    talk.call("run_tests", {})
    text = talk.call("read_file", {"path": path})
    found = diagnose(text)
    old, new = found.body(found.old), found.body(found.new)
    plan = f"{found.function}: {found.docstring}"
    if slip == "other file":
        talk.mistake("edit_file", {"path": f"src/{path}", "old": old, "new": new})
    elif slip == "half a call":
        talk.mistake("edit_file", {"path": path, "old": old})
    elif slip == "no call":
        talk.idle(plan)
    elif slip == "line":
        talk.mistake("edit_file", {"path": path, "old": found.old.strip() + " ?", "new": found.new})
        # What stands there is to be seen again before the next try.
        talk.call("read_file", {"path": path})
    elif slip == "wrong fix" and found.others:
        wrong = found.body(draw.choice(found.others))
        talk.mistake("edit_file", {"path": path, "old": old, "new": wrong})
        talk.call("run_tests", {})
        talk.call("read_file", {"path": path})
        old = wrong
    talk.call("edit_file", {"path": path, "old": old, "new": new}, plan=plan)
    talk.call("run_tests", {})
    talk.call("finish", {"answer": "The tests pass."})


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The wrong line, the right one, other wrong ones that stand there at times; and of its function the
    name, what the docstring says, and the lines of the body before the wrong one and after it."""

    old: str
    new: str
    others: tuple[str, ...]
    function: str
    docstring: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def body(self, line: str) -> str:
        """The function's body with this line in the wrong one's place."""
        return "\n".join([*self.before, line, *self.after])


def diagnose(text: str) -> Diagnosis:
    """Find the wrong line of a module. Raises ValueError when every line is as it should be."""
    for block in re.split(r"\n\n\n", text.strip("\n")):
        lines = block.split("\n")
        for shape in SHAPES:
            names = _bound(shape, lines)
            if not names:
                continue
            right = [line.format(**names) for line in shape.lines]
            for at, (old, new) in enumerate(zip(lines, right, strict=True)):
                if old != new:
                    # Only the kinds that training may show, whatever the split.
                    others = [
                        bug.wrong.format(**names)
                        for bug in shape.bugs
                        if bug.line == at and bug.kind in BUG_KINDS["train"]
                    ]
                    return Diagnosis(
                        old=old,
                        new=new,
                        others=tuple(other for other in others if other != old),
                        function=names["f"],
                        docstring=lines[1].strip().strip('"'),
                        before=tuple(lines[2:at]),
                        after=tuple(lines[at + 1 :]),
                    )
    raise ValueError("every line is as it should be")


def _bound(shape: Shape, lines: list[str]) -> dict[str, str]:
    """What the names of a shape are in these lines; empty when they are of another shape."""
    patterns = [line_pattern(line) for line in shape.lines]
    if len(lines) != len(patterns) or not all(map(re.fullmatch, patterns[:2], lines[:2])):
        return {}
    votes: dict[str, Counter[str]] = {}
    for at, (pattern, line) in enumerate(zip(patterns, lines, strict=True)):
        found = re.fullmatch(pattern, line)
        if found:
            for name, word in found.groupdict().items():
                # The signature and the docstring are never wrong; one other line may be.
                votes.setdefault(name, Counter())[word] += 9 if at < 2 else 1
    return {name: counted.most_common(1)[0][0] for name, counted in votes.items()}


def line_pattern(line: str) -> str:
    """A shape's line as a pattern whose groups are the names it leaves open."""
    seen: set[str] = set()

    def group(found: re.Match[str]) -> str:
        name = found.group(1)
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>[A-Z][a-z ]+)" if name == "say" else rf"(?P<{name}>\w+)"

    return _OPEN.sub(group, re.escape(line))
