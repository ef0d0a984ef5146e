"""What a model is shown of a page's tree."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tithe.agent.page_tree import LONGEST, shown

TREE = """\
- banner [ref=e1]:
  - link "Home" [ref=e2]
- main [ref=e3]:
  - list [ref=e4]:
    - listitem [ref=e5]:
      - link "Dark  theme" [ref=e6]:
        - /url: /dark
    - listitem [ref=e7]: Light theme
  - text: the end"""


def test_a_tree_that_fits_is_shown_whole() -> None:
    assert shown(TREE) == TREE
    assert shown("") == "(The page is empty.)"


def test_what_is_found_is_shown_with_what_it_is_part_of() -> None:
    assert shown(TREE, find="dark theme").splitlines() == [
        "- main [ref=e3]:",
        "  - list [ref=e4]:",
        "    - listitem [ref=e5]:",
        '      - link "Dark  theme" [ref=e6]:',
    ]
    assert "Light" in shown(TREE, find="LIGHT")
    assert shown(TREE, find="blue") == "(Nothing on the page has 'blue' in it.)"


def test_one_can_read_from_a_line_on() -> None:
    assert shown(TREE, first=9) == "  - text: the end"
    assert shown(TREE, first=10) == "(The page has 9 lines.)"


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=60))
def test_reading_on_shows_every_line_once(lengths: list[int]) -> None:
    tree = "\n".join(f"- {number}{'x' * length}" for number, length in enumerate(lengths))
    seen: list[str] = []
    line = 1
    while True:
        text = shown(tree, line)
        assert len(text) < LONGEST + 200
        told = re.search(r"\n\(cut: (\d+) more lines; read_page\(line=(\d+)\) reads on\)$", text)
        seen += text[: told.start() if told else None].splitlines()
        if told is None:
            break
        assert int(told[1].replace(",", "")) == len(lengths) - len(seen)
        line = int(told[2])
    assert [int(re.match(r"- (\d+)", each)[1]) for each in seen] == list(range(len(lengths)))
    assert all("more characters of this line" in each for each in seen if len(each) > 2_000)


def test_what_was_found_and_cut_says_how_to_find_on() -> None:
    tree = "\n".join(f"- link {'word ' * 100}{number}" for number in range(100))
    text = shown(tree, find="word")
    told = re.search(r"read_page\(line=(\d+), find='word'\)", text)
    assert told is not None
    assert shown(tree, int(told[1]), "word").splitlines()[0].endswith(str(int(told[1]) - 1))
