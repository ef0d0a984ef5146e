"""The embedded engine: a `Backend` that computes.

Two threads meet here. The reader's event loop renders, tokenizes and compiles a request, hands it
over and waits on its inbox. The engine's own thread plans, runs and samples, one step after another
as long as there is anything to compute, and tells each reader at the end of a step what is new. The
kernels release the GIL, so the loop serves sockets while a step runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Generator, Mapping

from tithe.core.clock import Clock, SystemClock
from tithe.core.errors import EngineError, Overloaded, TitheError
from tithe.core.event import Event, Sent
from tithe.core.request import Request
from tithe.engine import files
from tithe.engine.blocks import BlockPool
from tithe.engine.call import Call, Word
from tithe.engine.generation import Generation
from tithe.engine.intake import Intake
from tithe.engine.kernels import BLOCK_SIZE, Kernels
from tithe.engine.options import EngineOptions
from tithe.engine.runner import Rows, Runner
from tithe.engine.scheduler import Plan, Scheduler
from tithe.engine.sequence import Sequence
from tithe.engine.session import Sessions, Turns
from tithe.engine.template import ChatTemplate
from tithe.engine.vocabulary import Vocabulary

_log = logging.getLogger(__name__)


class Engine:
    """Serves requests on the local CPU. Make one with `Engine.load`.

    Attributes:
        model: the name of the model, as requests give it.
    """

    def __init__(
        self, model: files.ModelFiles, kernels: Kernels, options: EngineOptions, clock: Clock | None = None
    ) -> None:
        self.model = model.name
        self._options = options
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._vocabulary = Vocabulary(model.tokenizer, model.eos, kernels.vocab_size)
        self._turns = Turns(self._vocabulary)
        self._sessions = Sessions()
        self._pool = BlockPool(kernels.n_blocks, BLOCK_SIZE)
        self._scheduler = Scheduler(self._pool, options)
        self._runner = Runner(kernels, self._scheduler)
        self._intake = Intake(
            ChatTemplate(model.template, self._vocabulary.guard),
            self._vocabulary,
            self._turns,
            self._sessions,
            options,
            context=min(model.context, self._scheduler.capacity),
        )
        self._of: dict[Sequence, tuple[Call, Generation]] = {}
        self._news: dict[Call, list[Word]] = {}
        self._wake = threading.Condition()
        self._arrivals: deque[Call] = deque()
        self._departures: deque[Call] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="tithe-engine", daemon=True)
        self._thread.start()

    @classmethod
    def load(cls, model: str = files.BUNDLED, options: EngineOptions | None = None) -> Engine:
        """Load a model folder, a Hub id or the bundled model. Raises `ModelFilesError`."""
        options = options if options is not None else EngineOptions()
        found = files.find(model)
        kernels = Kernels(
            found.ir,
            context=found.context,
            precision=options.precision,
            threads=options.threads,
            kv_bytes=options.kv_bytes,
        )
        return cls(found, kernels, options)

    def gauges(self) -> Mapping[str, float]:
        """What the engine holds and does at this moment, for a metrics page."""
        return {
            "running": len(self._scheduler.running),
            "waiting": len(self._scheduler.waiting),
            "kv_blocks": self._pool.n_blocks,
            "kv_blocks_used": self._pool.in_use,
            "kv_blocks_cached": self._pool.cached,
            "kv_blocks_evicted": self._pool.evicted,
            "steps": self._runner.steps,
            "computed_tokens": self._runner.computed,
        }

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """Answer a request (see `core.Backend`).

        Raises `InvalidRequest`, `ContextOverflow` and `Overloaded` before the first event; later an
        `EngineError` when a step fails, or `InvalidRequest` when a schema grows beyond what can be followed.
        """
        arrived = self._clock.now()
        if len(self._scheduler.waiting) + len(self._arrivals) >= self._options.max_waiting:
            raise Overloaded(
                f"{self._options.max_waiting} requests are waiting already. Try again in a moment, "
                "or raise --max-waiting."
            )
        call = await self._intake.prepare(request, arrived)
        call.queued = self._clock.now()
        self._hand_over(self._arrivals, call)
        try:
            yield Sent(at=arrived, unused=self._intake.unused(request))
            while (word := await call.inbox.get()) is not None:
                if isinstance(word, TitheError):
                    raise word
                for event in word:
                    yield event
        finally:
            self._hand_over(self._departures, call)

    async def aclose(self) -> None:
        """Stop the engine. Calls still open end with an `EngineError`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self, queue: deque[Call], call: Call) -> None:
        with self._wake:
            if self._closing:
                call.inbox.put_nowait(_closed())
                return
            queue.append(call)
            self._wake.notify()

    # What follows runs on the engine's thread.

    def _serve(self) -> None:
        while True:
            with self._wake:
                while not (self._arrivals or self._departures or self._closing or self._has_work()):
                    self._wake.wait()
                arrivals, departures = list(self._arrivals), list(self._departures)
                self._arrivals.clear()
                self._departures.clear()
                if self._closing:
                    self._fail({call for call, _ in self._of.values()} | set(arrivals), _closed())
                    self._tell()
                    return
            for call in arrivals:
                with self._failing({call}):
                    self._admit(call)
            for call in departures:
                self._leave(call)
            if self._has_work():
                self._step()
            self._tell()

    @contextlib.contextmanager
    def _failing(self, calls: set[Call]) -> Generator[None, None, None]:
        """Whatever goes wrong inside ends these calls with an error, and the engine goes on."""
        try:
            yield
        except TitheError as error:
            self._fail(calls, error)
        except Exception as error:  # noqa: BLE001 - a defect must not leave readers waiting for ever
            _log.exception("a step failed")
            self._fail(
                calls, EngineError(f"The engine failed: {type(error).__name__}: {error}. Please report it.")
            )

    def _has_work(self) -> bool:
        return bool(self._scheduler.running or self._scheduler.waiting)

    def _admit(self, call: Call) -> None:
        for generation in call.generations:
            self._of[generation.sequence] = (call, generation)
            generation.begin()
            if generation.ended is not None:
                self._finish(call, generation, self._clock.now())
        if call.open:
            # The other choices begin as forks of the first, once its prompt is computed.
            self._scheduler.add(call.generations[0].sequence)

    def _leave(self, call: Call) -> None:
        for generation in list(call.open):
            self._scheduler.end(generation.sequence)
            self._of.pop(generation.sequence, None)
        call.open.clear()

    def _step(self) -> None:
        with self._failing({call for call, _ in self._of.values()}):
            plan = self._scheduler.plan()
            self._run(plan)

    def _run(self, plan: Plan) -> None:
        now = self._clock.now()
        touched = {self._of[chunk.sequence][0] for chunk in plan.chunks}
        for call in touched:
            call.started = now if call.started is None else call.started
            call.steps += 1
        with self._failing(touched):
            self._runner.run(plan, self._sampled)

    def _sampled(self, sequence: Sequence, rows: Rows) -> None:
        call, generation = self._of[sequence]
        with self._failing({call}):
            if call.first is None:
                self._fork(call, rows)
            self._advance(call, generation, rows)

    def _fork(self, call: Call, rows: Rows) -> None:
        """The prompt is computed: start the other choices on its blocks."""
        for other in call.generations[1:]:
            if other in call.open:
                self._runner.copy(self._scheduler.fork(call.generations[0].sequence, other.sequence))
                if other.sequence.table:
                    self._advance(call, other, rows)

    def _advance(self, call: Call, generation: Generation, rows: Rows) -> None:
        generation.accept(rows)
        at = self._clock.now()
        call.sampled(at)
        deltas = generation.answer.drain(at)
        if deltas:
            self._news.setdefault(call, []).append(list(deltas))
        if generation.ended is not None:
            self._finish(call, generation, at)

    def _finish(self, call: Call, generation: Generation, at: float) -> None:
        deltas = generation.answer.drain(at)
        self._scheduler.end(generation.sequence)
        self._of.pop(generation.sequence, None)
        output = generation.output
        self._turns.remember(call.prompt, output)
        self._sessions.paid(call.request, call.prompt.ids + output)
        news = self._news.setdefault(call, [])
        news.append([*deltas, *call.finished(generation, at)])
        if not call.open:
            news.append(None)

    def _fail(self, calls: set[Call], error: TitheError) -> None:
        for call in calls:
            self._leave(call)
            self._news.setdefault(call, []).append(error)

    def _tell(self) -> None:
        """Tell every reader what is new, one wake-up an event loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Call, list[Word]]]] = {}
        for call, words in self._news.items():
            by_loop.setdefault(call.loop, []).append((call, words))
        self._news.clear()
        for loop, told in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_deliver, told)


def _deliver(told: list[tuple[Call, list[Word]]]) -> None:
    for call, words in told:
        for word in words:
            call.inbox.put_nowait(word)


def _closed() -> EngineError:
    return EngineError("The engine was closed before the answer was complete.", code="closed")
