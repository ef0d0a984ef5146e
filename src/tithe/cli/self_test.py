"""Our own client, held to the conformance suite: what `tithe audit --self-test` runs.

Everything is asked through the remote backend, kept as the audit keeps it, and counted by the audit's own
statistics, validity classes, salted prompts and agent loop. The scripted server is in a process of its own,
for in the client's it would share the event loop that is under test. Scenarios take turns, all of them once a
round, so that a busy moment of the machine strikes one of a scenario's runs and not its median. Those of which
it can still not be told whether the client is right are run again.
"""

import asyncio
import contextlib
import gc
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence

import msgspec

import tithe
from tithe.audit import AuditPlan, Observation, ThreadedLagWatch, observe
from tithe.audit.concurrency import AgentRun, Round, concurrency_figures
from tithe.audit.loop import AgentLoop
from tithe.audit.pairs import measure_pairs
from tithe.audit.probe import Probe
from tithe.audit.prompt import Prompts
from tithe.audit.validity import call_validity, checker, text_validity
from tithe.cli.child import child_server
from tithe.core import Backend, Clock, Message, Request, ResponseFormat, SystemClock, Tool, ToolChoice
from tithe.core.words import calibration_from
from tithe.net.client import ClientOptions, MeasuringClient, endpoint_url
from tithe.net.conformance import (
    SCENARIOS,
    TOLERANCE_S,
    Finding,
    Findings,
    Form,
    Lateness,
    Ruling,
    Run,
    Scenario,
    SelfTest,
    Summary,
    judge,
)
from tithe.net.remote import RemoteBackend

ROUNDS = 3
# How often the rounds are run for a scenario that a busy machine keeps from being told.
TRIES = 3
# A standstill hides from a watch for as long as it looks away. The client's and the server's together
# (`TICK_S` of `net/conformance/stage.py`) have to hide less than the tolerance.
LOOK_S = 0.005
SERVER = ("-m", "tithe", "serve", "--scripted", "all", "--port", "0", "--json", "--until-eof")

Progress = Callable[[str], None]


async def run_self_test(
    scenarios: Sequence[Scenario] = SCENARIOS, *, rounds: int = ROUNDS, progress: Progress | None = None
) -> SelfTest:
    """Hold our client to `scenarios`. Raises `UsageError` when the scripted server does not start."""
    rulings: dict[str, Ruling] = {}
    async with _own_client() as client:
        await client.run(scenarios[0])  # opens a connection and imports what the first answer needs
        for _ in range(TRIES):
            untold = [
                one for one in scenarios if one.name not in rulings or rulings[one.name].outcome == "busy"
            ]
            rulings |= await _rounds(client, untold, rounds, progress)
    return SelfTest(
        tithe=tithe.__version__,
        tolerance_s=TOLERANCE_S,
        rulings=tuple(rulings[scenario.name] for scenario in scenarios),
    )


async def _rounds(
    client: "OwnClient", scenarios: Sequence[Scenario], rounds: int, progress: Progress | None
) -> dict[str, Ruling]:
    runs: dict[str, list[Run]] = {scenario.name: [] for scenario in scenarios}
    for _ in range(rounds):
        for scenario in scenarios:
            runs[scenario.name].append(await client.run(scenario))
            if progress is not None:
                progress(scenario.name)
    return {scenario.name: judge(scenario, runs[scenario.name]) for scenario in scenarios}


@contextlib.asynccontextmanager
async def _own_client() -> AsyncGenerator["OwnClient", None]:
    """Our client beside a scripted server that serves every scenario."""
    async with contextlib.AsyncExitStack() as stack:
        ready = await stack.enter_async_context(child_server(SERVER, what="The scripted server"))
        backend = RemoteBackend(ready.url)
        stack.push_async_callback(backend.aclose)
        aside = await stack.enter_async_context(MeasuringClient(ClientOptions()))
        clock = SystemClock()
        watch = ThreadedLagWatch(clock, interval_s=LOOK_S)
        gc.collect()
        gc.freeze()  # as in an audit: what is imported by now is no part of the collector's pauses
        watch.start()
        stack.callback(watch.stop)
        yield OwnClient(ready.url, backend, aside, watch, clock)


class OwnClient:
    """Runs scenarios, and measures how late it and the server were meanwhile."""

    def __init__(
        self, url: str, backend: Backend, aside: MeasuringClient, watch: ThreadedLagWatch, clock: Clock
    ) -> None:
        self._lateness = endpoint_url(url) / "lateness"
        self._backend = backend
        self._aside = aside
        self._watch = watch
        self._clock = clock

    async def run(self, scenario: Scenario) -> Run:
        """One run of a scenario."""
        await self._server_late()
        self._watch.take()
        findings = await ask(self._backend, scenario, self._clock)
        lag = max(self._watch.take(), default=0.0)
        return Run(findings=findings, loop_lag_s=lag, server_late_s=await self._server_late())

    async def _server_late(self) -> float:
        """How late the server was since this was asked last."""
        answer = await self._aside.send("GET", self._lateness, {})
        try:
            return msgspec.json.decode(await answer.read(), type=Lateness).late_s
        finally:
            answer.close()


async def ask(backend: Backend, scenario: Scenario, clock: Clock) -> Findings:
    """Ask a scenario as its `asking` says, and tell what was found."""
    asking = scenario.asking
    form = asking.form
    match asking.how:
        case "copies":
            seen = await _copies(_probe(backend, scenario, clock))
        case "steps":
            seen = await _steps(_probe(backend, scenario, clock), asking.tools_s)
        case "on schedule":
            return await _on_schedule(backend, scenario, clock)
        case "at once":
            request = _request(scenario)
            calls = (observe(backend, request, clock, scenario.name) for _ in range(asking.calls))
            seen = tuple(await asyncio.gather(*calls))
        case "in turn":
            request = _request(scenario)
            seen = tuple([await observe(backend, request, clock, scenario.name) for _ in range(asking.calls)])
    return Findings(attempts=tuple(_finding(one, form) for one in seen), summary=summary_of(seen))


async def _on_schedule(backend: Backend, scenario: Scenario, clock: Clock) -> Findings:
    """Open loop: every call goes out when it is due, and its latency counts from then."""
    start = clock.now()

    async def one(number: int) -> tuple[Observation, float]:
        due = start + number * scenario.asking.every_s
        await clock.sleep(max(0.0, due - clock.now()))
        return await observe(backend, _request(scenario), clock, scenario.name), due

    seen = await asyncio.gather(*(one(number) for number in range(scenario.asking.calls)))
    attempts = (
        msgspec.structs.replace(_finding(call, None), latency_s=call.last - due if call.last else None)
        for call, due in seen
    )
    return Findings(attempts=tuple(attempts), summary=summary_of([call for call, _ in seen]))


async def _copies(probe: Probe) -> tuple[Observation, ...]:
    """The audit's pairs of one length: salted, so that no prompt repeats another whole."""
    pairs = await measure_pairs(probe)
    return tuple(sample.observation for sample in pairs.samples)


async def _steps(probe: Probe, tools_s: tuple[float, ...]) -> tuple[Observation, ...]:
    """The audit's simulated agent, whose tools take their time."""
    agent = AgentLoop(probe, probe.prompts.system(64, "system"), "agent")
    seen = [await probe.call(agent.request(), "steps")]
    for tool_s in tools_s:
        agent.advance(seen[-1])
        await probe.clock.sleep(tool_s)
        seen.append(await probe.call(agent.request(), "steps"))
    return tuple(seen)


def _probe(backend: Backend, scenario: Scenario, clock: Clock) -> Probe:
    """A probe as an audit has one, with a salt of its own."""
    plan = AuditPlan(lengths=(64,), repeats=max(1, scenario.asking.calls // 2))
    prompts = Prompts(calibration_from(None, None), secrets.token_hex(8))
    return Probe(backend, scenario.name, plan, prompts, clock)


def _request(scenario: Scenario) -> Request:
    request = Request(model=scenario.name, messages=(Message(role="user", content="Go on."),))
    form = scenario.asking.form
    if form is None:
        return request
    if form.kind == "json":
        wanted = ResponseFormat(kind="json_schema", name=form.name, schema=form.schema, strict=True)
        return msgspec.structs.replace(request, response_format=wanted)
    tool = Tool(name=form.name, parameters=form.schema, strict=True)
    return msgspec.structs.replace(request, tools=(tool,), tool_choice=ToolChoice(mode="required"))


def _finding(seen: Observation, form: Form | None) -> Finding:
    failure, usage = seen.failure, seen.usage
    return Finding(
        outcome="failed" if failure is not None else "answered" if seen.answered else "empty",
        status=failure.http_status if failure is not None else None,
        ttft_s=seen.ttft,
        visible_ttft_s=seen.visible_ttft,
        total_s=seen.total,
        gaps_s=seen.gaps,
        decode_rate=seen.decode_rate,
        queue_s=seen.facts.queue_s if seen.facts is not None else None,
        output_tokens=seen.output_tokens,
        reasoning_tokens=usage.reasoning_tokens if usage is not None else None,
        cached_tokens=seen.cached_tokens,
        text=seen.text,
        validity=_validity(seen, form),
    )


def _validity(seen: Observation, form: Form | None) -> str | None:
    if form is None:
        return None
    check = checker(form.schema)
    return text_validity(seen, check) if form.kind == "json" else call_validity(seen, {form.name: check})


def summary_of(seen: Sequence[Observation]) -> Summary:
    """What the audit's statistics make of these calls, as one agent's."""
    run = AgentRun(agent=0, start=seen[0].begun, end=seen[-1].ended, observations=tuple(seen))
    one = Round(agents=1, round=0, start=seen[0].begun, end=seen[-1].ended, runs=(run,))
    (figures,) = concurrency_figures((one,), step_tokens=1, seed=0)
    ttft = figures.ttft_p50_s
    return Summary(
        counted=figures.calls - figures.failed,
        apart=figures.failed,
        ttft_p50_s=ttft.value if ttft is not None else None,
        interval=ttft is not None and ttft.low is not None,
    )
