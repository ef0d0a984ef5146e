"""`tithe serve` as a process, and the embedded endpoint audited as `make audit` does it."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import openai
import pytest

from tithe.audit import AuditReport
from tithe.trace import read_jsonl

HELLO = [
    {"role": "system", "content": "A system prompt of some length. " * 20},
    {"role": "user", "content": "Hi"},
]


@contextmanager
def serving(*flags: str, stdin: int = subprocess.DEVNULL) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "tithe", "serve", "--port", "0", "--json", *flags]
    with subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            yield server, json.loads(server.stdout.readline())["url"]
        finally:
            server.kill()


def ask(url: str, key: str = "none", **fields) -> openai.types.chat.ChatCompletion:
    with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
        return client.chat.completions.create(
            **{"model": "nano", "messages": HELLO, "max_tokens": 4, **fields}
        )


def test_sigterm_lets_a_running_call_finish():
    with serving() as (server, url):
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            stream = client.chat.completions.create(model="nano", messages=HELLO, max_tokens=300, stream=True)
            first = next(iter(stream))
            server.send_signal(signal.SIGTERM)
            rest = list(stream)
        assert first.id == rest[-1].id
        assert rest[-1].choices[0].finish_reason in ("length", "stop")
        assert server.wait(timeout=30) == 0


def test_stopped_while_busy_it_says_so_and_a_second_signal_ends_it_now():
    with serving("--drain-s", "600") as (server, url):
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            stream = iter(
                client.chat.completions.create(model="nano", messages=HELLO, max_tokens=1500, stream=True)
            )
            next(stream)
            server.send_signal(signal.SIGINT)
            said = server.stderr.readline()
            server.send_signal(signal.SIGINT)
            with pytest.raises(openai.APIError, match="shut down before this answer's end"):
                list(stream)
        assert said == "Finishing 1 running call, at most 600 s; Ctrl-C again ends them now.\n"
        assert server.wait(timeout=30) == 0


def test_stopped_while_idle_it_says_nothing():
    with serving() as (server, _):
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) == 0
        assert server.stderr.read() == ""


def test_it_ends_with_its_parent_when_told_to():
    with serving("--until-eof", stdin=subprocess.PIPE) as (server, url):
        assert ask(url).usage.completion_tokens <= 4
        server.stdin.close()
        assert server.wait(timeout=30) == 0


def test_keys_share_no_cache():
    with serving("--api-key", "one", "--api-key", "two") as (_, url):
        cached = [ask(url, key).usage.prompt_tokens_details.cached_tokens for key in ("one", "one", "two")]
        assert cached[0] == cached[2] == 0
        assert cached[1] > 0
        with pytest.raises(openai.AuthenticationError):
            ask(url, "three")


def test_a_trace_holds_spans_and_no_content(tmp_path):
    kept = tmp_path / "spans.jsonl"
    with serving("--trace", str(kept), "--api-key", "sesame-key") as (server, url):
        secret = [{"role": "user", "content": "The word is xylophone."}]
        ask(url, "sesame-key", messages=secret)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
    (recording,) = read_jsonl(kept)
    (span,) = recording.spans
    assert span.kind == "call"
    assert span.end is not None
    assert span.end > span.start
    assert {"tithe.queue_s", "tithe.prefill_s", "tithe.decode_s", "tithe.uncached_tokens"} <= set(
        span.attributes
    )
    text = kept.read_text("utf-8")
    assert "xylophone" not in text
    assert "sesame" not in text


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--host", "0.0.0.0"], "API key"),
        (["./no/such/folder"], "no model folder"),
        (["--kv-bytes", "-1"], "--kv-bytes is -1"),
        (["--ageing=0"], "--ageing is 0"),
        (["--port", "80000"], "--port is 80000"),
        (["--max-concurrent", "0"], "--max-concurrent is 0"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(flags: list[str], said: str):
    command = [sys.executable, "-m", "tithe", "serve", *flags]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_the_embedded_endpoint_is_audited_whole(tmp_path):
    # Everything that `make audit` does, at the smallest size that measures each thing once.
    small = ["--lengths", "64", "--repeats", "1", "--prefix", "64", "--totals", "8", "--step-out", "8"]
    small += ["--step-in", "16", "--chat-in", "64", "--chat-out", "16", "--chat-repeats", "1"]
    small += ["--concurrency", "1,2", "--agent-steps", "2", "--rounds", "1", "--think-s", "0.01"]
    small += ["--task-steps", "2", "--task-repeats", "1", "--task-out", "16", "--warmups", "1"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tithe", "audit", "--json", *small),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    report = msgspec.json.decode(out, type=AuditReport)
    assert report.endpoint.embedded
    assert not report.failures
    constrained = {row.arm: row for row in report.measured.structured.figures}["call constrained"]
    assert constrained.classes == {"valid": 1}
    assert len(report.measured.task.runs[0].steps) == 2
