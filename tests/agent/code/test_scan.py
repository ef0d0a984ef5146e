"""The project's files are those that git would show; git itself is asked."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.agent.code import scan as scanning
from tithe.agent.code.scan import is_ignored, rules_above, scan


def project_files(root: Path) -> list[str]:
    return scanning.project_files(root, rules_above(root))


def make(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.excludesFile=/dev/null", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def git_files(root: Path) -> list[str]:
    return sorted(filter(None, git(root, "ls-files", "-z", "--others", "--exclude-standard").split("\0")))


def git_ignores(root: Path, path: str) -> bool:
    command = ["git", "-c", "core.excludesFile=/dev/null", "-C", str(root), "check-ignore", "-q", path]
    return subprocess.run(command, check=False).returncode == 0


PATTERNS = st.sampled_from(
    ["*.log", "build/", "/top.txt", "!keep.log", "a/**/z.txt", "**/b", "a/b", "*", "!*/", "!a/b/keep.log", "a/**", "!a/b", "*/", "# no", "b/", "\\!x", "top.txt "]
)  # fmt: skip
FILES = ("top.txt", "x.log", "keep.log", "a/x.log", "a/keep.log", "a/b/z.txt", "a/b/keep.log", "a/b/top.txt", "build/out", "a/build/out", "b")  # fmt: skip


@settings(max_examples=60)
@given(
    top=st.lists(PATTERNS, max_size=4),
    inner=st.lists(PATTERNS, max_size=3),
    info=st.lists(PATTERNS, max_size=1),
)
def test_the_files_are_those_that_git_shows(tmp_path_factory, top, inner, info) -> None:
    root = tmp_path_factory.mktemp("repository")
    git(root, "init", "-q")
    for path in FILES:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    (root / ".gitignore").write_text("\n".join(top) + "\n")
    (root / "a" / ".gitignore").write_text("\n".join(inner) + "\n")
    (root / ".git" / "info" / "exclude").write_text("\n".join(info) + "\n")
    assert sorted(project_files(root)) == git_files(root)
    # A folder of the repository has the rules of those above it too.
    if not git_ignores(root, "a"):
        assert sorted(project_files(root / "a")) == git_files(root / "a")
    for path in FILES:
        assert is_ignored(root, path, rules_above(root)) is (path not in project_files(root))


def test_caches_packages_and_version_control_are_left_out(tmp_path: Path) -> None:
    make(
        tmp_path,
        m="x",
        __pycache____m="x",
        DOTgit__config="x",
        node_modules__left__pad="x",
        env__pyvenvDOTcfg="x",
        env__bin__python="x",
    )
    found = {entry.path: entry.kind for entry in scan(tmp_path)}
    assert found == {"m": "file", "node_modules": "packages", "env": "packages"}


def test_links_are_told_apart(tmp_path: Path) -> None:
    root = make(tmp_path / "p", a__file="x")
    (tmp_path / "elsewhere").mkdir()
    (root / "inside").symlink_to("a/file")
    (root / "out").symlink_to("../elsewhere")
    (root / "absolute").symlink_to(root / "a")
    (root / "nothing").symlink_to("gone")
    found = {entry.path: entry.kind for entry in scan(root)}
    assert found == {
        "a/file": "file",
        "inside": "link",
        "out": "outside",
        "absolute": "outside",
        "nothing": "outside",
    }


def test_a_name_that_is_not_utf8_is_told_as_far_as_it_can_be(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9/inner")).touch()
    assert [(entry.path, entry.kind) for entry in scan(tmp_path)] == [("caf\ufffd", "special")]


def test_what_is_ignored_comes_when_asked_for(tmp_path: Path) -> None:
    make(tmp_path, DOTgitignore="*.log\nbuild/\n", xDOTlog="x", build__deep__out="x", m="x")
    told = {entry.path: entry.ignored for entry in scan(tmp_path, rules_above(tmp_path), ignored=True)}
    assert told == {".gitignore": False, "m": False, "x.log": True, "build/deep/out": True}


def test_whoever_works_in_an_ignored_folder_sees_its_files(tmp_path: Path) -> None:
    make(tmp_path, DOTgit__config="", DOTgitignore="scratch/\n*.log\n", scratch__m="x", scratch__xDOTlog="x")
    assert project_files(tmp_path / "scratch") == ["m", "x.log"]
    assert project_files(tmp_path) == [".gitignore"]


def test_no_folder_has_no_files(tmp_path: Path) -> None:
    assert project_files(tmp_path / "none") == []


@pytest.mark.parametrize("text", ["\udce4".encode("utf-8", "surrogateescape"), b"[", b"\\\n", b"\0"])
def test_a_strange_gitignore_does_no_harm(tmp_path: Path, text: bytes) -> None:
    (tmp_path / ".gitignore").write_bytes(text)
    (tmp_path / "m").write_text("x")
    assert "m" in project_files(tmp_path)
