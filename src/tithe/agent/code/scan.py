"""The files of a project: walked from its folder, told apart into what is the project's and what `.gitignore` leaves out.

The rules are git's (gitignore(5)): those of the folder's own `.gitignore`, of the folders below and, where the folder is part of a
repository, of those above it and of `.git/info/exclude`; the last rule that matches in the nearest file decides, and nothing below
an ignored folder comes back.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, cast

import msgspec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from tithe.agent.code.folder import FORBIDDEN

# Made again by whatever made them.
CACHES = frozenset((
    "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox",
))  # fmt: skip
_IGNORE_FILE = ".gitignore"
_PACKAGES = "node_modules"
_ENVIRONMENT = "pyvenv.cfg"

# file      a file
# link      a link to something else in the folder
# packages  a folder of installed packages: a virtual environment, node_modules
# outside   a link that leads out, or to nothing
# special   a pipe, a socket, a device, or something whose name is not UTF-8
EntryKind = Literal["file", "link", "packages", "outside", "special"]


class Rules(NamedTuple):
    """One file's rules. They are told of a path from their own folder: that is `below` the scanned one, or `above` it by that path."""

    patterns: tuple[GitIgnoreSpecPattern, ...]
    below: str = ""
    above: str = ""

    def say(self, path: str, *, folder: bool) -> bool | None:
        """Whether they ignore a path from the scanned folder; None: they do not say."""
        told = self.above + path.removeprefix(self.below)
        last = (each.include for each in reversed(self.patterns) if _is_of(each, told, folder=folder))
        return next(last, None)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the folder, by its path from there. `stamp` changes when the file does: time, size and inode."""

    path: str
    kind: EntryKind
    ignored: bool
    size: int
    stamp: tuple[int, int, int]


def scan(root: Path, outer: Sequence[Rules] = (), *, ignored: bool = False) -> Iterator[Entry]:
    """Everything in the folder (a resolved path) in the order of names; caches and version control's own folders left out.

    `outer`: the rules that come from outside it. What is ignored comes only when asked for. What is gone by then, and what is in a
    folder that cannot be read, is not there.
    """
    return _walk(root, "", list(outer), ignored=False, wanted=ignored)


def project_files(root: Path, outer: Sequence[Rules] = ()) -> list[str]:
    """The files of a project, without what is ignored; none where there is no such folder."""
    return [entry.path for entry in scan(root, outer) if entry.kind in ("file", "link")]


def is_ignored(root: Path, path: str, outer: Sequence[Rules] = ()) -> bool:
    """Whether the rules leave a path out, or a folder that it stands in."""
    rules, inside = list(outer), Path()
    for part in Path(path).parts:
        rules += _rules_of(root / inside / _IGNORE_FILE, below=_prefix(inside))
        inside /= part
        if _ignored(rules, inside.as_posix(), folder=(root / inside).is_dir()):
            return True
    return False


def rules_above(root: Path) -> list[Rules]:
    """Those of the repository that the folder is in, from its top down to the folder above.

    None where they ignore the folder itself: whoever works in it means its files.
    """
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if top is None:
        return []
    inside = root.relative_to(top)
    exclude = top / ".git" / "info" / "exclude"
    if is_ignored(top, inside.as_posix(), _rules_of(exclude)):
        return []
    found = _rules_of(exclude, above=_prefix(inside))
    for folder in reversed(inside.parents):
        found += _rules_of(top / folder / _IGNORE_FILE, above=_prefix(inside.relative_to(folder)))
    return found


def _walk(root: Path, inside: str, rules: list[Rules], *, ignored: bool, wanted: bool) -> Iterator[Entry]:
    folder = root / inside
    rules = [*rules, *_rules_of(folder / _IGNORE_FILE, below=f"{inside}/" if inside else "")]
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        if entry.name.lower() in FORBIDDEN or entry.name in CACHES:
            continue
        path = f"{inside}/{entry.name}" if inside else entry.name
        if not _is_utf8(path):
            shown = os.fsencode(path).decode(errors="replace")
            yield Entry(path=shown, kind="special", ignored=False, size=0, stamp=(0, 0, 0))
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        left_out = ignored or _ignored(rules, path, folder=is_folder)
        if left_out and not wanted:
            continue
        try:
            kind = _kind(root, entry)
            told = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if is_folder and kind is None:
            yield from _walk(root, path, rules, ignored=left_out, wanted=wanted)
        elif kind is not None:
            stamp = (told.st_mtime_ns, told.st_size, told.st_ino)
            yield Entry(path=path, kind=kind, ignored=left_out, size=told.st_size, stamp=stamp)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(root: Path, entry: "os.DirEntry[str]") -> EntryKind | None:
    """None: a folder to walk."""
    if entry.is_symlink():
        target = Path(os.path.realpath(entry.path))
        absolute = Path(entry.path).readlink().is_absolute()
        return "link" if not absolute and target.is_relative_to(root) and target.exists() else "outside"
    if entry.is_dir():
        return "packages" if entry.name == _PACKAGES or Path(entry.path, _ENVIRONMENT).is_file() else None
    return "file" if stat.S_ISREG(entry.stat().st_mode) else "special"


def _ignored(rules: list[Rules], path: str, *, folder: bool) -> bool:
    said = (each.say(path, folder=folder) for each in reversed(rules))
    return next((one for one in said if one is not None), False)


def _prefix(path: Path) -> str:
    return f"{path.as_posix()}/" if path.parts else ""


def _rules_of(file: Path, *, below: str = "", above: str = "") -> list[Rules]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [Rules(tuple(_patterns(lines)), below=below, above=above)]


def _is_of(pattern: GitIgnoreSpecPattern, path: str, *, folder: bool) -> bool:
    """Whether a pattern is of the path itself.

    In pathspec one that is of a folder is also of all that is in it, and the group `ps_d` marks the folder's end. In git it is
    not: each folder on the way is asked about, and a later pattern takes back only what is about the path itself.
    """
    regex = cast("re.Pattern[str] | None", pattern.regex)
    if regex is None:
        return False
    marked = "ps_d" in regex.groupindex
    if any(not marked or match.end("ps_d") == -1 for match in regex.finditer(path)):
        return True
    return (
        folder and marked and any(match.end("ps_d") == len(path) + 1 for match in regex.finditer(f"{path}/"))
    )


def _patterns(lines: list[str]) -> Iterator[GitIgnoreSpecPattern]:
    """Those lines that are patterns; git passes over what is none."""
    for line in lines:
        with contextlib.suppress(ValueError):
            yield GitIgnoreSpecPattern(line)
