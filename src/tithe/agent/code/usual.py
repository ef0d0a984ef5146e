"""The command that usually runs a project's tests, told by the files that it has."""

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

_PYTHONS = ("python3", "python")
_ENVIRONMENTS = (".venv", "venv")


def usual_test(folder: Path, files: Sequence[str], find: Callable[[str], str | None]) -> str | None:
    """The command line; None: no kind of project that is known here, or what would run its tests is not installed.

    `find` is given a program's name and returns where it is (`shutil.which`).
    """
    if any(is_test(path) and path.endswith(".py") for path in files):
        python = _python(folder, find)
        return f"{python} -m pytest -q" if python is not None else None
    if "package.json" in files and _has_script(folder / "package.json") and find("npm"):
        return "npm test --silent"
    if "Cargo.toml" in files and find("cargo"):
        return "cargo test --quiet"
    return "go test ./..." if "go.mod" in files and find("go") else None


def is_test(path: str) -> bool:
    """Whether a file is one of the tests, by its name as pytest, Go and Jest have them, or by its folder's."""
    place = PurePosixPath(path)
    stem = place.name.partition(".")[0]
    named = stem.startswith("test_") or stem.endswith("_test") or stem == "conftest"
    middle = place.name.split(".")[1:-1]
    return (
        named
        or bool({"test", "spec"} & set(middle))
        or bool({"test", "tests", "__tests__"} & set(place.parts[:-1]))
    )


def _python(folder: Path, find: Callable[[str], str | None]) -> str | None:
    """The project's own, else the user's."""
    own = (folder.resolve() / name / "bin" / "python" for name in _ENVIRONMENTS)
    found = next((str(path) for path in own if path.is_file()), None)
    return shlex.quote(found) if found is not None else next((name for name in _PYTHONS if find(name)), None)


def _has_script(package: Path) -> bool:
    try:
        return "test" in json.loads(package.read_bytes()).get("scripts", {})
    except (OSError, ValueError, AttributeError, TypeError):
        return False
