"""Tools of agents that say little or nothing of themselves, recorded as any agent is: what is told of their time is true."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tithe.ledger import Ledger, make_ledger
from tithe.net.scripted import Reply, ScriptedServer
from tithe.trace import Store

# Two tools of one answer, one after the other.
AGENT = """
import sys, time, openai
from concurrent.futures import ThreadPoolExecutor
from tithe.trace import step, task, tool

how = sys.argv[1]
def run(call):
    time.sleep({"search": 0.3, "read": 0.5}[call.function.name])
    return "found"
def named(call):
    with tool(call.function.name):
        return run(call)
def half(call):
    return named(call) if call.function.name == "read" else run(call)
work = {"says nothing": run, "says half": half}.get(how, named)
client = openai.OpenAI(max_retries=0)
messages = [{"role": "user", "content": "go"}]
tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("search", "read")]
def loop():
    while True:
        answer = client.chat.completions.create(model="m", messages=messages, tools=tools).choices[0].message
        messages.append(answer.model_dump(exclude_none=True))
        if not answer.tool_calls:
            return
        with ThreadPoolExecutor(2 if how == "in threads" else 1) as pool:
            results = list(pool.map(work, answer.tool_calls))
        for call, result in zip(answer.tool_calls, results):
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
if how == "in a task":
    with task("agent"), step("plan"):
        loop()
else:
    loop()
if how == "afterwards":
    time.sleep(0.05)
    with tool("write"):
        time.sleep(0.1)
"""


def answer(*calls: str) -> Reply:
    message: dict[str, Any] = {"role": "assistant", "content": None if calls else "done"}
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": "{}"}}
            for name in calls
        ]
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
    }
    return Reply(chunks=[(0.1, json.dumps(body).encode())], headers={"content-type": "application/json"})


async def recorded(folder: Path, how: str) -> tuple[Store, str]:
    """The record of one run, and what was said at its end."""
    script, db = folder / "agent.py", folder / "record.db"
    script.write_text(AGENT, "utf-8")
    async with ScriptedServer(answer("search", "read"), answer()) as server:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tithe", "record", "--db", str(db), "--upstream", f"{server.url}/v1"),
            *("--", sys.executable, str(script), how),
            env={**os.environ, "OPENAI_API_KEY": "none", "COLUMNS": "100"},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await child.communicate()
    assert child.returncode == 0, said.decode()
    return Store.open(db, write=False), said.decode()


def the_ledger(store: Store) -> Ledger:
    ledger = make_ledger(store.task("last"))
    assert sum(entry.wall_s for entry in ledger.entries) == pytest.approx(ledger.wall_s, abs=1e-6)
    return ledger


async def test_from_outside_each_tool_has_the_whole_gap_as_its_bound(tmp_path: Path) -> None:
    store, said = await recorded(tmp_path, "says nothing")
    with store:
        ledger = the_ledger(store)
    gap = ledger.bucket_s("tool")
    assert gap >= 0.8
    assert {row.name for row in ledger.tools} == {"search", "read"}
    for row in ledger.tools:
        assert (row.runs, row.outside, row.together) == (1, 1, 1)
        assert row.wall_s == pytest.approx(gap)
        assert row.saves_s == pytest.approx(gap)
    assert ledger.outside == {"tool"}
    assert ledger.steps[0].tools == ("search", "read")
    [unchecked] = ledger.unchecked
    assert (unchecked.kind, unchecked.count) == ("serial tools", 1)
    assert "tools ≤ " in said


async def test_a_tool_that_is_not_reported_beside_one_that_is_has_its_bound(tmp_path: Path) -> None:
    store, _ = await recorded(tmp_path, "says half")
    with store:
        ledger = the_ledger(store)
    rows = {row.name: row for row in ledger.tools}
    assert (rows["search"].outside, rows["read"].outside) == (1, 0)
    assert rows["search"].wall_s >= 0.8 > rows["read"].busy_s
    assert ledger.bucket_s("overhead") < 0.2


async def test_tools_of_threads_stand_beside_each_other(tmp_path: Path) -> None:
    store, _ = await recorded(tmp_path, "in threads")
    with store:
        ledger = the_ledger(store)
    rows = {row.name: row for row in ledger.tools}
    assert rows["search"].busy_s >= 0.3
    assert rows["read"].busy_s >= 0.5
    assert rows["search"].saves_s < 0.1, "the other one is waited for all the same"


async def test_a_task_of_which_no_call_was_seen_is_a_task(tmp_path: Path) -> None:
    script, db = tmp_path / "agent.py", tmp_path / "record.db"
    script.write_text(
        "from tithe.trace import task, tool\nwith task('mine'):\n    with tool('work'): pass\n", "utf-8"
    )
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tithe", "record", "--db", str(db), "--upstream", "http://127.0.0.1:9/v1"),
        *("--", sys.executable, str(script)),
        env={**os.environ, "COLUMNS": "100"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await child.communicate()
    assert "with task(" not in said.decode()
    with Store.open(db, write=False) as store:
        assert the_ledger(store).name == "mine"


async def test_tools_outside_of_any_task_are_part_of_the_one_that_asked_for_them(tmp_path: Path) -> None:
    store, said = await recorded(tmp_path, "says little")
    with store:
        [task] = store.tasks()
        ledger = the_ledger(store)
    assert "recorded 1 task" in said
    assert (task.calls, task.tools) == (2, 2)
    rows = {row.name: row for row in ledger.tools}
    assert rows["search"].outside == rows["read"].outside == 0
    assert 0.3 <= rows["search"].wall_s <= rows["read"].wall_s
    # No call ids, and still they are known to be of one answer.
    [item] = ledger.tax
    assert (item.kind, item.count) == ("serial tools", 1)
    assert item.saves_s == pytest.approx(rows["search"].wall_s)
    assert ledger.unchecked == ()


async def test_a_step_has_its_name(tmp_path: Path) -> None:
    store, _ = await recorded(tmp_path, "in a task")
    with store:
        ledger = the_ledger(store)
    assert [row.name for row in ledger.steps] == ["plan"]
    assert ledger.steps[0].tools == ("search", "read")


async def test_a_tool_that_no_calls_lie_around_is_a_task_that_is_not_the_last(tmp_path: Path) -> None:
    store, said = await recorded(tmp_path, "afterwards")
    with store:
        tasks = store.tasks()
        assert [(task.calls, task.tools) for task in tasks] == [(0, 1), (2, 2)]
        assert store.find("last") == tasks[1].id
        [note] = make_ledger(store.task(tasks[0].id)).notes
    assert "with task(...)" in note
    assert "with task(...)" in said
