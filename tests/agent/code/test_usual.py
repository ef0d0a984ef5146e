"""Which command runs a project's tests, and which files are tests."""

import json
from pathlib import Path

import pytest

from tithe.agent.code.usual import is_test, usual_test


def found(*programs: str):
    return lambda name: f"/usr/bin/{name}" if name in programs else None


@pytest.mark.parametrize(
    ("files", "programs", "command"),
    [
        (["a.py", "tests/test_a.py"], ["python3", "python"], "python3 -m pytest -q"),
        (["test_a.py"], ["python"], "python -m pytest -q"),
        (["test_a.py"], [], None),
        (["package.json"], ["npm"], "npm test --silent"),
        (["Cargo.toml"], ["cargo"], "cargo test --quiet"),
        (["go.mod"], ["go"], "go test ./..."),
        (["a.py", "README.md"], ["python3"], None),
        ([], ["python3", "npm", "go"], None),
    ],
)
def test_the_usual_command(tmp_path: Path, files, programs, command) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"scripts": {"test": "jest"}}))
    assert usual_test(tmp_path, files, found(*programs)) == command


@pytest.mark.parametrize("text", ["", "[]", '{"scripts": {}}', '{"scripts": 1}'])
def test_a_package_without_tests_has_no_command(tmp_path: Path, text: str) -> None:
    (tmp_path / "package.json").write_text(text)
    assert usual_test(tmp_path, ["package.json"], found("npm")) is None


def test_the_projects_own_python_comes_first(tmp_path: Path) -> None:
    python = tmp_path / "a b" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert usual_test(tmp_path / "a b", ["test_a.py"], found("python3")) == f"'{python}' -m pytest -q"


@pytest.mark.parametrize(
    "path", ["test_a.py", "a/tests/help.py", "x_test.go", "a.test.ts", "b.spec.js", "conftest.py"]
)
def test_tests_are_known(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize("path", ["a.py", "latest.py", "contest/a.py", "testing.md", "src/attest.go"])
def test_others_are_not(path: str) -> None:
    assert not is_test(path)
