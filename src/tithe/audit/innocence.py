"""Is the client innocent? A figure is only as good as the client that took it.

Two things are watched. **Loop lag**: how late the event loop answers when something outside it asks
for attention, which is how late a token's arrival could have been stamped. A thread asks every 10 ms;
lateness counts from the instant it meant to ask, so its own waiting is held against us. **The floor**:
the same calls, by the same client, against a backend that answers at once (the null backend, over a
real socket). What the floor shows was never the endpoint's. A machine is quicker at one moment than at
another, so the floor's calls are spread over the audit, a few before each measurement, after a warm-up
that opens the connections.

A verdict is withheld when the lag's p99 or the floor's median is over a fifth of the figure it stands on.
"""

import asyncio
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import msgspec
import numpy as np

from tithe.audit.concurrency import Round, concurrency_figures, run_round
from tithe.audit.observation import Observation
from tithe.audit.plan import PROBE_TOKENS
from tithe.audit.probe import Probe
from tithe.core import Clock
from tithe.core.statistics import Estimate, median

FAR_BELOW = 0.2
LAG_INTERVAL_S = 0.01
_FLOOR_WARMUPS = 3
_FLOOR_CALLS = 5
_WARM_CROWD = 8


class LagFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds by which the event loop was late, over `n` looks; None: it was not looked at."""

    n: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """What the client alone takes, in seconds: the calls seen against the null backend, and their medians.

    `ttft_s` is of the longest prompt, `step_s` of a step's `step_tokens` to the last of them,
    `crowd_ttft_s` and `crowd_step_s` of `agents` at once.
    """

    observations: tuple[Observation, ...]
    crowd: tuple[Round, ...]
    agents: int
    step_tokens: int
    ttft_s: Estimate | None
    step_s: Estimate | None
    crowd_ttft_s: Estimate | None
    crowd_step_s: Estimate | None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a figure may carry a verdict; `withheld` is the reason when it may not."""

    lag: LagFigures
    floor_s: float | None
    figure_s: float | None
    withheld: str | None


class LagWatch(Protocol):
    """Something that watches the running event loop's lag."""

    def start(self) -> None: ...

    def take(self) -> tuple[float, ...]:
        """The lags seen since the last take, in seconds."""
        ...

    def aside(self) -> AbstractContextManager[None]:
        """While the block runs the loop computes between calls, and lateness is not held against it."""
        ...

    def stop(self) -> None: ...


class ThreadedLagWatch:
    """Watches the running loop from a thread of its own."""

    def __init__(self, clock: Clock, interval_s: float = LAG_INTERVAL_S) -> None:
        self._clock = clock
        self._interval = interval_s
        self._lags: list[float] = []
        self._counts_from = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch; call from inside the running loop."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._watch, args=(loop,), name="lag-watch", daemon=True)
        self._thread.start()

    def take(self) -> tuple[float, ...]:
        taken, self._lags = tuple(self._lags), []
        return taken

    @contextmanager
    def aside(self) -> Generator[None, None, None]:
        try:
            yield
        finally:
            self._counts_from = self._clock.now()

    def stop(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        answered = threading.Event()

        def answer(due: float) -> None:
            # What was due while the loop was busy aside is answered after it.
            if due >= self._counts_from:
                self._lags.append(self._clock.now() - due)
            answered.set()

        while True:
            due = self._clock.now() + self._interval
            if self._over.wait(self._interval):
                return
            answered.clear()
            try:
                loop.call_soon_threadsafe(answer, due)
            except RuntimeError:  # the loop was closed first
                return
            # One question at a time: a blocked loop gives one long lag, not a hundred of the same.
            while not answered.wait(self._interval):
                if self._over.is_set():
                    return


def lag_figures(lags: tuple[float, ...]) -> LagFigures:
    """Median, p99 and maximum of the lags."""
    if not lags:
        return LagFigures(n=0, p50_s=None, p99_s=None, max_s=None)
    p50, p99, most = np.quantile(np.asarray(lags, dtype=np.float64), [0.5, 0.99, 1.0])
    return LagFigures(n=len(lags), p50_s=float(p50), p99_s=float(p99), max_s=float(most))


class FloorWatch:
    """Takes the floor a few calls at a time: the audit's kinds of call, against the backend that `null` probes."""

    def __init__(self, null: Probe) -> None:
        self._null = null
        self._system = null.prompts.system(null.plan.prefix, "floor/shared")
        self._firsts: list[Observation] = []
        self._steps: list[Observation] = []
        self._crowd: list[Round] = []

    async def warm_up(self) -> None:
        """Open the connections and import what the first answers need; enters no figure."""
        for number in range(_FLOOR_WARMUPS):
            await self._step(f"warm-up/{number}")
        await self._round(_WARM_CROWD, -1)

    async def take(self) -> None:
        """A few single calls: for the first token of the longest prompt, and for a whole step."""
        plan = self._null.plan
        for _ in range(_FLOOR_CALLS):
            name = str(len(self._firsts))
            self._firsts.append(await self._call(f"first/{name}", max(plan.lengths), PROBE_TOKENS))
            self._steps.append(await self._step(name))

    async def take_crowd(self, agents: int) -> None:
        """As many agents at once as the concurrency went up to."""
        if agents:
            self._crowd.append(await self._round(agents, len(self._crowd)))

    async def _step(self, name: str) -> Observation:
        return await self._call(f"step/{name}", self._null.plan.prefix, self._null.plan.step_out)

    async def _call(self, name: str, length: int, tokens: int) -> Observation:
        prompts = self._null.prompts
        messages = (
            prompts.system(length, f"floor/{name}"),
            prompts.user(self._null.plan.tail, f"floor/{name}/tail"),
        )
        return await self._null.call(self._null.request(messages, tokens), "floor")

    async def _round(self, agents: int, number: int) -> Round:
        return await run_round(self._null, self._system, agents, number)

    def floor(self) -> Floor:
        """The floor of all that was taken."""
        plan = self._null.plan
        ttfts = [one.ttft for one in self._firsts if one.answered and one.ttft is not None]
        steps = [one.total for one in self._steps if one.answered and one.total is not None]
        crowd = concurrency_figures(tuple(self._crowd), step_tokens=plan.step_out, seed=plan.seed)
        return Floor(
            observations=(*self._firsts, *self._steps),
            crowd=tuple(self._crowd),
            agents=crowd[-1].agents if crowd else 0,
            step_tokens=plan.step_out,
            ttft_s=median(ttfts, seed=plan.seed),
            step_s=median(steps, seed=plan.seed),
            crowd_ttft_s=crowd[-1].ttft_p50_s if crowd else None,
            crowd_step_s=crowd[-1].step_s if crowd else None,
        )


def judge(figure: Estimate | None, floor: Estimate | None, lag: LagFigures) -> Judgement:
    """Whether `figure` (seconds) stands far enough above the client's floor and lag to carry a verdict."""
    return Judgement(
        lag=lag,
        floor_s=floor.value if floor is not None else None,
        figure_s=figure.value if figure is not None else None,
        withheld=_reason(figure, floor, lag),
    )


def _reason(figure: Estimate | None, floor: Estimate | None, lag: LagFigures) -> str | None:
    if figure is None:
        return "no call that it stands on was answered"
    if floor is None:
        return "the client's floor was not measured"
    if lag.p99_s is None:
        return "the client's event loop was not watched"
    most = FAR_BELOW * figure.value
    if floor.value > most:
        return (
            f"the client alone takes {_ms(floor.value)} of the {_ms(figure.value)} measured, over a fifth: "
            "too close to tell the endpoint's part"
        )
    if lag.p99_s > most:
        return (
            f"the client's event loop was {_ms(lag.p99_s)} late (p99), over a fifth of the "
            f"{_ms(figure.value)} measured: this machine was too busy to tell"
        )
    return None


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"
