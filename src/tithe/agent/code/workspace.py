"""Copies of a folder in which an agent works, so that the folder itself stays as it is until someone has seen what would change.

The folder is copied once, as it is when the work begins: that copy is the base. Each way from goal to answer has a workspace, a copy
of the base. What a way changed is the difference of the two; it is written into the folder only if each file in question is
still there as it was in the base.

Installed packages (a virtual environment, `node_modules`) are linked, not copied. Caches, version control's folders, links that lead out
and what is no file are left out.

Only what the agent wrote itself is a change of its own. What its test runs made or changed besides is left out, and told.
"""

import contextlib
import difflib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from tithe.agent.code.folder import Folder
from tithe.agent.code.scan import Entry, Rules, is_ignored, project_files, rules_above, scan
from tithe.core.errors import UsageError

MOST_FILES = 20_000
MOST_BYTES = 512 << 20


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A file that differs. `before`, `after`: what is in it; None: it is not there. `mode`: its permissions afterwards."""

    path: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None

    @property
    def diff(self) -> str:
        """As a unified diff, as `git apply` and `patch -p1` read it; a line of words for what is no text."""
        old, new = _lines(self.before), _lines(self.after)
        if old is None or new is None:
            return f"Binary file {self.path} differs\n"
        names = (
            "/dev/null" if self.before is None else f"a/{self.path}",
            "/dev/null" if self.after is None else f"b/{self.path}",
        )
        lines = list(difflib.unified_diff(old, new, *names)) or [self._without_lines()]
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )

    def _without_lines(self) -> str:
        if self.before is not None and self.after is not None:
            return f"diff --git a/{self.path} b/{self.path}\nnew mode 100{self.mode or 0:o}\n"
        what = "new" if self.before is None else "deleted"
        return f"diff --git a/{self.path} b/{self.path}\n{what} file mode 100{self.mode or 0o644:o}\n"


class Changed(UsageError):
    """The user's files are no longer as they were when the work began. Nothing was written."""


class Workspace(Folder):
    """A copy of the base in which one way works. `wrote` is to be told of what was written on purpose."""

    def __init__(self, root: Path, base: Folder, outer: Sequence[Rules] = ()) -> None:
        super().__init__(root)
        self._base = base
        self._outer = outer
        self._written: set[str] = set()
        self.scratch = root.with_name(f"{root.name}-scratch")
        self.scratch.mkdir()

    def save(self, path: str, data: bytes) -> None:
        """Write a file on purpose: it is among the changes."""
        self.write(path, data)
        self.wrote((self.relative(path),))

    def wrote(self, paths: Iterable[str]) -> None:
        self._written.update(paths)

    def is_hidden(self, path: str) -> bool:
        """Whether a file is none to be shown: ignored by version control (as keys and passwords often are), and not written here."""
        inside = self.relative(path)
        return inside not in self._written and is_ignored(self.root, inside, self._outer)

    def files(self) -> list[str]:
        """The project's files, without what is ignored."""
        return project_files(self.root, self._outer)

    def stamps(self) -> dict[str, tuple[int, int, int]]:
        """The project's files, and what changes when they do."""
        return {entry.path: entry.stamp for entry in scan(self.root, self._outer) if entry.kind == "file"}

    def changes(self) -> tuple[Change, ...]:
        """What was written on purpose and differs from the base, in the order of paths."""
        return tuple(change for path in sorted(self._written) if (change := self._change(path)) is not None)

    def left_out(self) -> tuple[str, ...]:
        """The project's files that differ and were not written on purpose: what test runs made, changed or removed."""
        there = {entry.path for entry in scan(self._base.root, self._outer) if entry.kind == "file"}
        others = (self.stamps().keys() | there) - self._written
        return tuple(sorted(path for path in others if self._change(path) is not None))

    def _change(self, path: str) -> Change | None:
        before, after = _content(self._base, path), _content(self, path)
        mode, old = self.mode(path), self._base.mode(path)
        if before == after and (mode == old or after is None):
            return None
        return Change(path=path, before=before, after=after, mode=mode)


class Workspaces:
    """The base, and the workspaces made of it; all of them are gone after `close`. `skipped`: what was left out of the copy, by path.

    Raises `UsageError` for a folder that is none, or too large to be copied.
    """

    def __init__(self, folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder.")
        self.folder = Folder(folder)
        self._temporary = tempfile.TemporaryDirectory(prefix="tithe-", ignore_cleanup_errors=True)
        self._made = 0
        self._ahead: Future[Workspace] | None = None
        self._copier = ThreadPoolExecutor(max_workers=1, thread_name_prefix="copies")
        self._outer = rules_above(self.folder.root)
        try:
            found = scan(self.folder.root, self._outer, ignored=True)
            entries = list(_no_more_than(most_files, most_bytes, found, folder))
            self.base = Folder(Path(self._temporary.name).resolve() / "base")
            unread = _copy(self.folder.root, entries, self.base.root)
        except BaseException:
            self.close()
            raise
        self._packages = [entry.path for entry in entries if entry.kind == "packages"]
        self.skipped = (*(entry.path for entry in entries if entry.kind in ("outside", "special")), *unread)

    def files(self) -> list[str]:
        """The project's files, as they were when the work began."""
        return project_files(self.base.root, self._outer)

    def open(self) -> Workspace:
        """A fresh one. The next is made meanwhile, so that it need not be waited for."""
        ready = self._ahead.result() if self._ahead is not None else self._fresh()
        self._ahead = self._copier.submit(self._fresh)
        return ready

    def apply(self, changes: Iterable[Change]) -> None:
        """Write changes into the folder itself. Raises `Changed` when a file is not as it was: then nothing is written."""
        changes = tuple(changes)
        moved = [change.path for change in changes if _content(self.folder, change.path) != change.before]
        if moved:
            raise Changed(
                f"{', '.join(moved)} changed in {self.folder.root} since the work began: nothing was written there. "
                "Apply the diff by hand, or begin anew."
            )
        done: list[tuple[Change, int | None]] = []
        try:
            for change in changes:
                done.append((change, self.folder.mode(change.path)))
                _put(self.folder, change.path, change.after, change.mode)
        except UsageError:
            for change, mode in reversed(done):
                with contextlib.suppress(UsageError):
                    _put(self.folder, change.path, change.before, mode)
            raise

    def close(self) -> None:
        self._copier.shutdown(cancel_futures=True)
        self._temporary.cleanup()

    def _fresh(self) -> Workspace:
        self._made += 1
        root = self.base.root.with_name(f"way-{self._made}")
        _copy(self.base.root, scan(self.base.root, ignored=True), root)
        for path in self._packages:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(self.folder.root / path, target_is_directory=True)
        return Workspace(root, self.base, self._outer)


def _no_more_than(files: int, size: int, entries: Iterable[Entry], folder: Path) -> Iterator[Entry]:
    """The entries. Raises `UsageError` as soon as they are too many: what is found may be a whole disk."""
    left_files, left_size = files, size
    for entry in entries:
        if entry.kind == "file":
            left_files, left_size = left_files - 1, left_size - entry.size
        if left_files < 0 or left_size < 0:
            raise UsageError(
                f"{folder} has more than {files:,} files or {size >> 20} MiB, and the agent works in a copy. Name a folder "
                "in it with --dir, or move large data out of it."
            )
        yield entry


def _copy(source: Path, entries: Iterable[Entry], root: Path) -> list[str]:
    """Copy files and links; returns what could not be read, or was gone."""
    root.mkdir()
    unread: list[str] = []
    for entry in entries:
        here, there = source / entry.path, root / entry.path
        if entry.kind not in ("file", "link"):
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(here, there, follow_symlinks=False)
        except (FileNotFoundError, PermissionError):
            unread.append(entry.path)
        except OSError as error:
            raise UsageError(f"{here} cannot be copied to {there}: {error.strerror}.") from error
    return unread


def _put(folder: Folder, path: str, data: bytes | None, mode: int | None) -> None:
    if data is None:
        folder.remove(path)
    else:
        folder.write(path, data, mode)


def _content(folder: Folder, path: str) -> bytes | None:
    return folder.read(path) if folder.is_file(path) else None


def _lines(data: bytes | None) -> list[str] | None:
    """Text as lines, ended by `\\n` alone; None: it is no text."""
    if data is None:
        return []
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    *whole, last = text.split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])
