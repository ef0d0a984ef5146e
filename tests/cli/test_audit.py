"""`tithe audit` whole: the real command in a process of its own, over loopback."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tithe.audit import AuditPlan, AuditReport, draw_tasks
from tithe.audit.known import KnownEndpoint, KnownOptions
from tithe.cli.consent import is_loopback
from tithe.cli.outputs import check_writable
from tithe.core import Request, Script, ScriptedBackend
from tithe.core.errors import UsageError
from tithe.net.options import ServerOptions
from tithe.net.server import Server
from tithe.world import solve

TINY_BUT_TASK = (
    "--lengths", "64,256", "--repeats", "3", "--prefix", "64", "--totals", "8,12", "--step-out", "10",
    "--step-in", "20", "--chat-in", "64", "--chat-out", "24", "--chat-repeats", "2",
    "--structured-tokens", "64", "--concurrency", "1,2", "--agent-steps", "2", "--rounds", "1", "--think-s", "0",
)  # fmt: skip
TINY = (*TINY_BUT_TASK, "--task-repeats", "1", "--task-steps", "3", "--task-out", "32")


@asynccontextmanager
async def served(
    truth: KnownOptions | Callable[[Request], Script], *, keys: tuple[str, ...] = ()
) -> AsyncIterator[tuple[Server, ScriptedBackend]]:
    backend = ScriptedBackend(KnownEndpoint(truth) if isinstance(truth, KnownOptions) else truth)
    server = Server(backend, "known", ServerOptions(port=0, api_key=keys))
    await server.start()
    try:
        yield server, backend
    finally:
        await server.stop()


async def tithe(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tithe",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "COLUMNS": "80", **environment},
    )


def children_of(pid: int) -> list[int] | None:
    """The pids of a process's children; None where the system does not tell."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else None


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_json_alone_is_on_stdout_and_says_what_is_true():
    truth = KnownOptions(base_s=0.002, uncached_token_s=0.00005, decode_s=0.0005)
    async with served(truth) as (server, backend):
        process = await tithe("audit", server.url, "--json", *TINY)
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    report = msgspec.json.decode(out, type=AuditReport)
    assert report.endpoint.model == "known"
    assert report.failures == 0
    assert report.calls == len(backend.requests)
    assert report.warm_up.calibration.tokens_a_word == 1.0
    assert [row.cached_tokens for row in report.measured.pairs.figures.lengths] == [64.0, 256.0]
    assert len(report.measured.task.runs[0].steps) == 3
    # The floor was taken on a socket: it is not nothing.
    assert report.client.floor is not None
    assert report.client.floor.ttft_s.value > 0


async def test_tables_on_stdout_a_saved_report_and_its_page(tmp_path: Path):
    file, page = tmp_path / "report.json", tmp_path / "page.html"
    async with served(KnownOptions(base_s=0.002, uncached_token_s=0.00001)) as (server, _):
        process = await tithe("audit", server.url, "--save", str(file), "--html", str(page), *TINY)
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert "Cached against uncached TTFT" in out.decode()
    lines = out.decode().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert [line for line in lines if line != line.rstrip()] == []
    assert msgspec.json.decode(file.read_bytes(), type=AuditReport).version == 3
    assert "Time to first token" in page.read_text("utf-8")


async def test_a_task_is_solved_by_calls_over_a_socket():
    plan = AuditPlan(task_repeats=3)
    known = KnownEndpoint(
        KnownOptions(base_s=0.0, decode_s=0.0), [solve(task).messages for task in draw_tasks(plan)]
    )
    flags = (*TINY_BUT_TASK, "--task-repeats", "3")
    async with served(known) as (server, _):
        process = await tithe("audit", server.url, "--json", *flags)
        out, err = await process.communicate()
        printed = await tithe("audit", server.url, *flags, "--task-families", "repair", "--seed", "9")
        text, _ = await printed.communicate()
    assert (process.returncode, err, printed.returncode) == (0, b"", 0)
    report = msgspec.json.decode(out, type=AuditReport)
    assert [(run.family, run.outcome) for run in report.measured.task.runs] == [
        ("lookup", "solved"),
        ("repair", "solved"),
        ("records", "solved"),
    ]
    assert [message.role for message in report.measured.task.runs[0].messages[:3]] == [
        "system",
        "user",
        "assistant",
    ]
    told = text.decode()
    assert "repair: " in told
    assert "Not solved: its steps were used up." in told


@pytest.mark.parametrize("given", ["flag", "TITHE_API_KEY", "OPENAI_API_KEY"])
async def test_the_key_is_sent(given: str):
    async with served(KnownOptions(base_s=0.0, decode_s=0.0), keys=("secret",)) as (server, _):
        flags = ("--api-key", "secret") if given == "flag" else ()
        environment = {} if given == "flag" else {given: "secret"}
        process = await tithe("audit", server.url, "--json", *TINY, *flags, **environment)
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"secret" not in out


async def test_a_wrong_key_is_told_and_not_a_traceback():
    async with served(KnownOptions(), keys=("secret",)) as (server, _):
        process = await tithe("audit", server.url, *TINY)
        out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert b"HTTP 401" in err
    assert b"Traceback" not in err


async def test_an_endpoint_that_answers_nothing_ends_the_command():
    async with served(KnownOptions(fails_every=1)) as (server, _):
        process = await tithe("audit", server.url, *TINY)
        _, err = await process.communicate()
    assert process.returncode == 1
    assert b"none of 5 warm-up calls" in err
    assert b"Traceback" not in err


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_interrupted_it_leaves_nothing_behind(sent: signal.Signals, status: int):
    if children_of(os.getpid()) is None:
        pytest.skip("needs /proc to see a process's children")
    known, under_way = KnownEndpoint(KnownOptions(base_s=0.02)), asyncio.Event()

    def script(request: Request) -> Script:
        if len(backend.requests) == 6:
            under_way.set()
        return known(request)

    async with served(script) as (server, backend):
        process = await tithe("audit", server.url)
        await under_way.wait()
        children = children_of(process.pid)
        process.send_signal(sent)
        out, err = await process.communicate()
    assert process.returncode == status
    assert b"The audit was interrupted" in out
    assert b"Traceback" not in err
    assert children
    assert not [child for child in children if lives(child)]


async def test_an_endpoint_elsewhere_is_not_measured_without_a_yes():
    process = await tithe("audit", "https://192.0.2.1/v1", "--quick")
    out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert b"takes about 158 calls where its figures are soon precise" in err
    assert b"--yes" in err


async def test_a_host_that_is_not_there_is_told_before_the_question_what_it_costs():
    process = await tithe("audit", "https://no-such-host.invalid/v1", "--quick")
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert b"There is no host 'no-such-host.invalid'" in err
    assert b"--yes" not in err


@pytest.mark.parametrize("flag", ["--save", "--html"])
async def test_a_report_that_cannot_be_written_is_told_before_any_call(tmp_path: Path, flag: str):
    async with served(KnownOptions(base_s=0.0, decode_s=0.0)) as (server, backend):
        process = await tithe("audit", server.url, *TINY, flag, str(tmp_path / "no" / "report"))
        out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert f"Name another file with {flag}.".encode() in err
    assert not backend.requests


async def test_a_report_whose_file_goes_away_meanwhile_is_printed_all_the_same(tmp_path: Path):
    folder = tmp_path / "gone"
    folder.mkdir()
    known = KnownEndpoint(KnownOptions(base_s=0.0, decode_s=0.0))

    def script(request: Request) -> Script:
        if folder.exists():
            folder.rmdir()
        return known(request)

    async with served(script) as (server, _):
        process = await tithe("audit", server.url, *TINY, "--save", str(folder / "report.json"))
        out, err = await process.communicate()
    assert process.returncode == 2
    assert b"cannot be written" in err
    assert b"The client" in out


def test_looking_whether_a_file_can_be_written_leaves_no_trace(tmp_path: Path):
    check_writable(tmp_path / "new.json", "--save")
    assert not list(tmp_path.iterdir())
    kept = tmp_path / "kept.json"
    kept.write_text("{}")
    check_writable(kept, "--save")
    assert kept.read_text() == "{}"
    with pytest.raises(UsageError, match="Is a directory"):
        check_writable(tmp_path, "--save")


async def test_an_audit_that_gives_up_prints_and_saves_what_it_has(tmp_path: Path):
    file = tmp_path / "report.json"
    async with served(KnownOptions(base_s=0.0, decode_s=0.0, fails_after=20)) as (server, _):
        process = await tithe("audit", server.url, *TINY, "--save", str(file), "--give-up-after", "5")
        out, err = await process.communicate()
        said = f"The audit of {server.url} gave up: 5 calls in a row failed"
    assert process.returncode == 1
    assert said.encode() in err
    assert b"Traceback" not in err
    assert b"Cached against uncached TTFT" in out
    report = msgspec.json.decode(file.read_bytes(), type=AuditReport)
    assert (report.calls, report.failures) == (25, 5)


@pytest.mark.parametrize(
    ("sent", "status", "said"), [(signal.SIGINT, 130, "tithe: Interrupted.\n"), (signal.SIGTERM, 143, "")]
)
async def test_a_signal_ends_an_audit_with_what_it_has_measured(
    tmp_path: Path, sent: signal.Signals, status: int, said: str
):
    file = tmp_path / "report.json"
    slow = KnownEndpoint(KnownOptions(base_s=0.0, decode_s=0.0))
    process: asyncio.subprocess.Process | None = None

    def script(request: Request) -> Script:
        script_of = slow(request)
        if len(backend.requests) == 40 and process is not None:
            process.send_signal(sent)
            return msgspec.structs.replace(script_of, ttft=60.0)
        return script_of

    async with served(script) as (server, backend):
        process = await tithe("audit", server.url, *TINY, "--save", str(file))
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (status, said)
    assert b"The audit was interrupted. Below is what was measured until then." in out
    report = msgspec.json.decode(file.read_bytes(), type=AuditReport)
    assert report.interrupted
    assert report.calls == 40
    assert report.measured.pairs.figures.lengths[-1].saved_s is not None
    assert report.measured.task.runs == ()


@pytest.mark.parametrize("url", ["notaurl", "ftp://x", "http://", "localhost:8000"])
async def test_what_is_no_url_is_told_before_the_cost(url: str):
    process = await tithe("audit", url)
    out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert b"is not an endpoint's URL" in err
    assert b"--yes" not in err


async def test_the_embedded_endpoint_is_started_measured_and_ended():
    pytest.importorskip("openvino")
    process = await tithe("audit", "--json", *TINY)
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    report = msgspec.json.decode(out, type=AuditReport)
    assert report.endpoint.embedded
    assert report.failures == 0
    # How many tokens a word is was measured on other words: a prefix of 256 is one to within a tenth.
    assert report.measured.pairs.figures.lengths[-1].cached_tokens >= 230
    host, port = report.endpoint.url.removeprefix("http://").removesuffix("/v1").split(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8383/v1", True),
        ("http://localhost/v1", True),
        ("localhost:8000", True),
        ("http://[::1]:80", True),
        ("https://api.example.com/v1", False),
        ("http://192.168.1.4:8000/v1", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_which_urls_are_on_this_machine(url: str, here: bool):
    assert is_loopback(url) is here
