"""A folder that nothing leads out of: not `..`, not links, not what is put in the way."""

import contextlib
import itertools
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.agent.code.folder import Folder
from tithe.core.errors import UsageError


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    file = tmp_path / "outside" / "secret.txt"
    file.parent.mkdir()
    file.write_text("secret")
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "project"
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "a.txt").write_text("a")
    return Folder(root)


WAYS_OUT = ["../outside/secret.txt", "inner/../../outside/secret.txt", "{outside}", "link", "links/secret.txt", "inner/up/outside/secret.txt"]  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OUT)
def test_nothing_leads_out(folder: Folder, outside: Path, way: str) -> None:
    (folder.root / "link").symlink_to(outside)
    (folder.root / "links").symlink_to(outside.parent)
    (folder.root / "inner" / "up").symlink_to("../..")
    path = way.format(outside=outside)
    for act in (folder.read, folder.remove, lambda path: folder.write(path, b"mine"), folder.is_file):
        with pytest.raises(UsageError, match="leads out of the folder"):
            act(path)
    assert outside.read_text() == "secret"
    assert [each.name for each in outside.parent.iterdir()] == ["secret.txt"]


@given(st.lists(st.sampled_from(["..", ".", "inner", "link", "new", "/", "a.txt", "up"]), max_size=6))
def test_whatever_path_is_written_the_file_is_inside(tmp_path_factory, parts: list[str]) -> None:
    top = tmp_path_factory.mktemp("t")
    root = top / "project"
    (root / "inner").mkdir(parents=True)
    (root / "link").symlink_to(top)
    (root / "inner" / "up").symlink_to("../..")
    with contextlib.suppress(UsageError):
        Folder(root).write("/".join(parts), b"x")
    assert [each.name for each in top.iterdir()] == ["project"]


@pytest.mark.parametrize("path", [".git/hooks/pre-commit", "inner/.GIT/config", ".hg/hgrc"])
def test_version_control_is_left_alone(folder: Folder, path: str) -> None:
    with pytest.raises(UsageError, match="version control's own"):
        folder.write(path, b"#!/bin/sh\nexit 1\n")
    assert not (folder.root / path).exists()


def test_a_link_within_is_followed_and_stays_one(folder: Folder) -> None:
    (folder.root / "short").symlink_to("inner/a.txt")
    folder.write("short", b"b")
    assert (folder.root / "short").is_symlink()
    assert (folder.root / "inner" / "a.txt").read_text() == "b"
    assert folder.relative("short") == "inner/a.txt"


def test_a_hard_link_to_a_file_elsewhere_is_not_written_through(folder: Folder, outside: Path) -> None:
    os.link(outside, folder.root / "hard.txt")
    folder.write("hard.txt", b"mine")
    assert outside.read_text() == "secret"
    assert folder.read("hard.txt") == b"mine"


def test_a_link_that_takes_a_folders_place_between_two_looks_is_no_way_out(
    folder: Folder, outside: Path
) -> None:
    inner = folder.root / "inner"
    over = threading.Event()

    def swap() -> None:
        numbers = itertools.count()
        steps = (
            lambda: inner.rename(folder.root / f"moved-{next(numbers)}"),
            lambda: inner.symlink_to(outside.parent),
            inner.unlink,
            inner.mkdir,
        )
        while not over.is_set():
            for step in steps:
                with contextlib.suppress(OSError):
                    step()

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(2000):
            with contextlib.suppress(UsageError):
                folder.write("inner/secret.txt", b"mine")
            with contextlib.suppress(UsageError):
                assert folder.read("inner/secret.txt") != b"secret"
    finally:
        over.set()
        swapping.join()
    assert outside.read_text() == "secret"
    assert [each.name for each in outside.parent.iterdir()] == ["secret.txt"]


def test_a_pipe_is_no_file_and_is_not_waited_for(folder: Folder) -> None:
    os.mkfifo(folder.root / "pipe")
    with pytest.raises(UsageError, match="is no file"):
        folder.read("pipe")


def test_permissions_are_kept_and_nothing_else_is_left(folder: Folder) -> None:
    script = folder.root / "run.sh"
    script.write_text("old")
    script.chmod(0o750)
    folder.write("run.sh", b"new")
    assert script.stat().st_mode & 0o777 == 0o750
    folder.write("deep/er/new.txt", b"n")
    assert sorted(each.name for each in folder.root.rglob("*")) == [
        "a.txt",
        "deep",
        "er",
        "inner",
        "new.txt",
        "run.sh",
    ]


def test_what_cannot_be_is_told(folder: Folder) -> None:
    for act, path in (
        (folder.read, "none.txt"),
        (folder.read, "inner"),
        (folder.read, "a\0b"),
        (folder.read, "."),
    ):
        with pytest.raises(UsageError):
            act(path)
    with pytest.raises(UsageError, match="more than can be read"):
        folder.read("inner/a.txt", 0)
    folder.remove("none.txt")
