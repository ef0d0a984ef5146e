"""Copies of a folder: what is in them, what changed, and that the folder is written into only as it was."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.agent.code.workspace import Change, Changed, Workspaces
from tithe.core.errors import UsageError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text("a = 1\n")
    (root / "b.py").write_text("b = 1\n")
    (root / ".gitignore").write_text("*.log\n")
    (root / "old.log").write_text("ignored, but there\n")
    return root


@pytest.fixture
def workspaces(project: Path) -> Iterator[Workspaces]:
    made = Workspaces(project)
    yield made
    made.close()


def contents(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_each_way_begins_with_the_folder_as_it_was(project: Path, workspaces: Workspaces) -> None:
    before = contents(project)
    first = workspaces.open()
    first.save("a.py", b"a = 2\n")
    first.save("new/c.py", b"c = 1\n")
    (project / "b.py").write_text("b = 99\n")
    second = workspaces.open()
    assert contents(second.root) == before
    assert second.changes() == ()
    assert [change.path for change in first.changes()] == ["a.py", "new/c.py"]
    assert (project / "a.py").read_text() == "a = 1\n"


def test_changes_are_applied_and_nothing_else_is(project: Path, workspaces: Workspaces) -> None:
    way = workspaces.open()
    way.save("a.py", b"a = 2\n")
    way.save("new/c.py", b"c = 1\n")
    way.remove("b.py")
    way.wrote(["b.py"])
    (way.root / "made_by_tests.db").write_text("x")
    (way.root / "x.log").write_text("x")
    assert way.left_out() == ("made_by_tests.db",)
    workspaces.apply(way.changes())
    assert contents(project) == {
        "a.py": "a = 2\n",
        "new/c.py": "c = 1\n",
        ".gitignore": "*.log\n",
        "old.log": "ignored, but there\n",
    }


@pytest.mark.parametrize("meanwhile", ["changed", "removed", "made"])
def test_what_changed_meanwhile_is_not_overwritten(
    project: Path, workspaces: Workspaces, meanwhile: str
) -> None:
    way = workspaces.open()
    way.save("a.py", b"a = 2\n")
    way.save("b.py", b"b = 2\n")
    way.save("new.py", b"n = 2\n")
    if meanwhile == "changed":
        (project / "b.py").write_text("b = 99\n")
    elif meanwhile == "removed":
        (project / "b.py").unlink()
    else:
        (project / "new.py").write_text("mine\n")
    before = contents(project)
    with pytest.raises(Changed, match="since the work began: nothing was written"):
        workspaces.apply(way.changes())
    assert contents(project) == before


def test_what_cannot_be_written_leaves_the_folder_as_it_was(project: Path, workspaces: Workspaces) -> None:
    way = workspaces.open()
    way.save("a.py", b"a = 2\n")
    way.save("z/new.py", b"z = 2\n")
    (project / "z").write_text("a file where a folder has to be\n")
    before = contents(project)
    with pytest.raises(UsageError):
        workspaces.apply(way.changes())
    assert contents(project) == before


def test_a_link_that_leads_out_is_left_out_and_told(project: Path) -> None:
    (project / "out").symlink_to("/etc")
    (project / "in").symlink_to("a.py")
    os.mkfifo(project / "pipe")
    workspaces = Workspaces(project)
    try:
        way = workspaces.open()
        assert workspaces.skipped == ("out", "pipe")
        assert not (way.root / "out").is_symlink()
        assert (way.root / "in").readlink() == Path("a.py")
    finally:
        workspaces.close()


def test_installed_packages_are_linked_and_out_of_reach(project: Path) -> None:
    packages = project / "web" / "node_modules" / "left"
    packages.mkdir(parents=True)
    (packages / "pad.js").write_text("x")
    workspaces = Workspaces(project)
    try:
        way = workspaces.open()
        assert (way.root / "web" / "node_modules" / "left" / "pad.js").read_text() == "x"
        with pytest.raises(UsageError, match="leads out"):
            way.save("web/node_modules/left/pad.js", b"mine")
        assert "web/node_modules/left/pad.js" not in workspaces.files()
    finally:
        workspaces.close()
    assert (packages / "pad.js").read_text() == "x"


def test_copies_are_gone_at_the_end(project: Path) -> None:
    workspaces = Workspaces(project)
    root = workspaces.open().root
    workspaces.close()
    assert not root.parent.exists()


def test_a_folder_that_is_too_large_is_refused(project: Path) -> None:
    with pytest.raises(UsageError, match="more than 3 files"):
        Workspaces(project, most_files=3)
    with pytest.raises(UsageError, match="more than 20,000 files or 0 MiB"):
        Workspaces(project, most_bytes=8)
    with pytest.raises(UsageError, match="is no folder"):
        Workspaces(project / "none")


LINES = st.lists(st.sampled_from(["a", "b", "  c", "", "d\r", "\x0ce", "é"]), max_size=6)
TEXTS = st.none() | st.builds(
    lambda lines, end: ("\n".join(lines) + end).encode(), LINES, st.sampled_from(["", "\n"])
)


@settings(max_examples=80)
@given(before=TEXTS, after=TEXTS)
def test_git_applies_the_diff(tmp_path_factory, before: bytes | None, after: bytes | None) -> None:
    root = tmp_path_factory.mktemp("applied")
    if before == after:
        return
    if before is not None:
        (root / "f").write_bytes(before)
    diff = Change(path="f", before=before, after=after, mode=0o644).diff
    command = ["git", "-C", str(root), "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(command, input=diff.encode(), capture_output=True, check=False, env={"GIT_CEILING_DIRECTORIES": str(root.parent), "PATH": os.environ["PATH"]})  # fmt: skip
    assert done.returncode == 0, (done.stderr, diff)
    assert ((root / "f").read_bytes() if (root / "f").exists() else None) == after


def test_what_is_no_text_is_told_in_words() -> None:
    assert Change(path="x", before=b"\0", after=b"\xff").diff == "Binary file x differs\n"
    moded = Change(path="x", before=b"a", after=b"a", mode=0o755).diff
    assert moded == "diff --git a/x b/x\nnew mode 100755\n"
