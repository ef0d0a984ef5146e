"""The audit whole: warm up, prove the client innocent, measure, conclude."""

import dataclasses
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

import tithe
from tithe.audit.concurrency import measure_concurrency
from tithe.audit.innocence import Floor, FloorWatch, Judgement, LagFigures, LagWatch, lag_figures
from tithe.audit.observation import Observation
from tithe.audit.pace import Pace, pace
from tithe.audit.pairs import measure_pairs
from tithe.audit.plan import AuditPlan
from tithe.audit.prediction import Prediction, predict
from tithe.audit.probe import Interruption, Probe, Progress
from tithe.audit.prompt import Prompts
from tithe.audit.spending import needs
from tithe.audit.structured import measure_structured
from tithe.audit.task import measure_task
from tithe.audit.totals import measure_totals
from tithe.audit.turns import Seat
from tithe.audit.verdict import About, Measured, Verdict, judgements, verdicts
from tithe.core import Anchor, Backend, Clock, Message
from tithe.core.errors import EndpointError
from tithe.core.words import CALIBRATION_WORDS, Calibration, calibration_from, words

REPORT_VERSION = 3
# A wrong key, a wrong address or model, and an endpoint that goes on turning calls away.
_HOPELESS = (401, 403, 404, 429)

T = TypeVar("T")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What was audited. `embedded` True: the engine that ships with Tithe, started for the audit."""

    url: str
    model: str
    embedded: bool = False


class WarmUp(msgspec.Struct, frozen=True, kw_only=True):
    """The calls before any figure: warm-up and calibration. They enter no statistic."""

    observations: tuple[Observation, ...]
    calibration: Calibration


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the measuring client: its floor, and a judgement for each verdict."""

    floor: Floor | None
    judgements: dict[About, Judgement]


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an audit saw and concluded. Seconds throughout; `anchor` turns instants into dates.

    Of the `calls`, `asked_again` were beyond the plan: answers too short, a task's failed steps, and calls that
    were turned away for now: those are `refused`, among the `failures` and in no measurement, and `waited_s`
    seconds went by before they were asked again (patience.py). `left_out` are the measurements that the
    plan's limits left too little for, with the reason. `gave_up`
    is why the audit gave up before its end, and `interrupted` whether the user ended it. How far each
    measurement came is in its `extent`; a call that was about to be made then is in `measured` as a
    failure of kind `NotAsked`, and neither in `calls` nor in `failures`. `pace` or `prediction`
    None: what it stands on was not measured or not reported.
    """

    version: int
    tithe: str
    date: str
    anchor: Anchor
    salt: str
    endpoint: Endpoint
    plan: AuditPlan
    verdicts: tuple[Verdict, ...]
    measured: Measured
    pace: Pace | None
    prediction: Prediction | None
    client: Client
    warm_up: WarmUp
    calls: int
    asked_again: int
    failures: int
    gave_up: str | None
    interrupted: bool
    wall_s: float
    refused: tuple[Observation, ...] = ()
    waited_s: float = 0.0
    left_out: dict[About, str] = {}


async def run_audit(
    backend: Backend,
    endpoint: Endpoint,
    plan: AuditPlan,
    *,
    null: Backend | None,
    watch: LagWatch,
    clock: Clock,
    progress: Progress | None = None,
    interruption: Interruption | None = None,
    salt: str | None = None,
    seat: Seat | None = None,
) -> AuditReport:
    """Audit `backend`. Raises `EndpointError` when it answered no warm-up call.

    Args:
        backend: the endpoint under test; its events are stamped on `clock`.
        endpoint: how the report names it; its `model` is asked for in every request.
        null: a backend that answers at once, reached as `backend` is; None withholds every verdict.
        watch: watches the client's loop; started and stopped here.
        progress: told each planned call's label at its end.
        interruption: ends the audit early, with a report of what was measured until then.
        salt: makes this run's prompts unlike any other run's; drawn when None.
        seat: where several audits take turns, this one's; it is left at the end.
    """
    salt, anchor = salt if salt is not None else secrets.token_hex(8), Anchor.take(clock.now())
    interruption, prompts = interruption or Interruption(), Prompts(calibration_from(None, None), salt)
    probe = Probe(backend, endpoint.model, plan, prompts, clock, progress, interruption, seat)
    probe.aside = watch.aside
    watch.start()
    try:
        warm_up, floor_watch = await _begin(probe, null, salt, interruption)
        measured, client, left_out = await _measure(probe, watch, floor_watch)
    finally:
        probe.seat.leave()
        watch.stop()
    return AuditReport(
        version=REPORT_VERSION,
        tithe=tithe.__version__,
        date=datetime.fromtimestamp(anchor.unix, UTC).isoformat(timespec="seconds"),
        anchor=anchor,
        salt=salt,
        endpoint=endpoint,
        plan=plan,
        verdicts=verdicts(measured, client.judgements),
        measured=measured,
        pace=pace(measured.totals, seed=plan.seed),
        prediction=predict(measured.pairs, measured.totals, measured.task, tail=plan.tail, seed=plan.seed),
        client=client,
        warm_up=warm_up,
        calls=probe.calls,
        asked_again=probe.asked_again,
        failures=probe.failures,
        gave_up=probe.gave_up,
        interrupted=probe.interrupted,
        wall_s=clock.now() - anchor.monotonic,
        refused=tuple(probe.refused),
        waited_s=probe.waited_s,
        left_out=left_out,
    )


async def _begin(
    probe: Probe, null: Backend | None, salt: str, interruption: Interruption
) -> tuple[WarmUp, FloorWatch | None]:
    """Warm up, and make prompts by what that told of the endpoint's tokens."""
    async with probe.seat.turn():
        warm_up = await _warm_up(probe, salt)
        probe.prompts = Prompts(warm_up.calibration, salt)
        return warm_up, await _floor_watch(null, probe, interruption) if null is not None else None


async def _floor_watch(null: Backend, probe: Probe, interruption: Interruption) -> FloorWatch:
    # The floor is no part of what the audit may spend at the endpoint.
    plan = dataclasses.replace(probe.plan, max_time=None, max_tokens=None, max_requests=None)
    watch = FloorWatch(Probe(null, probe.model, plan, probe.prompts, probe.clock, None, interruption))
    await watch.warm_up()
    return watch


async def _warm_up(probe: Probe, salt: str) -> WarmUp:
    """Warm the endpoint and the connection, then learn how words become tokens."""
    warming = [
        (probe.request((probe.prompts.user(50, f"warm-up/{number}"),)), "warm-up")
        for number in range(probe.plan.warmups)
    ]
    calibrating = [
        (
            probe.request(
                (
                    Message(role="system", content=words(count, salt, f"calibration/{count}")),
                    Message(role="user", content="Go on."),
                )
            ),
            "calibration",
        )
        for count in CALIBRATION_WORDS
    ]
    seen: list[Observation] = []
    for request, label in (*warming, *calibrating):
        seen.append(await probe.call(request, label))
        if _is_hopeless(seen[-1], probe.plan) and not any(one.failure is None for one in seen):
            break
    failures = [one.failure for one in seen if one.failure is not None]
    if len(failures) == len(seen):
        answered = "did not answer the first" if len(seen) == 1 else f"answered none of {len(seen)}"
        calls = "warm-up call" if len(seen) == 1 else "warm-up calls"
        raise EndpointError(f"The endpoint {answered} {calls}: {failures[0].message}")
    short, long = (one.prompt_tokens for one in seen[-len(calibrating) :])
    return WarmUp(observations=tuple(seen), calibration=calibration_from(short, long))


def _is_hopeless(seen: Observation, plan: AuditPlan) -> bool:
    """Whether the next warm-up call would only end the same way, or take as long."""
    status = seen.failure.http_status if seen.failure is not None else None
    return status in _HOPELESS or (seen.failure is not None and seen.ended - seen.begun >= plan.timeout)


async def _measure(
    probe: Probe, watch: LagWatch, floor: FloorWatch | None
) -> tuple[Measured, Client, dict[About, str]]:
    """The five measurements in order, each with its share of what the audit may spend, the client's part, and
    what was left out."""
    lags: dict[About, LagFigures] = {}
    left_out: dict[About, str] = {}
    wanted = list(needs(probe.plan))

    async def watched(about: About, measure: Callable[[Probe], Awaitable[T]]) -> T:
        probe.seat.place += 1
        if floor is not None:
            async with probe.seat.turn():
                await floor.take()
        ended = probe.stopped_by() in ("interrupted", "gave up")
        too_little = None if ended else probe.spending.share(wanted)
        del wanted[0]
        probe.left_out = too_little is not None
        if too_little is not None:
            left_out[about] = too_little
        watch.take()
        result = await measure(probe)
        lags[about] = lag_figures(watch.take())
        probe.left_out = False
        return result

    pairs = await watched("cache", measure_pairs)
    totals = await watched("short generations", measure_totals)
    structured = await watched("structured output", measure_structured)
    concurrency = await watched("concurrency", measure_concurrency)
    if floor is not None:
        async with probe.seat.turn():
            await floor.take_crowd(concurrency.most)
    task = await watched("task", measure_task)
    measured = Measured(pairs=pairs, totals=totals, structured=structured, concurrency=concurrency, task=task)
    taken = floor.floor() if floor is not None else None
    return measured, Client(floor=taken, judgements=judgements(measured, taken, lags)), left_out
