"""Editing text by whole lines that are quoted, not numbered: a number is wrong as soon as something above it has changed."""

import ast
import difflib
import warnings
from collections.abc import Sequence

from tithe.core.errors import UsageError

_CONTEXT = 3
_ALIKE = 0.6


def replaced(text: str, old: str, new: str) -> tuple[str, int]:
    """The text with the lines `old` replaced by the lines `new` (none, where it is empty), and the number of the first of them.

    `old` must be whole lines that are there exactly once; spaces at their ends are not held against it. They end as most lines of the text do.

    Raises `UsageError`, in words for the model: they are not there (and what is most like them), or more than once.
    """
    raw = text.split("\n")
    whole = raw[-1] == ""  # the last line has an end
    raw = raw[:-1] if whole else raw
    wanted, given = lines_of(old), lines_of(new)
    if not wanted:
        raise UsageError("old is empty: quote the lines that are to be replaced.")
    lines = [line.removesuffix("\r") for line in raw]
    places = _places(lines, wanted)
    if not places:
        raise UsageError(f"These lines are not in the file as you quote them. {_nearest(lines, wanted)}")
    if len(places) > 1:
        numbers = ", ".join(str(place + 1) for place in places)
        raise UsageError(
            f"These lines are there {len(places)} times, at {numbers}: quote lines around them too."
        )
    [place] = places
    end = "\r" if sum(line.endswith("\r") for line in raw) * 2 > len(raw) else ""
    after = [*raw[:place], *(f"{line}{end}" for line in given), *raw[place + len(wanted) :]]
    edited = "\n".join(after)
    return (f"{edited}\n" if whole and after else edited.removesuffix("\r")), place + 1


def numbered(lines: Sequence[str], first: int) -> str:
    """Lines with their numbers, counted from `first`."""
    width = len(str(first + len(lines)))
    return "\n".join(f"{number:{width}}  {line}" for number, line in enumerate(lines, first))


def around(text: str, line: int, count: int) -> str:
    """Some lines from `line` on, and what stands before and after them."""
    lines = lines_of(text)
    first = max(1, line - _CONTEXT)
    return numbered(lines[first - 1 : line - 1 + count + _CONTEXT], first)


def syntax_error(path: str, text: str) -> str | None:
    """What is wrong with the syntax of a Python file; None for what is right, and for any other file."""
    if not path.endswith(".py"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return None


def lines_of(text: str) -> list[str]:
    """The lines, without their ends; nothing else than a line's end ends one."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


def _places(lines: Sequence[str], wanted: Sequence[str]) -> list[int]:
    exact = _matches(lines, wanted)
    return exact or _matches([line.rstrip() for line in lines], [line.rstrip() for line in wanted])


def _matches(lines: Sequence[str], wanted: Sequence[str]) -> list[int]:
    count = len(wanted)
    return [
        place for place in range(len(lines) - count + 1) if list(lines[place : place + count]) == list(wanted)
    ]


def _nearest(lines: Sequence[str], wanted: Sequence[str]) -> str:
    """The lines that are most like those that were quoted."""
    alike = difflib.get_close_matches(wanted[0].strip(), [line.strip() for line in lines], n=1, cutoff=_ALIKE)
    if not alike:
        return "Read the file, and quote whole lines."
    place = next(place for place, line in enumerate(lines) if line.strip() == alike[0])
    return f"Most like them are these:\n{numbered(lines[place : place + len(wanted)], place + 1)}"
