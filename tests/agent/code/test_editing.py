"""Whole lines are replaced where they stand exactly once, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.agent.code.editing import around, lines_of, replaced, syntax_error
from tithe.core.errors import UsageError

TEXT = "one\n  two\nthree\n  two\nfour\n"


def test_lines_are_replaced() -> None:
    assert replaced(TEXT, "three", "3a\n3b") == ("one\n  two\n3a\n3b\n  two\nfour\n", 3)
    assert replaced(TEXT, "three\n  two\n", "") == ("one\n  two\nfour\n", 3)
    assert replaced("a", "a", "b\n") == ("b", 1)
    assert replaced("a\n", "a\n", "") == ("", 1)


def test_ends_of_lines_stay_as_they_are() -> None:
    assert replaced("a\r\nb\r\nc\r\n", "b", "x\ny") == ("a\r\nx\r\ny\r\nc\r\n", 2)
    assert replaced("a\nb", "a", "x") == ("x\nb", 1)
    assert replaced("a\r\nb\r\nc", "c", "x\ny") == ("a\r\nb\r\nx\r\ny", 3)
    assert replaced("a\r\nb\r\nc", "c", "") == ("a\r\nb", 3)


def test_spaces_at_the_end_of_a_line_are_not_held_against_it() -> None:
    assert replaced("a  \nb\n", "a\nb ", "c") == ("c\n", 1)


@pytest.mark.parametrize(
    ("old", "says"),
    [
        ("  two", "there 2 times, at 2, 4"),
        ("two", "Most like them are these:\n2    two"),
        ("thre", "3  three"),
        ("zebra", "Read the file"),
        ("", "old is empty"),
        ("\n", "not in the file"),
    ],
)
def test_what_is_not_there_once_is_told_with_what_is(old: str, says: str) -> None:
    with pytest.raises(UsageError) as told:
        replaced(TEXT, old, "x")
    assert says in told.value.message


LINES = st.lists(
    st.tuples(st.text("ab \t\x0c", max_size=3), st.sampled_from(["\n", "\r\n"])), min_size=1, max_size=8
)


@given(LINES, st.data())
def test_the_rest_of_the_text_never_changes(lines: list[tuple[str, str]], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(lines) - 1))
    last = data.draw(st.integers(first, len(lines) - 1))
    quoted = "".join(f"{line}\n" for line, _ in lines[first : last + 1])
    text = "".join(f"{line}{end}" for line, end in lines)
    stripped, wanted = [line.rstrip() for line, _ in lines], [line.rstrip() for line in lines_of(quoted)]
    unique = sum(stripped[at : at + len(wanted)] == wanted for at in range(len(lines))) == 1
    try:
        after, line = replaced(text, quoted, "NEW\n")
    except UsageError:
        assert not unique
        return
    new = "NEW\r\n" if text.count("\r\n") * 2 > len(lines) else "NEW\n"
    count = last - first + 1
    there = [f"{line}{end}" for line, end in lines]
    assert after == "".join([*there[: line - 1], new, *there[line - 1 + count :]])


def test_what_stands_around_is_shown() -> None:
    assert around("a\nb\nc\nd\ne\nf\ng\nh\n", 5, 1) == "2  b\n3  c\n4  d\n5  e\n6  f\n7  g\n8  h"


@pytest.mark.parametrize(("path", "text", "wrong"), [("a.py", "def f(:\n", True), ("a.py", "x = 1\n", False), ("a.js", "def f(:", False), ("a.py", "x = 1 is 1", False), ("a.py", "(" * 5000, True)])  # fmt: skip
def test_the_syntax_of_python_is_checked(path: str, text: str, wrong: bool) -> None:
    assert (syntax_error(path, text) is not None) is wrong
