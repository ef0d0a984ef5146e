"""A folder that nothing leads out of: files are read and written beneath it, whatever path is asked for.

A path is first resolved, links and `..` and all, and must then lie beneath the folder. It is opened part by part from there,
following no link (`O_NOFOLLOW`), so that a link put in its way in between is an error and no way out. A file is written beside
its place and then moved there: what stood there before, which might be a hard link to a file elsewhere, is never written into.

Version control's own folders are out of bounds too: a file in `.git/hooks` is a program that runs later.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Generator
from pathlib import Path

from tithe.core.errors import UsageError

FORBIDDEN = (".git", ".hg", ".svn")
_TEMPORARY = ".tithe-"
_NEW_FILE, _NEW_FOLDER = 0o644, 0o755


class Folder:
    """The folder `root`, and the files beneath it. Paths are relative to it, with `/`.

    Every method raises `UsageError` for a path that leads out, and for what the file system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def relative(self, path: str) -> str:
        """The path of what `path` names, as it is from the folder; links within it are followed. "." is the folder itself."""
        if "\0" in path:
            raise UsageError(f"{path!r} is no path.")
        target = Path(os.path.realpath(self.root / path))
        try:
            inside = target.relative_to(self.root)
        except ValueError:
            raise UsageError(f"{path} leads out of the folder, where nothing is read or written.") from None
        if any(part.lower() in FORBIDDEN for part in inside.parts):
            raise UsageError(f"{path} is version control's own, and is left alone.")
        return inside.as_posix()

    def is_file(self, path: str) -> bool:
        return (self.root / self.relative(path)).is_file()

    def is_folder(self, path: str) -> bool:
        return (self.root / self.relative(path)).is_dir()

    def read(self, path: str, most: int | None = None) -> bytes:
        """The whole file. Raises `UsageError` for one of more than `most` bytes too."""
        with _told(path), self._parent(path) as (parent, name):
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
            with os.fdopen(handle, "rb") as file:
                found = os.fstat(handle)
                if not stat.S_ISREG(found.st_mode):
                    raise UsageError(f"{path} is no file.")
                if most is not None and found.st_size > most:
                    raise UsageError(f"{path} has {found.st_size:,} bytes, more than can be read here.")
                return file.read()

    def mode(self, path: str) -> int | None:
        """The file's permissions; None where there is none."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return stat.S_IMODE((self.root / self.relative(path)).lstat().st_mode)
        return None

    def write(self, path: str, data: bytes, mode: int | None = None) -> None:
        """Write a whole file, and the folders that it stands in; one that was there keeps its permissions unless `mode` is given."""
        kept = mode if mode is not None else self.mode(path)
        with _told(path), self._parent(path, make=True) as (parent, name):
            temporary = f"{_TEMPORARY}{secrets.token_hex(6)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            handle = os.open(temporary, flags, _NEW_FILE, dir_fd=parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    if kept is not None:
                        os.fchmod(handle, kept)
                    file.write(data)
                os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                os.unlink(temporary, dir_fd=parent)
                raise

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is none the less removed."""
        with _told(path), contextlib.suppress(FileNotFoundError), self._parent(path) as (parent, name):
            os.unlink(name, dir_fd=parent)

    @contextlib.contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Generator[tuple[int, str]]:
        """The folder that `path` stands in, open, and its name there."""
        parts = Path(self.relative(path)).parts
        if not parts:
            raise UsageError(f"{path} is the folder itself, and no file.")
        here = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, _NEW_FOLDER, dir_fd=here)
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = inner
            yield here, parts[-1]
        finally:
            os.close(here)


@contextlib.contextmanager
def _told(path: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from error
