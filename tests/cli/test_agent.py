"""`tithe agent code` as a process: a scripted model behind a real socket, a project with a failing test, real test runs."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tithe.core import Request, Script, ScriptedBackend, TextDelta, ToolCallDelta
from tithe.core.errors import EngineError
from tithe.net.options import ServerOptions
from tithe.net.server import Server
from tithe.trace import Store

TEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"
OLD, NEW = "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"
DIFF = (
    "--- a/calc.py\n+++ b/calc.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n"
)
GOAL = "fix the failing test"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "calc.py").write_text(OLD)
    (root / "test_calc.py").write_text(
        "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
    )
    return root


def call(name: str, **arguments: Any) -> Script:
    delta = ToolCallDelta(at=0.0, call=0, id="c", name=name, arguments=json.dumps(arguments))
    return Script(deltas=[delta], finish="tool_calls")


FIXING = (
    call("run_tests"),
    call("read_file", path="calc.py"),
    call("edit_file", path="calc.py", old="    return a - b", new="    return a + b"),
    call("finish", summary="add subtracted"),
)


def in_turn(scripts: Sequence[Script]) -> Callable[[Request], Script]:
    return lambda request: scripts[
        min(sum(m.role == "assistant" for m in request.messages), len(scripts) - 1)
    ]


@contextlib.asynccontextmanager
async def served(answer: Callable[[Request], Script]) -> AsyncGenerator[str]:
    server = Server(ScriptedBackend(answer), "scripted", ServerOptions(port=0, drain_s=0.2))
    await server.start()
    try:
        yield server.url
    finally:
        await server.stop()


def command(project: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tithe", "agent", "code", GOAL, "--dir", str(project), *arguments]


def environment(project: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "TITHE_"))}
    return kept | {"TITHE_DB": str(project.parent / "record.db"), "COLUMNS": "100"} | more


def ran(project: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(project, *arguments),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment(project, **more),
    )


async def run(
    project: Path, answer: Callable[[Request], Script], *arguments: str
) -> subprocess.CompletedProcess[str]:
    async with served(answer) as url:
        flags = ("--url", url, "--test", TEST, *arguments)
        return await asyncio.to_thread(ran, project, *flags)


def contents(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


async def test_the_fix_is_shown_and_the_files_stay_as_they_are(project: Path) -> None:
    before = contents(project)
    ended = await run(project, in_turn(FIXING))
    assert ended.returncode == 0, ended.stderr
    assert "add subtracted" in ended.stdout
    assert "Done, and vouched for; " in ended.stdout
    assert "The tests pass." in ended.stdout
    assert ended.stdout.endswith(DIFF)
    assert contents(project) == before
    for told in (
        "which gets to see the files",
        f"Tests: {TEST}",
        "run_tests()  [exit status 1",
        "edit_file(",
        "accept: ",
    ):
        assert told in ended.stderr
    assert "Nothing was applied. Say --yes" in ended.stderr
    assert "tithe ledger" in ended.stderr


async def test_yes_applies_it_and_the_record_has_the_run(project: Path) -> None:
    ended = await run(project, in_turn(FIXING), "--yes", "--json", "--plain", "--budget", "1m")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["answer"], told["stopped"], told["vouched"]) == ("add subtracted", "answered", True)
    assert (told["diff"], told["changed"], told["tests"], told["applied"]) == (DIFF, ["calc.py"], [], True)
    assert (told["steps"], told["calls"], told["budget_s"]) == (4, 4, 60.0)
    assert contents(project)["calc.py"] == NEW
    assert sorted(contents(project)) == ["calc.py", "test_calc.py"]
    with Store.open(project.parent / "record.db") as store:
        [kept] = store.task_records()
    assert kept.name == "code"
    assert [span.name for span in kept.spans if span.kind == "tool"] == [
        "run_tests",
        "read_file",
        "edit_file",
        "finish",
    ]
    assert sum(span.kind == "call" for span in kept.spans) == 4
    assert all(span.end is not None for span in kept.spans)


async def test_the_project_is_asked_for_its_usual_tests(project: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    async with served(in_turn(FIXING)) as url:
        ended = await asyncio.to_thread(ran, project, "--json", OPENAI_BASE_URL=url, PATH=path)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["test"] == "python3 -m pytest -q"
    assert json.loads(ended.stdout)["vouched"]
    assert json.loads(ended.stdout)["applied"] is False


@pytest.mark.parametrize(("typed", "applied"), [("y\n", True), ("\n", False), ("no\n", False)])
async def test_a_person_is_asked(project: Path, typed: str, applied: bool) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())

    def asked(url: str) -> subprocess.CompletedProcess[str]:
        flags = ("--url", url, "--test", TEST, "--plain")
        return subprocess.run(command(project, *flags), capture_output=True, text=True, timeout=120, check=False, stdin=theirs, env=environment(project))  # fmt: skip

    try:
        async with served(in_turn(FIXING)) as url:
            ended = await asyncio.to_thread(asked, url)
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 0, ended.stderr
    assert f"Apply this to {project}? [y/N]" in ended.stderr
    assert contents(project)["calc.py"] == (NEW if applied else OLD)


async def test_a_file_that_changed_meanwhile_is_not_overwritten(project: Path) -> None:
    def answer(request: Request) -> Script:
        (project / "calc.py").write_text("mine = 1\n")
        return in_turn(FIXING)(request)

    ended = await run(project, answer, "--yes", "--plain")
    assert ended.returncode == 2
    assert "calc.py changed in" in ended.stderr
    assert "nothing was written there" in ended.stderr
    assert ended.stdout.endswith(DIFF)
    assert contents(project)["calc.py"] == "mine = 1\n"


async def test_a_model_that_refuses_leaves_everything_as_it_is(project: Path) -> None:
    refusing = Script(deltas=[TextDelta(at=0.0, text="I cannot help with that.")])
    ended = await run(project, lambda _: refusing, "--yes", "--budget", "30s")
    assert ended.returncode == 1
    assert "There is no answer." in ended.stdout
    assert "the model went in circles" in ended.stdout
    assert contents(project)["calc.py"] == OLD


async def test_at_the_deadline_what_there_is_is_shown_and_not_applied(project: Path) -> None:
    (project / "test_calc.py").write_text("import time\n\n\ndef test_it():\n    time.sleep(600)\n")
    ended = await run(
        project, in_turn(FIXING[2:3] + FIXING[:1]), "--yes", "--json", "--plain", "--budget", "3s"
    )
    assert ended.returncode == 1
    told = json.loads(ended.stdout)
    assert (told["answer"], told["stopped"], told["applied"]) == (None, "out of time", False)
    assert told["next"] == "run run_tests, then ask the model for step 3"
    assert told["diff"] == DIFF
    assert contents(project)["calc.py"] == OLD
    # Its ledger ends where it ended.
    with Store.open(project.parent / "record.db") as store:
        [kept] = store.task_records()
    assert all(span.end is not None for span in kept.spans)


async def test_an_answer_whose_tests_do_not_end_in_time_is_shown_and_not_applied(project: Path) -> None:
    (project / "test_calc.py").write_text("import time\n\n\ndef test_it():\n    time.sleep(600)\n")
    ended = await run(project, in_turn(FIXING[2:]), "--yes", "--plain", "--budget", "3s")
    assert ended.returncode == 1, ended.stderr
    assert "Done, and nothing vouches for it" in ended.stdout
    assert "The tests did not come to their end in time." in ended.stdout
    assert ended.stdout.endswith(DIFF)
    assert "Nothing was applied.\n" in ended.stderr
    assert contents(project)["calc.py"] == OLD


async def test_an_endpoint_that_fails_is_told(project: Path) -> None:
    failing = Script(error=EngineError("The engine is broken."))
    ended = await run(project, lambda _: failing, "--plain", "--budget", "20s")
    assert ended.returncode == 1
    assert "The engine is broken." in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_change_to_the_tests_is_pointed_out(project: Path) -> None:
    cheat = call("edit_file", path="test_calc.py", old="    assert add(2, 3) == 5", new="    assert True")
    ended = await run(project, in_turn([cheat, call("finish", summary="passes")]))
    assert ended.returncode == 0
    assert "It changed tests: test_calc.py." in ended.stdout


async def test_the_diff_that_is_printed_can_be_applied(project: Path) -> None:
    (project / "Makefile").write_text("all:\n\techo  \n\n\techo\r\n\nend:\n")
    edit = call("edit_file", path="Makefile", old="all:", new="\ttab  \nall: \x1b[2J")

    def applied(url: str) -> None:
        asked = command(project, "--url", url, "--test", TEST, "--plain")
        ended = subprocess.run(asked, capture_output=True, timeout=120, check=True, stdin=subprocess.DEVNULL, env=environment(project))  # fmt: skip
        assert b"\x1b" not in ended.stderr
        git = ["git", "-C", str(project), "apply", "--whitespace=nowarn", "-"]
        alone = environment(project, GIT_CEILING_DIRECTORIES=str(project.parent))
        subprocess.run(git, input=ended.stdout, check=True, env=alone)

    async with served(in_turn([FIXING[2], edit, FIXING[3]])) as url:
        await asyncio.to_thread(applied, url)
    after = (project / "Makefile").read_bytes()
    assert after == b"\ttab  \nall: \x1b[2J\n\techo  \n\n\techo\r\n\nend:\n"
    assert contents(project)["calc.py"] == NEW


async def test_under_tithe_record_it_is_recorded_once_and_there(project: Path) -> None:
    elsewhere = project.parent / "other.db"
    recording = [sys.executable, "-m", "tithe", "record", "--db", str(elsewhere), "--quiet", "--"]

    def recorded(url: str) -> subprocess.CompletedProcess[str]:
        under = [*recording, *command(project, "--test", TEST, "--plain")]
        return subprocess.run(under, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL, env=environment(project, OPENAI_BASE_URL=url))  # fmt: skip

    async with served(in_turn(FIXING)) as url:
        ended = await asyncio.to_thread(recorded, url)
    assert ended.returncode == 0, ended.stderr
    with Store.open(elsewhere) as store:
        [kept] = store.task_records()
    assert sum(span.kind == "call" for span in kept.spans) == 4
    assert not (project.parent / "record.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--url", "http://127.0.0.1:1/v1", "--budget", "2"], "--budget is '2', without its unit"),
        (["--url", "http://127.0.0.1:1/v1", "--budget", "0s"], "--budget is 0: give more than 0"),
        (["--url", "http://127.0.0.1:1/v1", "--command-timeout", "0s"], "--command-timeout is 0"),
        (["--url", "http://127.0.0.1:1/v1", "--command-memory", "nan"], "--command-memory is nan"),
        (["--url", "http://127.0.0.1:1/v1", "--db", "/dev/null/r.db"], "/dev/null/r.db"),
        (["--url", "http://127.0.0.1:1/v1", "--model", "m", "--budget", "3s"], "took no connection"),
        (["--url", "ftp://here"], "not an endpoint's URL"),
        ([], "No endpoint is named: give its base URL with --url, or set OPENAI_BASE_URL"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(project: Path, arguments: list[str], says: str) -> None:
    ended = ran(project, *arguments)
    assert ended.returncode in (1, 2)
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("tithe: ")


@pytest.mark.parametrize("folder", ["none", "calc.py"])
def test_a_folder_that_is_none_is_told(project: Path, folder: str) -> None:
    ended = ran(project / folder, "--url", "http://127.0.0.1:1/v1", TITHE_DB=str(project.parent / "r.db"))
    assert ended.returncode == 2
    assert ended.stderr == f"tithe: {project / folder} is no folder.\n"


async def test_ctrl_c_ends_it_with_all_it_started(project: Path, tmp_path: Path) -> None:
    (project / "test_calc.py").write_text(
        "import os, time\n\n\ndef test_it():\n    open('own', 'w').write(f'{os.getpid()}.')\n    time.sleep(600)\n"
    )
    copies = tmp_path / "copies"
    copies.mkdir()
    async with served(in_turn(FIXING)) as url:
        process = await asyncio.create_subprocess_exec(
            *command(project, "--url", url, "--test", TEST),
            env=environment(project, TMPDIR=str(copies)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        own = await asyncio.to_thread(_written, copies)
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert process.returncode == 130
    assert said.endswith(b"tithe: Interrupted.\n")
    assert list(copies.iterdir()) == []
    assert await asyncio.to_thread(_is_gone, own)


def _written(copies: Path) -> int:
    """The number of the process that runs the tests, once it has written it down."""
    for _ in range(3000):
        for file in copies.glob("*/way-1/own"):
            if (text := file.read_text()).endswith("."):
                return int(text[:-1])
        time.sleep(0.01)
    pytest.fail("the tests did not begin within 30 seconds")


def _is_gone(process: int) -> bool:
    """Whether it has ended; one that nobody has asked after yet has."""
    for _ in range(1000):
        listed = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
        )
        if listed.stdout.strip()[:1] in ("", "Z"):
            return True
        time.sleep(0.01)
    return False
