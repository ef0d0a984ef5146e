"""`tithe audit --self-test`: our own client, held to the conformance suite. No assertion is timed:
a machine that was too busy to tell is no failure here."""

import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec
import pytest

from tithe.cli.self_test import ROUNDS, ask
from tithe.core import Backend, Event, Request, Sent, SystemClock
from tithe.core.errors import EndpointRefused
from tithe.net.conformance import SCENARIOS, Run, SelfTest, Stage, chosen, judge
from tithe.net.remote import RemoteBackend


async def tithe(*arguments: str) -> tuple[int | None, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tithe", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out, err


async def test_our_client_holds_in_every_scenario() -> None:
    status, out, err = await tithe("audit", "--self-test", "--json")
    result = msgspec.json.decode(out, type=SelfTest)
    assert [ruling.scenario for ruling in result.rulings] == [scenario.brief for scenario in SCENARIOS]
    assert [
        (ruling.scenario.name, ruling.faults) for ruling in result.rulings if ruling.outcome == "wrong"
    ] == []
    assert {len(ruling.runs) for ruling in result.rulings} == {ROUNDS}
    assert (status, err) == (int(not result.holds), b"")


@pytest.mark.parametrize(
    "more",
    [
        ["http://127.0.0.1:1/v1"],
        ["--quick"],
        ["--model", "x"],
        ["--save", "x.json"],
        ["--repeats", "3"],
        ["-y"],
    ],
)
async def test_it_measures_no_endpoint(more: list[str]) -> None:
    status, out, err = await tithe("audit", "--self-test", *more)
    assert (status, out) == (2, b"")
    assert b"--self-test measures no endpoint" in err
    assert err.count(b"\n") == 1


class Retrying:
    """A backend that retries inside, as SDKs do."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        sent: Sent | None = None
        while True:
            try:
                async for event in self._backend.generate(request):
                    if isinstance(event, Sent):
                        if sent is not None:
                            continue
                        sent = event
                    yield event
                return
            except EndpointRefused:
                continue

    async def aclose(self) -> None:
        await self._backend.aclose()


@pytest.mark.parametrize("name", ["refused-then-served", "full-then-served", "failures-apart"])
async def test_our_client_with_a_retry_inside_does_not(name: str) -> None:
    scenario = chosen(name)[0]
    async with Stage((scenario,)) as stage:
        backend = RemoteBackend(stage.url)
        findings = await ask(backend, scenario, SystemClock())
        retried = await ask(Retrying(backend), scenario, SystemClock())
        await backend.aclose()
    busy = 3600.0  # whatever this machine does meanwhile
    assert judge(scenario, [Run(findings=findings, loop_lag_s=busy)]).outcome != "wrong"
    assert judge(scenario, [Run(findings=retried, loop_lag_s=busy)]).outcome == "wrong"
