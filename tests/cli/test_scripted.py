"""`tithe serve --scripted` as a process: the scenarios for any client."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import openai
import pytest

from tithe.cli.extras import ENGINE_MODULES
from tithe.net.conformance import SCENARIOS

# As in a base install: a None in sys.modules is how Python marks a module that is not there.
WITHOUT_ENGINE = (
    "import sys\n"
    f"sys.modules.update(dict.fromkeys({ENGINE_MODULES!r}))\n"
    "from tithe.cli.main import run\n"
    "sys.exit(run(sys.argv[1:]))\n"
)


def command(*flags: str) -> list[str]:
    return [sys.executable, "-c", WITHOUT_ENGINE, "serve", *flags]


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*flags), check=False, capture_output=True, text=True, timeout=60)


@contextmanager
def serving(*flags: str) -> Iterator[tuple[subprocess.Popen[str], dict]]:
    with subprocess.Popen(
        command("--port", "0", "--json", "--until-eof", *flags),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            yield server, json.loads(server.stdout.readline())
        finally:
            server.kill()


def test_it_says_what_is_true_and_plays_it_without_the_engine():
    with serving("--scripted", "tool-call-only") as (server, ready):
        (scenario,) = ready["scenarios"]
        with openai.OpenAI(base_url=ready["url"], api_key="none", max_retries=0) as client:
            messages = [{"role": "user", "content": "Go on."}]
            stream = client.chat.completions.create(model="any", messages=messages, stream=True)
            chunks = list(stream)
        (truth,) = scenario["truth"]["attempts"]
        assert (scenario["name"], scenario["pitfall"]) == ("tool-call-only", 2)
        assert chunks[-1].usage.completion_tokens == truth["output_tokens"]
        assert truth["ttft_s"] == 0.09
        server.stdin.close()
        assert server.wait(timeout=30) == 0


def test_all_are_on_one_server_by_model():
    with (
        serving("--scripted", "all") as (_, ready),
        openai.OpenAI(base_url=ready["url"], api_key="none", max_retries=0) as client,
    ):
        assert [model.id for model in client.models.list()] == [scenario.name for scenario in SCENARIOS]
        with pytest.raises(openai.InternalServerError, match="not now"):
            client.chat.completions.create(model="refused-then-served", messages=[], stream=True)
        with pytest.raises(openai.NotFoundError, match="no scenario 'nosuch'"):
            client.chat.completions.create(model="nosuch", messages=[], stream=True)


def test_they_are_listed():
    listed = run("--scripted", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert all(scenario.name in listed.stdout for scenario in SCENARIOS)
    assert max(len(line) for line in listed.stdout.splitlines()) <= 80
    read = json.loads(run("--scripted", "list", "--json").stdout)
    assert [scenario["name"] for scenario in read] == [scenario.name for scenario in SCENARIOS]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--scripted", "nosuch"], "there is no scenario 'nosuch'. Give all, or one of: role-first,"),
        (["--scripted", "all", "--trace", "x.jsonl"], "--scripted serves no model"),
        (["my/model", "--scripted", "all"], "--scripted serves no model"),
        (["--scripted", "all", "--threads", "2"], "--scripted serves no model"),
        (["--scripted", "all", "--drain-s", "1"], "--scripted takes --host, --port and --api-key"),
        (["--scripted", "all", "--host", "0.0.0.0"], "needs an API key"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(flags: list[str], said: str):
    ended = run("--port", "0", *flags)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_in_use_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run("--scripted", "role-first", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 2
    assert "is in use" in ended.stderr
