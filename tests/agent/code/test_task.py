"""The agent for code over a real socket: a scripted model, real files, real test runs."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tithe.agent import Outcome
from tithe.agent.code import CodeTask, Limits
from tithe.agent.progress import Event, ToolUsed, WayBegun
from tithe.core import Request, Script, ScriptedBackend, TextDelta, ToolCallDelta
from tithe.core.errors import UsageError
from tithe.net.options import ServerOptions
from tithe.net.remote import RemoteBackend
from tithe.net.server import Server

TEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"
FIX = {"path": "calc.py", "old": "    return a - b", "new": "    return a + b"}

Answer = Callable[[Request], Script]


def calls(*asked: tuple[str, dict[str, Any]]) -> Script:
    deltas = [
        ToolCallDelta(at=0.0, call=number, id=f"c{number}", name=name, arguments=json.dumps(arguments))
        for number, (name, arguments) in enumerate(asked)
    ]
    return Script(deltas=deltas, finish="tool_calls")


def says(text: str) -> Script:
    return Script(deltas=[TextDelta(at=0.0, text=text)])


def in_turn(*scripts: Script) -> Answer:
    """The model's answers one after the other, whatever it is told; the last one again and again."""
    return lambda request: scripts[
        min(sum(m.role == "assistant" for m in request.messages), len(scripts) - 1)
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    (root / "test_calc.py").write_text(
        "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
    )
    return root


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def begin(project: Path, events: list[Event]) -> Iterator[Callable[..., CodeTask]]:
    made: list[CodeTask] = []

    def task(**more: Any) -> CodeTask:
        given = {"test": TEST, "environment": {"PATH": os.environ["PATH"]}, "tell": events.append} | more
        made.append(CodeTask(project, **given))
        return made[-1]

    yield task
    for each in made:
        each.close()


@pytest.fixture
def ask() -> Callable[..., Any]:
    async def run(task: CodeTask, answer: Answer, *, budget: float = 60.0, **more: Any) -> Outcome:
        scripted = ScriptedBackend(answer)
        server = Server(scripted, "scripted", ServerOptions(port=0, drain_s=0.2))
        await server.start()
        backend = RemoteBackend(server.url)
        try:
            return await task.agent(backend, "scripted", **more).run("fix the failing test", budget)
        finally:
            await task.settled()
            await backend.aclose()
            await server.stop()

    return run


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def tool_texts(outcome: Outcome) -> list[str]:
    return [str(message.content) for message in outcome.messages if message.role == "tool"]


@pytest.mark.parametrize("plain", [True, False])
async def test_the_failing_test_is_fixed(begin, ask, project: Path, events: list[Event], plain: bool) -> None:
    task = begin()
    script = in_turn(
        calls(("run_tests", {})),
        calls(("search", {"pattern": "def add"}), ("read_file", {"path": "calc.py"})),
        calls(("edit_file", FIX)),
        calls(("finish", {"summary": "add subtracted"})),
    )
    outcome = await ask(task, script, plain=plain)
    assert (outcome.answer, outcome.stopped, outcome.vouched) == ("add subtracted", "answered", True)
    tests, search, read, edit, _ = tool_texts(outcome)
    assert "assert -1 == 5" in tests
    assert search == "calc.py:1: def add(a, b):"
    assert read == "1  def add(a, b):\n2      return a - b"
    assert edit.startswith("Edited calc.py:")
    changes = task.changes(outcome)
    assert changes.diff == (
        "--- a/calc.py\n+++ b/calc.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n"
    )
    assert "a - b" in (project / "calc.py").read_text()
    task.apply(changes)
    assert (project / "calc.py").read_text() == "def add(a, b):\n    return a + b\n"
    assert names(project) == {"calc.py", "test_calc.py"}
    assert isinstance(events[0], WayBegun)
    assert [each.name for each in events if isinstance(each, ToolUsed)][-2:] == ["edit_file", "finish"]


async def test_an_answer_that_the_tests_do_not_bear_out_is_not_taken(begin, ask) -> None:
    script = in_turn(
        calls(("finish", {"summary": "all is well"})),
        calls(("edit_file", FIX)),
        calls(("finish", {"summary": "now it is"})),
    )
    outcome = await ask(begin(), script)
    assert outcome.answer == "now it is"
    [fault] = outcome.faults
    assert fault.kind == "failed check"
    assert "the tests do not pass" in fault.words
    assert "assert -1 == 5" in fault.words


async def test_nothing_outside_is_read_or_written(begin, ask, project: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (project / "way_out").symlink_to(tmp_path)
    (project / ".git").mkdir()
    (project / ".git" / "config").write_text("[core]\n")
    paths = (
        "../secret.txt",
        str(tmp_path / "secret.txt"),
        "way_out/secret.txt",
        ".git/config",
        ".git/hooks/pre-commit",
    )
    asked = [(name, {"path": path} | more) for path in paths for name, more in (
        ("read_file", {}), ("edit_file", {"old": "secret", "new": "mine"}), ("write_file", {"text": "mine"})
    )]  # fmt: skip
    asked += [("write_file", {"path": f"{path}/new", "text": "mine"}) for path in ("..", str(tmp_path))]
    task = begin(test=None)
    outcome = await ask(task, in_turn(calls(*asked), calls(("finish", {"summary": "tried"}))), plain=True)
    told = tool_texts(outcome)
    refusals = [
        text for text in told if "leads out" in text or "left alone" in text or "There is no file" in text
    ]
    # way_out leads out, so it is not in the copy: a file of that name can be made there, and is none of the folder's.
    assert len(refusals) == len(asked) - 1
    assert "secret" not in "".join(told).replace("secret.txt", "")
    with pytest.raises(UsageError, match="leads out"):
        task.apply(task.changes(outcome))
    assert names(tmp_path) == {"project", "secret.txt"}
    assert (tmp_path / "secret.txt").read_text() == "secret"
    assert names(project / ".git") == {"config"}


async def test_a_command_is_run_only_where_that_is_allowed(begin, ask) -> None:
    script = in_turn(
        calls(("run_command", {"command": "echo hello"})), calls(("finish", {"summary": "done"}))
    )
    refused = await ask(begin(test=None), script, plain=True)
    assert refused.faults[0].kind == "unknown tool"
    allowed = await ask(begin(test=None, commands=True), script, plain=True)
    assert tool_texts(allowed)[0].startswith("hello\n[exit status 0")


async def test_a_model_that_refuses_gives_no_answer(begin, ask) -> None:
    task = begin()
    outcome = await ask(task, in_turn(says("I cannot help with that.")), budget=30)
    assert outcome.answer is None
    assert outcome.stopped == "stuck"
    assert {fault.kind for fault in outcome.faults} == {"no call"}
    assert outcome.ways > 1
    assert task.changes(outcome).changes == ()


async def test_the_deadline_ends_what_runs(begin, ask, project: Path) -> None:
    (project / "test_calc.py").write_text(
        "import os, time\n\n\ndef test_it():\n    open('own', 'w').write(str(os.getpid()))\n    time.sleep(600)\n"
    )
    task = begin(limits=Limits(seconds=300))
    script = in_turn(calls(("edit_file", FIX)), calls(("run_tests", {})))
    outcome = await ask(task, script, budget=4.0, plain=True)
    assert (outcome.answer, outcome.stopped) == (None, "out of time")
    assert outcome.wall_s < 60
    assert outcome.next == "run run_tests, then ask the model for step 3"
    # What there was by then can be seen.
    assert [change.path for change in task.changes(outcome).changes] == ["calc.py"]


async def test_ways_that_change_the_same_agree(begin, ask) -> None:
    """Without tests nothing vouches for an answer but a second way."""
    task = begin(test=None)
    script = in_turn(calls(("edit_file", FIX)), calls(("finish", {"summary": "done"})))
    outcome = await ask(task, script, budget=30)
    assert outcome.vouched
    assert outcome.ways == 2
    assert "+    return a + b" in task.changes(outcome).diff


async def test_a_run_that_ends_before_its_copy_is_made_has_changed_nothing(begin, ask) -> None:
    held = threading.Event()

    def waiting(event: Event) -> None:
        if isinstance(event, WayBegun):
            held.wait(30)

    task = begin(tell=waiting)
    outcome = await ask(task, in_turn(calls(("run_tests", {}))), budget=0.3)
    assert (outcome.stopped, outcome.answer, outcome.ways) == ("out of time", None, 0)
    assert task.changes(outcome).changes == ()
    closing = asyncio.create_task(asyncio.to_thread(task.close))
    held.set()
    await closing


def test_after_its_end_no_copy_is_made(begin, tmp_path: Path, monkeypatch) -> None:
    """A run does not wait for a copy that comes too late: it is not to stay behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    task = begin()
    copying = [threading.Thread(target=_environment, args=(task,)) for _ in range(4)]
    for each in copying:
        each.start()
    task.close()
    for each in copying:
        each.join()
    assert not list(tmp_path.glob("tithe-*"))
    with pytest.raises(UsageError, match="over"):
        task.environment()


def _environment(task: CodeTask) -> None:
    with contextlib.suppress(UsageError):
        task.environment()
