"""docs/tour.md is true: every path it names exists, and it passes through every room."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "docs" / "tour.md"

# In `code` or as a link's target: something with a slash in it, or a file's ending.
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)")
FILE = re.compile(r"[\w.*-]*\w\.(py|md|toml|jinja|json|lock|xml|bin|txt)")
PATH = re.compile(r"\.{0,2}[\w*-][\w.*-]*(/[\w.*-]+)*/?")


def named_paths(text: str) -> list[str]:
    """The paths that a page names, in order. A route (`/v1/models`) and a URL are not paths."""
    found = [
        name for name in CODE.findall(text) if PATH.fullmatch(name) and ("/" in name or FILE.fullmatch(name))
    ]
    return found + [name for name in LINK.findall(text) if "://" not in name]


def missing_paths(text: str, root: Path) -> list[str]:
    """Those of the named paths that are not there: under the root, the package or the page's folder."""
    bases = (root, root / "src" / "tithe", root / "docs")
    return [name for name in named_paths(text) if not any(any(base.glob(name.rstrip("/"))) for base in bases)]


def rooms(root: Path) -> list[str]:
    """The rooms of the house: folders with a Python file in them."""
    package = root / "src" / "tithe"
    return sorted(folder.name for folder in package.iterdir() if folder.is_dir() and any(folder.glob("*.py")))


def test_every_path_of_the_tour_exists() -> None:
    text = TOUR.read_text(encoding="utf-8")
    assert len(named_paths(text)) >= 10
    assert missing_paths(text, ROOT) == []


@pytest.mark.parametrize("room", rooms(ROOT))
def test_the_tour_passes_through(room: str) -> None:
    names = named_paths(TOUR.read_text(encoding="utf-8"))
    assert any(name.removeprefix("src/tithe/").startswith(f"{room}/") for name in names)


def test_a_missing_path_is_caught(tmp_path: Path) -> None:
    (tmp_path / "src" / "tithe" / "wire").mkdir(parents=True)
    (tmp_path / "src" / "tithe" / "wire" / "sse.py").touch()
    page = (
        "`wire/sse.py`, `src/tithe/wire/`, `wire/*.py`, `/v1/models`, `a / b`, [x](https://a/b) and `sse.feed`, but "
        "`wire/gone.py`, `gone.md`, `gone/` and [gone](gone.md#part)"
    )
    assert missing_paths(page, tmp_path) == ["wire/gone.py", "gone.md", "gone/", "gone.md"]
