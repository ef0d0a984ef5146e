"""Runs of tasks through a chat endpoint, several at once, each kept as what happened in it.

A run is one episode: the model's answers come from the endpoint, its calls act on a world of the
run's own. Tools are sent with `strict: false`, so that no grammar stands between the model and a
malformed call; in a constrained arm they are sent as the task has them, and held to their schemas.

Every run has a sampling seed drawn from its task and candidate. Temperatures and arms share it, so
that they are compared on the same random numbers; candidates do not.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from tithe.audit.observation import Observation, observe
from tithe.core import Backend, Message, Request, Sampling, SystemClock, Tool
from tithe.core.errors import EndpointError
from tithe.world import Episode, Family, Split, Task, World, make_task, open_world

T = TypeVar("T")

OPENING = "<tool_call>"
"""In an answer's text: the beginning of a call that the endpoint could not read as one."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """How answers are drawn: at a temperature, and whether calls are held to their schemas."""

    temperature: float
    constrained: bool = False


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What is run.

    `tasks` of each family in each of `arms`, once; then `candidates` of the first `pass_tasks` in
    `pass_arm`. Candidate 0 is the run that the arms have, so it is not run again. `pass_at` are the k
    of pass@k, rising. Seeds count from `first_seed`. `max_tokens` is the most one answer may have.
    """

    families: tuple[Family, ...]
    split: Split
    first_seed: int
    tasks: int
    arms: tuple[Arm, ...]
    candidates: int
    pass_tasks: int
    pass_arm: Arm
    pass_at: tuple[int, ...]
    max_tokens: int
    concurrency: int


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One run to be done."""

    family: Family
    seed: int
    arm: Arm
    candidate: int


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run that took place.

    finished: the model called finish. Neither finished nor `refused`: it ran out of steps.
    steps: calls that were answered, and answers without a call.
    idle: answers in which the endpoint found no call; `idle_garbled` those of them whose text holds
        the beginning of one.
    part_garbled: answers with a call, whose text holds the beginning of another that could not be read.
    faults: calls that could be read and do not fit their tool's schema, or name no tool.
    cut: answers that were ended by `max_tokens`.
    decode_s: seconds from each answer's first token to its last, as the endpoint tells them, in all,
        and `decoded` the tokens in them; None when it does not tell.
    tool_s: seconds that tools and the check of the outcome took, of `wall_s`.
    refused: why the endpoint would not go on with the conversation, as when it grew too long.
    """

    family: Family
    seed: int
    split: Split
    temperature: float
    constrained: bool
    candidate: int
    sampling_seed: int
    succeeded: bool
    finished: bool
    steps: int
    answers: int
    idle: int
    idle_garbled: int
    part_garbled: int
    faults: int
    cut: int
    output_tokens: int | None
    decode_s: float | None
    decoded: int
    tool_s: float
    wall_s: float
    refused: str | None = None

    @property
    def arm(self) -> Arm:
        return Arm(temperature=self.temperature, constrained=self.constrained)


def plan(design: Design) -> tuple[Planned, ...]:
    """The runs of a design, none of them twice. Families take turns and a task's candidates are
    together, so that what an interrupted evaluation leaves can be used."""

    def planned() -> Iterator[Planned]:
        for arm in design.arms:
            for seed in range(design.first_seed, design.first_seed + design.tasks):
                for family in design.families:
                    yield Planned(family=family, seed=seed, arm=arm, candidate=0)
        for seed in range(design.first_seed, design.first_seed + design.pass_tasks):
            for family in design.families:
                for candidate in range(design.candidates):
                    yield Planned(family=family, seed=seed, arm=design.pass_arm, candidate=candidate)

    return tuple(dict.fromkeys(planned()))


def sampling_seed(family: Family, seed: int, candidate: int) -> int:
    """The seed that every request of a run carries."""
    name = f"{family}/{seed}/{candidate}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=6).digest())


class Runner:
    """Runs what is planned; `runs` holds what is done, however the running ends.

    `extra` are fields of the endpoint's own to be sent with every request.
    """

    def __init__(self, backend: Backend, model: str, design: Design, extra: dict[str, Any]) -> None:
        self.runs: list[Run] = []
        self._backend = backend
        self._model = model
        self._design = design
        self._extra = extra
        self._clock = SystemClock()

    async def run(self, planned: tuple[Planned, ...], progress: Callable[[Run], None]) -> None:
        """Run all of it, `concurrency` at once. Raises `EndpointError` when an answer does not come."""
        waiting = iter(planned)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._design.concurrency, len(planned))):
                    group.create_task(self._lane(waiting, progress))
        except* EndpointError as errors:
            raise errors.exceptions[0] from None

    async def _lane(self, waiting: Iterator[Planned], progress: Callable[[Run], None]) -> None:
        # A lane's tools run on one thread of its own: a world that is closed because the lane was
        # cancelled is then closed after the tool that was running, and never beside it.
        with ThreadPoolExecutor(max_workers=1) as thread:
            for planned in waiting:
                run = await self._episode(planned, Tools(thread))
                self.runs.append(run)
                progress(run)

    async def _episode(self, planned: Planned, tools: "Tools") -> Run:
        begun = time.perf_counter()
        split = self._design.split
        world = open_world(make_task(planned.family, planned.seed, split))
        talk = Talk(world)
        seed = sampling_seed(planned.family, planned.seed, planned.candidate)
        try:
            while not talk.over:
                request = self._request(talk.episode, planned.arm, seed)
                seen = await observe(self._backend, request, self._clock, "evaluation")
                if seen.failure is None:
                    await tools.do(lambda seen=seen: talk.take(seen))
                elif seen.failure.http_status == 400 and talk.episode.answers:
                    talk.refused = seen.failure.message
                else:
                    raise EndpointError(seen.failure.message)
        finally:
            await tools.do(world.close)
        return Run(
            family=planned.family,
            seed=planned.seed,
            split=split,
            temperature=planned.arm.temperature,
            constrained=planned.arm.constrained,
            candidate=planned.candidate,
            sampling_seed=seed,
            succeeded=world.succeeded,
            finished=world.answer is not None,
            steps=world.steps,
            answers=talk.episode.answers,
            idle=talk.episode.idle,
            idle_garbled=talk.idle_garbled,
            part_garbled=talk.part_garbled,
            faults=world.faults,
            cut=talk.cut,
            output_tokens=talk.output_tokens,
            decode_s=talk.decode_s if talk.decoded else None,
            decoded=talk.decoded,
            tool_s=tools.seconds,
            wall_s=time.perf_counter() - begun,
            refused=talk.refused,
        )

    def _request(self, episode: Episode, arm: Arm, seed: int) -> Request:
        task = episode.world.task
        return Request(
            model=self._model,
            messages=episode.messages,
            tools=task.tools if arm.constrained else unheld(task),
            max_tokens=self._design.max_tokens,
            sampling=Sampling(temperature=arm.temperature, seed=seed),
            extra=self._extra,
        )


def unheld(task: Task) -> tuple[Tool, ...]:
    """A task's tools, their arguments not held to the schemas."""
    return tuple(msgspec.structs.replace(tool, strict=False) for tool in task.tools)


class Tools:
    """What a run does beside the event loop, one thing after the other, and how long that took."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self.seconds = 0.0
        self._thread = thread

    async def do(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._timed, act)

    def _timed(self, act: Callable[[], T]) -> T:
        begun = time.perf_counter()
        try:
            return act()
        finally:
            self.seconds += time.perf_counter() - begun


class Talk:
    """An episode, and what is counted of its answers."""

    def __init__(self, world: World) -> None:
        self.episode = Episode(world)
        self.idle_garbled = self.part_garbled = self.cut = self.decoded = 0
        self.output_tokens: int | None = None
        self.decode_s = 0.0
        self.refused: str | None = None

    @property
    def over(self) -> bool:
        return self.episode.over or self.refused is not None

    def take(self, seen: Observation) -> None:
        """Move the episode on by an answer as it came."""
        calls = seen.tool_calls
        if OPENING in seen.text:
            self.idle_garbled += not calls
            self.part_garbled += bool(calls)
        self.cut += seen.finish == "length"
        if seen.usage is not None:
            tokens = seen.usage.completion_tokens
            self.output_tokens = (self.output_tokens or 0) + tokens
            if seen.facts is not None and tokens > 1:
                self.decode_s += seen.facts.decode_s
                self.decoded += tokens - 1
        # A turn that has neither calls nor text still needs a text to be one.
        content = seen.text or (None if calls else "")
        self.episode.take(
            Message(role="assistant", content=content, reasoning=seen.reasoning or None, tool_calls=calls)
        )
