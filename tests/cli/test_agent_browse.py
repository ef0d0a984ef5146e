"""`tithe agent browse` as a process: a scripted model behind a real socket, real Chromium, a page that the test serves."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tithe.core import Request, Script, ScriptedBackend, ToolCallDelta
from tithe.net.options import ServerOptions
from tithe.net.server import Server
from tithe.trace import Store

CHROMIUM = shutil.which("chromium")
GOAL = "What does it cost?"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: .ci/run installs it")


def script(request: Request) -> Script:
    """Reads, follows the first link, and answers with the number that it finds."""
    taken = sum(message.role == "assistant" for message in request.messages)
    tree = request.messages[-1].content or ""
    link = re.search(r"link .*\[ref=(\w+)\]", tree)
    number = re.search(r"It is (\d+)", tree)
    name, arguments = (
        ("read_page", {}),
        ("click", {"ref": link[1] if link else "e0"}),
        ("final_answer", {"answer": number[1] if number else "unknown"}),
    )[min(taken, 2)]
    delta = ToolCallDelta(at=0, call=0, id=f"c{taken}", name=name, arguments=json.dumps(arguments))
    return Script(deltas=[delta], ttft=0.05, finish="tool_calls")


@pytest.fixture
async def endpoint() -> AsyncIterator[str]:
    server = Server(ScriptedBackend(script), "scripted", ServerOptions(port=0, drain_s=0.2))
    await server.start()
    yield server.url
    await server.stop()


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def served(request: web.Request) -> web.Response:
        text = "<p>It is 12.</p>" if request.path == "/price" else "<a href='/price'>Price</a>"
        return web.Response(text=text, content_type="text/html")

    application = web.Application()
    application.router.add_get("/{path:.*}", served)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def ran(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "TITHE_"))}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tithe", "agent", "browse", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=kept | {"TITHE_DB": str(tmp_path / "record.db"), "COLUMNS": "100"},
    )


async def test_the_answer_and_who_took_the_time_are_printed(site: str, endpoint: str, tmp_path: Path) -> None:
    done = await ran(tmp_path, site, GOAL, "--url", endpoint, "--no-sandbox", "--plain")
    assert done.returncode == 0, done.stderr
    assert "12\n" in done.stdout
    assert re.search(r"Of that the page took [\d.]+ m?s, and the model [\d.]+ m?s\.", done.stdout)
    assert f"It ended at {site}price" in done.stdout
    table = [line.split() for line in done.stdout.splitlines()[-3:]]
    assert [row[:-3] for row in table] == [["1", "read_page"], ["2", "click"], ["3"]]
    assert all(re.fullmatch(r"\d+\.\d\d", figure) for row in table for figure in row[-3:])
    assert "which gets to see the pages" in done.stderr
    with Store.open(tmp_path / "record.db") as store:
        task = store.task("last")
    kinds = [(span.kind, span.name) for span in task.spans if span.kind in ("task", "tool")]
    assert kinds == [("task", "browse"), ("tool", "read_page"), ("tool", "click"), ("tool", "final_answer")]


async def test_json_has_it_all_in_one_object(site: str, endpoint: str, tmp_path: Path) -> None:
    done = await ran(tmp_path, site, GOAL, "--url", endpoint, "--no-sandbox", "--plain", "--json")
    told = json.loads(done.stdout)
    assert (told["answer"], told["stopped"], told["steps"]) == ("12", "answered", 3)
    assert (told["page"], told["ended"]) == (site, f"{site}price")
    assert 0 < told["page_s"] < told["wall_s"]
    assert 0.15 <= told["model_s"] < told["wall_s"]
    steps = told["step_times"]
    assert [(each["step"], each["kind"], each["tools"]) for each in steps] == [
        (1, "step", ["read_page"]),
        (2, "step", ["click"]),
        (3, "step", []),
    ]
    for part in ("page_s", "model_s"):
        assert sum(each[part] for each in steps) == pytest.approx(told[part])
        assert all(each[part] <= each["wall_s"] for each in steps)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("example.com", GOAL, "--no-sandbox"), "is no web address"),
        (("http://127.0.0.1:9/", " ", "--no-sandbox"), "The goal is empty"),
        (("http://127.0.0.1:9/", GOAL, "--chromium", "/no/such"), "there is no such file"),
        (("http://127.0.0.1:9/", GOAL, "--budget", "0s"), "give more than 0"),
    ],
)
async def test_a_mistake_is_told(endpoint: str, tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    done = await ran(tmp_path, *arguments, "--url", endpoint)
    assert done.returncode == 2
    assert why in " ".join(done.stderr.split())
