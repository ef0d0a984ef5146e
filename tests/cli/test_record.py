"""The command itself, in a process of its own, with real agents against a scripted server."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tithe.cli.record import shown_command
from tithe.core import Span
from tithe.net.scripted import Reply, ScriptedServer
from tithe.trace import SILENT_S, Store

PYTHON = sys.executable
ASK = "import openai; c = openai.OpenAI(max_retries=0)\n"
CALL = "c.chat.completions.create(model='m', messages=[{'role': 'user', 'content': %r}])\n"
KEY = "sk-a-key-that-is-in-no-file"


def completion(text: str = "yes", tool_calls: list[Any] | None = None, **more: Any) -> Reply:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if tool_calls is not None:
        message["tool_calls"] = tool_calls
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }
    return Reply(
        chunks=[(0.0, json.dumps(body).encode())], headers={"content-type": "application/json"}, **more
    )


class Tithe:
    """`tithe record` with a record of its own."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "record.db"
        self.started: list[asyncio.subprocess.Process] = []

    async def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> asyncio.subprocess.Process:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENAI", "OTEL", "ANTHROPIC"))
        }
        process = await asyncio.create_subprocess_exec(
            *(PYTHON, "-m", "tithe", "record", *arguments),
            env={**kept, "TITHE_DB": str(self.db), "OPENAI_API_KEY": KEY, **(env or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            **options,
        )
        self.started.append(process)
        return process

    async def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> tuple[int | None, str, str]:
        process = await self.start(*arguments, env=env)
        out, err = await process.communicate(stdin)
        return process.returncode, out.decode(), err.decode()

    def spans(self) -> list[Span]:
        with Store.open(self.db, write=False) as store:
            spans = [span for record in store.task_records() for span in record.spans]
        return sorted((span for span in spans if span.kind == "attempt"), key=lambda span: span.start)


@pytest.fixture
async def tithe(tmp_path: Path) -> AsyncIterator[Tithe]:
    made = Tithe(tmp_path)
    yield made
    for process in made.started:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def test_a_commands_streams_and_status_are_its_own(tithe: Tithe) -> None:
    script = "import sys; print('out', sys.stdin.read()); print('err', file=sys.stderr); sys.exit(7)"
    status, out, err = await tithe.run("--quiet", "--", PYTHON, "-c", script, stdin=b"in")
    assert (status, out, err) == (7, "out in\n", "err\n")


async def test_a_loop_is_recorded_and_told_on_standard_error(tithe: Tithe) -> None:
    agent = ASK + CALL % "first" + CALL % "a second one"
    async with ScriptedServer(completion()) as server:
        status, out, err = await tithe.run(
            "--name", "my run", "--", PYTHON, "-c", agent, env={"OPENAI_BASE_URL": server.url}
        )
        assert [each.target for each in server.received] == ["/v1/chat/completions"] * 2
        assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
    assert (status, out) == (0, "")
    assert "recorded 2 tasks" in err
    assert "my run" in err
    assert "tithe ledger" in err
    assert [span.attributes["tithe.relation"] for span in tithe.spans()] == ["new", "new"]
    written = b"".join(path.read_bytes() for path in tithe.db.parent.iterdir())
    assert KEY.encode() not in written
    assert b"a second one" not in written


async def test_one_upstream_for_every_library(tithe: Tithe) -> None:
    agent = (
        ASK
        + CALL % "first"
        + (
            "import anthropic\n"
            "try:\n"
            "    anthropic.Anthropic(max_retries=0, api_key='k').messages.create("
            "model='m', max_tokens=3, messages=[{'role': 'user', 'content': 'x'}])\n"
            "except anthropic.APIError:\n"
            "    pass\n"
        )
    )
    async with ScriptedServer(completion()) as server:
        status, _, err = await tithe.run("--upstream", server.url, "--json", "--", PYTHON, "-c", agent)
        assert [each.target for each in server.received] == ["/v1/chat/completions", "/v1/messages"]
    assert status == 0, err
    told = json.loads(err)
    assert (told["exit_status"], told["failures"], len(told["tasks"])) == (0, [], 2)


async def test_nothing_recorded_is_said(tithe: Tithe) -> None:
    status, _, err = await tithe.run("--", PYTHON, "-c", "pass")
    assert status == 0
    assert "nothing was recorded" in err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--", "no-such-command-here"), 127, "no-such-command-here: there is no such command"),
        (("--", "/"), 126, "cannot be run"),
        ((), 2, "Give a command"),
        (("--foo", "--", "ls"), 2, "Unknown option --foo: `tithe record --help`"),
        (("--upstraem=http://x", "--", "ls"), 2, "Unknown option --upstraem:"),
        (("--upstream", "http://a b", "--", "true"), 2, "'http://a b' is not an endpoint's URL"),
        (("--upstream", "http://[::1", "--", "true"), 2, "not an endpoint's URL"),
        (("--listen", "--", "true"), 2, "not both"),
        (("--upstream", "ftp://x", "--", "true"), 2, "not an endpoint's URL"),
        (("--host", "0.0.0.0", "--", "true"), 2, "other machines"),
    ],
)
async def test_what_cannot_be_run_is_told(
    tithe: Tithe, arguments: tuple[str, ...], status: int, said: str
) -> None:
    got, _, err = await tithe.run(*arguments)
    assert got == status
    assert said in err
    assert "Traceback" not in err


async def test_a_command_that_a_signal_ends_is_128_and_the_signal_and_what_it_did_is_kept(
    tithe: Tithe,
) -> None:
    agent = ASK + CALL % "first" + "import os; os.kill(os.getpid(), 11)"
    async with ScriptedServer(completion()) as server:
        status, _, err = await tithe.run("--", PYTHON, "-c", agent, env={"OPENAI_BASE_URL": server.url})
    assert status == 128 + 11
    assert "recorded 1 task" in err
    assert len(tithe.spans()) == 1


async def wait_for(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about within twenty seconds")


async def test_ctrl_c_ends_the_agent_and_loses_nothing(tithe: Tithe) -> None:
    agent = ASK + CALL % "first" + CALL % "a second one that hangs"
    async with ScriptedServer(completion(), completion(head_after=60.0)) as server:
        process = await tithe.start("--", PYTHON, "-c", agent, env={"OPENAI_BASE_URL": server.url})
        await wait_for(lambda: len(server.received) == 2)
        os.killpg(process.pid, signal.SIGINT)
        _, err = await process.communicate()
        await wait_for(lambda: server.hung_up == 1)
    assert process.returncode == 130
    assert b"KeyboardInterrupt" in err  # the agent's own
    assert b"recorded 2 tasks" in err
    assert [span.error for span in tithe.spans()] == [None, "client_closed"]


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2])
async def test_ctrl_c_as_the_agent_ends_leaves_its_status_and_the_summary(
    tithe: Tithe, after_s: float
) -> None:
    # Whoever sends it outlives the agent, by more or less.
    late = f"import os, sys, time; time.sleep({after_s}); os.kill(int(sys.argv[1]), 2)"
    agent = (
        ASK
        + CALL % "first"
        + f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', {late!r}, str(os.getppid())],"
        "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); os._exit(5)"
    )
    async with ScriptedServer(completion()) as server:
        status, _, err = await tithe.run("--", PYTHON, "-c", agent, env={"OPENAI_BASE_URL": server.url})
    assert status == 5
    assert "recorded 1 task" in err
    assert "Interrupted" not in err


async def test_an_agent_that_heeds_no_ctrl_c_is_ended_by_further_ones(tithe: Tithe) -> None:
    agent = (
        "import signal, time; signal.signal(2, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    process = await tithe.start("--", PYTHON, "-c", agent)
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.readline()
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        await asyncio.sleep(0.05)
    await process.stderr.readuntil(b"Ctrl-C once more ends it.")
    os.killpg(process.pid, signal.SIGINT)
    await process.communicate()
    assert process.returncode == 128 + signal.SIGKILL


async def test_a_terminal_that_is_closed_ends_the_agent_and_loses_nothing(tithe: Tithe) -> None:
    async with ScriptedServer(completion(head_after=60.0)) as server:
        process = await tithe.start(
            "--", PYTHON, "-c", ASK + CALL % "first", env={"OPENAI_BASE_URL": server.url}
        )
        await wait_for(lambda: len(server.received) == 1)
        os.killpg(process.pid, signal.SIGHUP)
        await process.communicate()
    assert process.returncode == 128 + signal.SIGHUP
    assert [span.error for span in tithe.spans()] == ["client_closed"]


async def test_sigterm_is_passed_on(tithe: Tithe) -> None:
    agent = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(9)); print('ready', flush=True); time.sleep(60)"
    process = await tithe.start("--", PYTHON, "-c", agent)
    assert process.stdout is not None
    await process.stdout.readline()
    process.terminate()
    await process.communicate()
    assert process.returncode == 9


async def test_a_recorder_that_is_killed_has_written_all_but_the_last_second(tithe: Tithe) -> None:
    agent = ASK + CALL % "first" + CALL % "second" + CALL % "a third one that hangs"
    async with ScriptedServer(completion(), completion(), completion(head_after=60.0)) as server:
        process = await tithe.start("--", PYTHON, "-c", agent, env={"OPENAI_BASE_URL": server.url})
        await wait_for(lambda: len(server.received) == 3)
        await asyncio.sleep(1.0)
        process.kill()
        await process.wait()
        os.killpg(process.pid, signal.SIGKILL)
    assert [span.end is None for span in tithe.spans()] == [False, False, True]
    with sqlite3.connect(tithe.db) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def listed(tithe: Tithe) -> list[Any]:
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, "-m", "tithe", "tasks", "--json", "--db", str(tithe.db)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return json.loads(out)["tasks"]


async def test_a_recorder_that_was_killed_is_told_from_one_that_runs(tithe: Tithe) -> None:
    async with ScriptedServer(completion(head_after=60.0)) as server:
        process = await tithe.start(
            "--", PYTHON, "-c", ASK + CALL % "one that hangs", env={"OPENAI_BASE_URL": server.url}
        )
        await wait_for(lambda: len(server.received) == 1)
        await asyncio.sleep(SILENT_S + 1.0)  # with nothing to write
        [running] = await listed(tithe)
        process.kill()
        await process.wait()
        os.killpg(process.pid, signal.SIGKILL)
    assert (running["finished"], running["recorder"]) == (False, "running")
    await asyncio.sleep(SILENT_S)
    [killed] = await listed(tithe)
    assert (killed["finished"], killed["recorder"]) == (False, "killed")


ASKS_A_TOOL = completion(
    tool_calls=[{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
)


@pytest.mark.parametrize(
    ("reply", "then", "says"),
    [
        (
            Reply(status=401, chunks=[(0.0, b'{"error": {"code": "bad_key"}}')]),
            "",
            ["The task failed: its last call, step 1, got HTTP 401 (bad_key)", "exited with status 1"],
        ),
        (
            ASKS_A_TOOL,
            "raise SystemExit(3)",
            ["asks for look, with nothing after it", "exited with status 3"],
        ),
        (
            ASKS_A_TOOL,
            "import os; os.kill(os.getpid(), 11)",
            ["asks for look, with nothing after it", "was ended by SIGSEGV", "ended with SIGSEGV"],
        ),
    ],
)
async def test_what_went_wrong_is_told_with_the_command_s_end(
    tithe: Tithe, reply: Reply, then: str, says: list[str]
) -> None:
    async with ScriptedServer(reply) as server:
        _, _, err = await tithe.run(
            "--", PYTHON, "-c", ASK + CALL % "first" + then, env={"OPENAI_BASE_URL": server.url}
        )
    told = " ".join(err.split())
    assert [each for each in says if each not in told] == []
    assert "avoidable: retries" not in told


async def test_listening_tells_where_and_ends_by_ctrl_c(tithe: Tithe) -> None:
    async with ScriptedServer(completion()) as server:
        process = await tithe.start("--listen", "--port", "0", "--json", "--upstream", server.url)
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        agent = await asyncio.create_subprocess_exec(
            *(PYTHON, "-c", ASK + CALL % "first"),
            env={**os.environ, **ready["variables"], "OPENAI_API_KEY": KEY},
        )
        assert await agent.wait() == 0
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert ready["variables"]["OPENAI_BASE_URL"] == f"{ready['url']}/openai/v1"
    [task] = json.loads(out)["tasks"]
    assert task["name"] == "OpenAI/Python, m"


async def test_what_listening_prints_to_export_has_the_agents_own_spans_too(tithe: Tithe) -> None:
    agent = "from tithe import trace\n" + ASK + "with trace.task('mend'):\n    " + CALL % "first"
    async with ScriptedServer(completion()) as server:
        process = await tithe.start("--listen", "--port", "0", "--upstream", server.url)
        assert process.stdout is not None
        said = (await process.stdout.readuntil(b"Ctrl-C ends it.")).decode()
        exports = "".join(line for line in said.splitlines(keepends=True) if "export " in line)
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'{exports}\nexec "$@"', "sh", PYTHON, "-c", agent),
            env={**os.environ, "OPENAI_API_KEY": KEY},
        )
        assert await shell.wait() == 0
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
    assert "recorded 1 task " in out.decode()
    assert "mend" in out.decode()


async def test_listening_to_nothing_is_told_so(tithe: Tithe) -> None:
    process = await tithe.start("--listen", "--port", "0")
    assert process.stdout is not None
    said = await process.stdout.readuntil(b"Ctrl-C ends it.")
    url = said.decode().partition("passes through ")[2].partition(",")[0]
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    assert f"nothing was recorded: no model was asked through {url}." in out.decode()


async def test_what_the_agent_says_itself_is_joined_with_what_was_seen(tithe: Tithe) -> None:
    agent = (
        "from tithe import trace\n"
        + ASK
        + "with trace.task('mend'):\n    with trace.step():\n        "
        + CALL % "first"
        + "        with trace.tool('look', call_id='call_1'):\n            pass\n"
    )
    async with ScriptedServer(completion()) as server:
        status, _, err = await tithe.run(
            "--json", "--", PYTHON, "-c", agent, env={"OPENAI_BASE_URL": server.url}
        )
    assert status == 0, err
    told = json.loads(err)
    assert [(task["name"], task["calls"], task["tools"]) for task in told["tasks"]] == [("mend", 1, 1)]


EXPORT = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
with provider.get_tracer("t").start_as_current_span("execute_tool look") as span:
    span.set_attribute("gen_ai.operation.name", "execute_tool")
    span.set_attribute("gen_ai.tool.name", "look")
    span.set_attribute("gen_ai.tool.call.arguments", "a text that is in no file")
provider.shutdown()
"""


async def test_exported_spans_are_kept_and_passed_on_to_the_collector_that_had_them(tithe: Tithe) -> None:
    async with ScriptedServer(Reply(headers={"content-type": "application/x-protobuf"})) as collector:
        base = collector.url.removesuffix("/v1") + "/tenant"
        status, _, err = await tithe.run(
            "--", PYTHON, "-c", EXPORT, env={"OTEL_EXPORTER_OTLP_ENDPOINT": base}
        )
        assert [each.target for each in collector.received] == ["/tenant/v1/traces"]
    assert status == 0, err
    with Store.open(tithe.db, write=False) as store:
        spans = [span for record in store.task_records() for span in record.spans]
    assert [(span.kind, span.attributes["gen_ai.tool.name"]) for span in spans] == [("tool", "look")]
    assert b"in no file" not in b"".join(path.read_bytes() for path in tithe.db.parent.iterdir())


def test_a_commands_arguments_are_not_kept(tmp_path: Path) -> None:
    script = tmp_path / "my_agent.py"
    script.touch()
    assert shown_command(["python", str(script), "--key", "sk-1", "goal"]) == f"python {script}"
    assert shown_command(["python", "-X", "dev", str(script)]) == f"python {script}"
    assert shown_command(["uv", "run", str(script)]) == f"uv {script}"
    assert shown_command(["python", "-m", "agent.main", "goal"]) == "python -m agent.main"
    assert shown_command(["python", "-m", "sk-1 goal"]) == "python"
    assert shown_command(["python", "-c", "print('sk-1')"]) == "python"
    assert shown_command(["agent", "--key=sk-1", "-ksk-2"]) == "agent"
    assert shown_command(["agent", "sk-live-1"]) == "agent"
    assert shown_command(["npx", "-y", "agent"]) == "npx"
    assert shown_command(["env", "-i", "KEY=sk-1", "/usr/bin/python", str(script)]) == f"python {script}"
    assert shown_command(["env", "KEY=sk-1"]) == "env"


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
async def test_the_exit_status_is_the_childs_whoever_reads(tithe: Tithe, closed: str) -> None:
    command = f"{PYTHON} -m tithe record --db {tithe.db} -- bash -c 'exit 7' {closed}"
    ran = await asyncio.create_subprocess_shell(command)
    assert await ran.wait() == 7
