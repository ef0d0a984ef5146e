"""The flag that names a pace, and the times in it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import openai
import pytest

from tithe.cli.child import child_server
from tithe.cli.durations import seconds
from tithe.cli.embedded import embedded_endpoint
from tithe.cli.emulation import read_pace, told
from tithe.core import Pace, Script, ScriptedBackend, Span, TextDelta, Usage
from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.net.options import ServerOptions
from tithe.net.server import Server
from tithe.trace import read_jsonl


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("600ms", 0.6),
        ("0.6s", 0.6),
        ("20us", 2e-5),
        ("2 s", 2.0),
        (".5s", 0.5),
        ("0ms", 0.0),
        ("2min", 120.0),
    ],
)
def test_a_time_is_read_in_its_unit(text, expected):
    assert seconds(text, "--ttft") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("600", "--ttft is '600', without its unit; is it 600s or 600ms?"),
        ("6h", "its unit is one of us, ms, s"),
        ("-1s", "which is negative"),
        ("fast", "no time"),
        ("", "no time"),
        ("nans", "no time"),
        ("1e999s", "no time"),
    ],
)
def test_what_is_no_time_is_told(text, says):
    with pytest.raises(UsageError, match="--ttft") as raised:
        seconds(text, "--ttft")
    assert says in raised.value.message


def test_a_pace_is_read():
    assert read_pace("ttft=600ms,tps=60") == Pace(ttft_s=0.6, tokens_per_s=60.0)
    whole = read_pace("tps=12.5, ttft=2s, jitter=0.1, seed=7")
    assert whole == Pace(ttft_s=2.0, tokens_per_s=12.5, jitter=0.1, seed=7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ttft=600,tps=60", "ttft is '600', without its unit"),
        ("ttft=600ms", "lacks tps"),
        ("", "knows no ''"),
        ("ttft=600ms,tps=60,color=red", "knows no 'color=red'"),
        ("ttft=600ms,tps=60,tps=70", "tps twice"),
        ("ttft=600ms,tps=fast", "tps is 'fast', which is no number"),
        ("ttft=600ms,tps=0", "tps is 0; it is between 0.1 and 100000"),
        ("ttft=600ms,tps=-5", "tps is -5"),
        ("ttft=600ms,tps=nan", "tps is nan"),
        ("ttft=600ms,tps=60,jitter=9", "jitter is 9"),
        ("ttft=2min,tps=60,seed=x", "seed is 'x'"),
        ("ttft=2s,tps=60,seed=1.5", "seed is 1.5; it is a whole number"),
        ("ttft=20min,tps=60", "at most 600s"),
    ],
)
def test_what_is_no_pace_is_told(text, says):
    with pytest.raises(UsageError, match="--emulate") as raised:
        read_pace(text)
    assert says in raised.value.message


def test_a_pace_is_told_in_words():
    assert told(read_pace("ttft=600ms,tps=60")) == "600 ms to the first token, then 60 tokens/s"
    assert "give or take 10%" in told(read_pace("ttft=600ms,tps=60,jitter=0.1"))


def ask(url: str) -> openai.types.chat.ChatCompletion:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        return client.chat.completions.create(
            model=client.models.list().data[0].id,
            messages=[{"role": "user", "content": "Hi"}],
            max_tokens=4,
        )


def only_span(trace: Path) -> Span:
    [recording] = read_jsonl(trace)
    [span] = recording.spans
    return span


async def test_the_embedded_endpoint_is_held_back_and_its_span_says_by_how_much(tmp_path):
    trace = tmp_path / "calls.jsonl"
    async with embedded_endpoint("--emulate", "ttft=300ms,tps=50", "--trace", str(trace)) as ready:
        answer = await asyncio.to_thread(ask, ready.url)
    told = only_span(trace).attributes
    tokens = answer.usage.completion_tokens
    assert (told[at.EMULATED_TTFT], told[at.EMULATED_RATE]) == (0.3, 50.0)
    assert told["gen_ai.server.time_to_first_token"] >= 0.3
    assert 0 < told[at.OWN_FIRST_TOKEN] <= told[at.OWN_LAST_TOKEN]
    assert told[at.OWN_LAST_TOKEN] + told[at.ADDED] >= 0.3 + (tokens - 1) / 50


async def test_any_upstream_is_held_back_under_its_models_name_with_no_engine(tmp_path):
    trace = tmp_path / "calls.jsonl"
    body = [TextDelta(at=0, text=word) for word in ("one ", "two ", "three")]
    script = Script(deltas=body, usage=Usage(prompt_tokens=5, completion_tokens=3))
    upstream = Server(ScriptedBackend(script), "its-own-name", ServerOptions(port=0))
    await upstream.start()
    arguments = ("serve", "--emulate", "ttft=200ms,tps=50", "--upstream", upstream.url)
    rest = ("--port", "0", "--json", "--until-eof", "--trace", str(trace))
    try:
        async with child_server(("-m", "tithe", *arguments, *rest), what="The paced endpoint") as ready:
            answer = await asyncio.to_thread(ask, ready.url)
    finally:
        await upstream.stop()
    assert ready.model == "its-own-name"
    assert answer.choices[0].message.content == "one two three"
    assert answer.usage.completion_tokens == 3
    told = only_span(trace).attributes
    assert told[at.OWN_LAST_TOKEN] < 0.2
    assert told[at.OWN_LAST_TOKEN] + told[at.ADDED] >= 0.2 + 2 / 50


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--emulate", "ttft=600,tps=60"], "ttft is '600', without its unit; is it 600s or 600ms?"),
        (["--upstream", "http://127.0.0.1:1/v1"], "say which with --emulate"),
        (["--scripted", "list", "--emulate", "ttft=1s,tps=9"], "leave out the model"),
        (["--upstream", "http://127.0.0.1:1/v1", "--emulate", "ttft=1s,tps=9"], "took no connection"),
    ],
)
def test_what_cannot_be_held_back_is_told_in_a_line(flags, says):
    ended = subprocess.run(
        [sys.executable, "-m", "tithe", "serve", "--port", "0", *flags],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode in (1, 2)
    assert ended.stderr.count("\n") == 1
    assert says in ended.stderr


def test_the_greeting_says_that_it_is_emulated():
    command = [sys.executable, "-m", "tithe", "serve", "--port", "0", "--emulate", "ttft=1s,tps=9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            said = [server.stdout.readline() for _ in range(3)]
        finally:
            server.terminate()
    assert (
        said[2]
        == "Emulated: 1000 ms to the first token, then 9 tokens/s. Not the speed that it has by itself.\n"
    )
