"""The tools on a real project, as the loop calls them."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tithe.agent.code.sandbox import Limits, Sandbox
from tithe.agent.code.tools import Bench
from tithe.agent.code.workspace import Workspace, Workspaces
from tithe.agent.tool_run import called
from tithe.core.errors import UsageError

CALC = "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return add(a, a)\n"
TEST = "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    root = tmp_path / "project"
    (root / "docs").mkdir(parents=True)
    (root / "calc.py").write_text(CALC)
    (root / "test_calc.py").write_text(TEST)
    (root / "docs" / "read.md").write_text("\n".join(f"line {n}" for n in range(1000)))
    (root / "data.bin").write_bytes(b"def \0")
    (root / "latin.txt").write_bytes(b"caf\xe9 def")
    made = Workspaces(root)
    yield made.open()
    made.close()


def bench(workspace: Workspace, *, commands: bool = False, search_s: float = 60) -> Bench:
    sandbox = Sandbox(
        workspace.root,
        workspace.scratch,
        {"PATH": os.environ["PATH"]},
        Limits(seconds=60),
        original=Path("/none"),
    )
    test = f"{sys.executable} -m pytest -q -p no:cacheprovider"
    return Bench(workspace, sandbox, test=test, commands=commands, seconds=60, search_s=search_s)


async def used(bench: Bench, name: str, **arguments: Any) -> str:
    tool = next(tool for tool in bench.tools() if tool.name == name)
    return await called(tool.run, **arguments)


def test_only_the_tests_can_be_run_unless_commands_are_allowed(workspace: Workspace) -> None:
    names = {tool.name for tool in bench(workspace).tools()}
    assert names == {"list_files", "search", "read_file", "edit_file", "write_file", "run_tests", "finish"}
    allowed = bench(workspace, commands=True).tools()
    assert {tool.name for tool in allowed} - names == {"run_command"}
    assert all(
        tool.wire.description and tool.wire.parameters["additionalProperties"] is False for tool in allowed
    )


async def test_files_are_listed_and_searched(workspace: Workspace) -> None:
    tools = bench(workspace)
    assert await used(tools, "list_files") == "calc.py\ndata.bin\ndocs/read.md\nlatin.txt\ntest_calc.py"
    assert await used(tools, "list_files", folder="docs") == "docs/read.md"
    assert (
        await used(tools, "search", pattern=r"^def (add|double)")
        == "calc.py:1: def add(a, b):\ncalc.py:5: def double(a):"
    )
    assert await used(tools, "search", pattern="def", folder="latin.txt") == "latin.txt:1: caf\ufffd def"
    assert (
        await used(tools, "search", pattern="nowhere", folder="docs")
        == "Nothing matches 'nowhere' in 1 file."
    )
    assert (await used(tools, "search", pattern="line")).endswith("\n(900 more lines: search for less)")
    for wrong in ({"pattern": "("}, {"pattern": "x", "folder": "gone"}, {"pattern": "x", "folder": "../.."}):
        with pytest.raises(UsageError):
            await used(tools, "search", **wrong)


async def test_a_pattern_that_never_ends_is_ended_and_holds_nothing_up(
    workspace: Workspace,
) -> None:
    workspace.save("long.txt", b"a" * 5000 + b"!")
    searching = asyncio.ensure_future(used(bench(workspace, search_s=0.5), "search", pattern="(a|a)+$"))
    ticks = 0
    while not searching.done():
        await asyncio.sleep(0.01)
        ticks += 1
    with pytest.raises(UsageError, match="did not end within"):
        await searching
    assert ticks > 10


async def test_files_are_read_by_lines(workspace: Workspace) -> None:
    tools = bench(workspace)
    assert (await used(tools, "read_file", path="calc.py")).startswith(
        "1  def add(a, b):\n2      return a - b\n"
    )
    part = await used(tools, "read_file", path="docs/read.md", first=999, count=10)
    assert part == " 999  line 998\n1000  line 999"
    assert (await used(tools, "read_file", path="docs/read.md")).endswith("\n(600 more lines)")
    assert await used(tools, "read_file", path="calc.py", first=99) == "calc.py has 6 lines."
    for path in ("none.py", "docs", "data.bin", "latin.txt", "/etc/passwd", "../project/calc.py"):
        with pytest.raises(UsageError):
            await used(tools, "read_file", path=path)


async def test_what_version_control_ignores_is_not_shown(workspace: Workspace) -> None:
    workspace.write(".gitignore", b".env\n/made/\n")
    workspace.write(".env", b"PASSWORD=secret\n")
    tools = bench(workspace)
    assert ".env" not in (await used(tools, "list_files")).split("\n")
    assert "secret" not in await used(tools, "search", pattern="PASSWORD")
    for name, more in (("read_file", {}), ("edit_file", {"old": "x", "new": "y"})):
        with pytest.raises(UsageError, match="not shown"):
            await used(tools, name, path=".env", **more)
    await used(tools, "write_file", path="made/m.py", text="x = 1\n")
    assert await used(tools, "read_file", path="made/m.py") == "1  x = 1"


async def test_a_very_large_file_is_not_searched_and_that_is_told(workspace: Workspace) -> None:
    workspace.write("large.txt", b"def\n" * (2 << 20))
    said = await used(bench(workspace), "search", pattern="^def$")
    assert said == "Nothing matches '^def$' in 6 files.\n(not searched: 1 very large file)"


async def test_an_edit_is_made_and_shown(workspace: Workspace) -> None:
    tools = bench(workspace)
    said = await used(tools, "edit_file", path="calc.py", old="    return a - b", new="    return a + b\n")
    assert said == "Edited calc.py:\n1  def add(a, b):\n2      return a + b\n3  \n4  \n5  def double(a):"
    assert workspace.read("calc.py").decode() == CALC.replace("-", "+")
    said = await used(tools, "edit_file", path="calc.py", old="    return a + b", new="    return (a + b")
    assert "But now its syntax is wrong: line 2: '(' was never closed" in said


async def test_a_new_file_is_written_and_an_old_one_is_not_written_over(workspace: Workspace) -> None:
    tools = bench(workspace)
    assert await used(tools, "write_file", path="new/m.py", text="x = 1\n") == "Wrote new/m.py."
    with pytest.raises(UsageError, match="is there already"):
        await used(tools, "write_file", path="calc.py", text="")
    with pytest.raises(UsageError, match="version control's own"):
        await used(tools, "write_file", path=".git/hooks/pre-commit", text="#!/bin/sh\n")
    assert [change.path for change in workspace.changes()] == ["new/m.py"]


async def test_the_tests_vouch_for_an_answer(workspace: Workspace) -> None:
    tools = bench(workspace)
    counting = f"open({str(workspace.scratch / 'runs')!r}, 'a').write('x')\n"
    workspace.save("conftest.py", counting.encode())
    wrong = await tools.check("done")
    assert wrong is not None
    assert "the tests do not pass" in wrong
    assert "assert -1 == 5" in wrong
    await used(tools, "edit_file", path="calc.py", old="    return a - b", new="    return a + b")
    assert "1 passed" in await used(tools, "run_tests")
    assert await tools.check("done") is None
    assert (workspace.scratch / "runs").read_text() == "xx"  # what was just run is not run again
    await used(tools, "edit_file", path="calc.py", old="    return a + b", new="    return a * b")
    assert await tools.check("done") is not None


async def test_what_a_command_changes_is_a_change_and_what_tests_make_is_not(workspace: Workspace) -> None:
    tools = bench(workspace, commands=True)
    workspace.save("test_more.py", b"def test_it():\n    open('made.txt', 'w').write('x')\n")
    await used(tools, "run_tests")
    said = await used(tools, "run_command", command="sed -i s/-/+/ calc.py; rm latin.txt; echo x > new.txt")
    assert said.startswith("[exit status 0")
    assert [change.path for change in workspace.changes()] == [
        "calc.py",
        "latin.txt",
        "new.txt",
        "test_more.py",
    ]
    assert workspace.left_out() == ("made.txt",)
