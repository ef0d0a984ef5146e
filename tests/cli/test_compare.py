"""`tithe audit URL1 URL2` and `--compare`: the real command over loopback."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tithe.audit import Comparison
from tithe.audit.known import KnownEndpoint, KnownOptions
from tithe.cli.main import run
from tithe.core import ScriptedBackend
from tithe.net.options import ServerOptions
from tithe.net.server import Server

TINY = (
    "--lengths", "64,256", "--repeats", "8", "--least-repeats", "8", "--prefix", "64", "--totals", "8", "--step-out", "10",
    "--step-in", "20", "--chat-in", "64", "--chat-out", "24", "--structured-tokens", "48", "--concurrency", "1,2,3,4",
    "--agent-steps", "1", "--rounds", "2", "--think-s", "0", "--arrivals", "0", "--task-repeats", "1", "--task-steps", "2",
    "--task-out", "16",
)  # fmt: skip


@asynccontextmanager
async def served(truth: KnownOptions, *, key: str | None = None) -> AsyncIterator[Server]:
    keys = (key,) if key is not None else ()
    server = Server(ScriptedBackend(KnownEndpoint(truth)), "known", ServerOptions(port=0, api_key=keys))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def tithe(*arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tithe",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "COLUMNS": "100"},
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_two_endpoints_are_measured_by_turns_each_with_its_own_key_and_kept(tmp_path: Path, capsys):
    fast, slow = KnownOptions(base_s=0.01), KnownOptions(base_s=0.02)
    kept, page, calls = tmp_path / "kept.json", tmp_path / "page.html", tmp_path / "calls.csv"
    async with served(fast, key="one") as first, served(slow, key="two") as second:
        status, out, err = await tithe(
            *("audit", first.url, second.url, "--api-key", "one", "--api-key", "two", *TINY),
            *("--save", str(kept), "--html", str(page), "--csv", str(calls)),
        )
        assert f"B  known at {second.url}" in out
    assert (status, err) == (0, "")
    found = msgspec.json.decode(kept.read_bytes(), type=Comparison)
    assert found.interleaved
    assert [report.failures for report in found.reports] == [0, 0]
    # A is the first endpoint and B the second: each median is of its own report.
    difference = next(row.difference for row in found.contrasts[0].rows if row.figure == "cached TTFT 256")
    medians = [report.measured.pairs.figures.lengths[-1].cached_ttft_s for report in found.reports]
    assert [difference.base, difference.other] == [pytest.approx(one.value) for one in medians if one]
    outcomes = {finding.about: finding.outcome for finding in found.contrasts[0].findings}
    assert set(outcomes) == {"cache", "short generations", "structured output", "concurrency", "task"}
    assert outcomes["task"] == "unclear"
    assert "How many times as long B takes as A" in page.read_text("utf-8")
    lines = calls.read_bytes().split(b"\r\n")
    assert len(lines) == 2 + sum(report.calls for report in found.reports)
    assert {line[:2] for line in lines[1:-1]} == {b"A,", b"B,"}

    assert run(["audit", "--from", str(kept)]) == 0
    assert "B against A" in capsys.readouterr().out
    assert run(["audit", "--compare", str(kept), str(kept)]) == 2
    assert "holds a comparison of 2 endpoints" in capsys.readouterr().err

    for place, report in enumerate(found.reports):
        (tmp_path / f"{place}.json").write_bytes(msgspec.json.encode(report))
    assert run(["audit", "--compare", str(tmp_path / "0.json"), str(tmp_path / "1.json"), "--json"]) == 0
    apart = msgspec.json.decode(capsys.readouterr().out, type=Comparison)
    assert not apart.interleaved
    assert {row.difference.by for row in apart.contrasts[0].rows if row.about == "cache"} == {"ranks"}


async def test_an_endpoint_that_is_not_there_is_named():
    async with served(KnownOptions()) as there:
        status, _, err = await tithe("audit", there.url, "http://127.0.0.1:9/v1", "--model", "known", *TINY)
    assert status == 1
    assert "http://127.0.0.1:9/v1" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--compare", "a.json"), "--compare needs two reports or more"),
        (("--compare", "nowhere.json", "nothing.json"), "nowhere.json cannot be read"),
        (("--compare", "a.json", "b.json", "--quick"), "leave out the URL"),
        (("--compare", "a.json", "b.json", "--from", "c.json"), "measures nothing"),
        (("http://127.0.0.1:9/v1", "nonsense://x"), "nonsense"),
        (("embedded", "embedded", "--model", "a", "--model", "b", "--model", "c"), "3 times --model"),
    ],
)
def test_what_cannot_be_compared_is_said(arguments: tuple[str, ...], said: str, capsys):
    assert run(["audit", *arguments]) == 2
    assert said in capsys.readouterr().err
