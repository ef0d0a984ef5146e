"""`tithe.Agent`: an endpoint by its URL, over a real socket."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.agent.scripted import calls, says, turn_by_turn
from tests.cli.audits import audited

import tithe
from tithe import Agent, tool
from tithe.audit import AuditPlan
from tithe.core import ScriptedBackend
from tithe.core.errors import UsageError
from tithe.net.options import ServerOptions
from tithe.net.server import Server

PLAN = AuditPlan(
    lengths=(64, 512), repeats=8, concurrency=(1, 2), agent_steps=4, rounds=2, task_repeats=1, task_steps=2
)


@asynccontextmanager
async def serving(backend: ScriptedBackend, model: str = "small", **options):
    server = Server(backend, model, ServerOptions(port=0, drain_s=0.2, **options))
    await server.start()
    try:
        yield server.url
    finally:
        await server.stop()


@tool(idempotent=True)
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: 18 °C"


def conversation() -> ScriptedBackend:
    return turn_by_turn(calls(("weather", '{"city": "Faro"}'), ttft=0.01), says("No umbrella.", ttft=0.01))


async def test_five_lines_are_enough():
    backend = conversation()
    async with serving(backend) as url:
        outcome = await Agent(url, tools=[weather]).run("Do I need an umbrella in Faro?", budget=10)
    assert outcome.answer == "No umbrella."
    assert backend.requests[0].model == "small"
    tools = [message.content for message in outcome.messages if message.role == "tool"]
    assert tools == ["Faro: 18 °C"]


async def test_one_agent_runs_task_after_task_and_beside_each_other():
    async with serving(turn_by_turn(says("yes", ttft=0.01))) as url:
        agent = Agent(url, tools=[weather])
        outcomes = await asyncio.gather(*(agent.run("goal", 10) for _ in range(5)))
        async with agent:
            outcomes += [await agent.run("goal", 10) for _ in range(2)]
    assert [outcome.answer for outcome in outcomes] == ["yes"] * 7


async def test_a_key_is_sent_and_a_wrong_one_is_told():
    async with serving(turn_by_turn(says("yes")), api_key=("secret",)) as url:
        assert (await Agent(url, "small", api_key="secret").run("goal", 10)).answer == "yes"
        wrong = await Agent(url, "small", api_key="other").run("goal", 10)
        assert wrong.stopped == "failed"
        assert "401" in str(wrong.error)


async def test_an_endpoint_that_is_not_there_is_told_within_the_budget():
    outcome = await Agent("http://127.0.0.1:9/v1", "small").run("goal", 0.5)
    assert outcome.answer is None
    assert outcome.stopped in ("failed", "out of time")
    outcome = await Agent("http://127.0.0.1:9/v1").run("goal", 0.5)
    assert (outcome.answer, outcome.ways, outcome.messages) == (None, 0, ())
    assert outcome.stopped in ("failed", "out of time")


def test_what_cannot_be_is_refused():
    for endpoint, given in (
        ("not a url", {}),
        (conversation(), {}),
        (conversation(), {"model": "m", "api_key": "k"}),
    ):
        with pytest.raises(UsageError):
            Agent(endpoint, **given)
    with pytest.raises(UsageError, match=r"nowhere\.json"):
        Agent("http://127.0.0.1:9/v1", profile="nowhere.json")


def test_a_profile_tells_how_fast_the_endpoint_is(tmp_path):
    path = tmp_path / "audit.json"
    path.write_bytes(msgspec.json.encode(audited(PLAN)))
    agent = Agent("http://127.0.0.1:9/v1", "small", profile=path)
    assert agent.speeds.calls
    assert 0 < agent.speeds.ttft.quantile(0.5) < agent.speeds.calls.quantile(0.5)


def test_importing_tithe_is_cheap_and_its_names_are_there():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, tithe; print('aiohttp' in sys.modules, 'numpy' in sys.modules); tithe.nothing",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout == "False False\n"
    assert "module 'tithe' has no attribute 'nothing'" in said.stderr
    assert {name for name in tithe.__all__ if getattr(tithe, name) is not None} == set(tithe.__all__)
