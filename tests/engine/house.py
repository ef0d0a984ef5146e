"""A house without kernels: the scheduler's work carried out on a model of the cache's memory.

It advances sequences as `runner` and `generation` do. Every slot of every block holds the hash of the
prefix it was computed for, so a wrong share, copy or reuse is seen at the next step that reads it.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from tithe.engine.blocks import BlockPool, root
from tithe.engine.options import EngineOptions
from tithe.engine.scheduler import FORCED_RUN, Chunk, Scheduler
from tithe.engine.sequence import Sequence, State

WORDS = 5
"""The fake model's vocabulary: small, so that answers and prompts collide."""


def start_of(isolation: str) -> int:
    return zlib.crc32(isolation.encode())


def after(prefix: int, token: int) -> int:
    return zlib.crc32(token.to_bytes(4, "little"), prefix)


def next_token(prefix: int) -> int:
    return zlib.crc32(b"next", prefix) % WORDS


@dataclass
class Job:
    """One call: `n` choices of `most` tokens after `prompt`; `forced` maps an output length to a run."""

    prompt: list[int]
    most: int
    arrives: int = 0
    isolation: str = ""
    priority: int = 0
    n: int = 1
    forced: dict[int, int] = field(default_factory=dict[int, int])
    cancelled: int | None = None

    def longest(self) -> int:
        return len(self.prompt) + self.most

    def forced_run(self, n_output: int) -> list[int]:
        return [(n_output + i) % WORDS for i in range(self.forced.get(n_output, 0))]

    def alone(self) -> list[int]:
        """The answer, computed without any batch, cache or block."""
        prefix = start_of(self.isolation)
        for token in self.prompt:
            prefix = after(prefix, token)
        output: list[int] = []
        while True:
            for token in self.forced_run(len(output)):
                output.append(token)
                prefix = after(prefix, token)
                if len(output) >= self.most:
                    return output
            token = next_token(prefix)
            output.append(token)
            prefix = after(prefix, token)
            if len(output) >= self.most:
                return output


class House:
    """The pool, the scheduler, and what runner and generation do, on remembered prefixes for kernels."""

    def __init__(
        self, jobs: Iterable[Job], n_blocks: int, size: int, options: EngineOptions, seed: int = 0
    ) -> None:
        self.pool = BlockPool(n_blocks, size)
        self.scheduler = Scheduler(self.pool, options)
        self.options = options
        self.jobs = list(jobs)
        self.random = Random(seed)
        self.content: list[list[int | None]] = [[None] * size for _ in range(n_blocks)]
        self.of: dict[Sequence, Job] = {}
        self.choices: list[list[Sequence]] = []
        self.open: set[Sequence] = set()
        self.forked: set[int] = set()
        self.steps = 0
        self.computed = 0
        self.first: dict[int, int] = {}
        """Steps after which each job's first token was sampled."""
        self.order: list[int] = []
        """Jobs in the order in which their first chunks were computed."""

    def run(self, most_steps: int, each: Callable[[list[Chunk]], None] | None = None) -> None:
        pending = sorted(range(len(self.jobs)), key=lambda i: self.jobs[i].arrives)
        self.choices = [[] for _ in self.jobs]
        while pending or self.open:
            while pending and (self.jobs[pending[0]].arrives <= self.steps or not self.open):
                self.admit(pending.pop(0))
            for i, job in enumerate(self.jobs):
                if job.cancelled is not None and job.arrives + job.cancelled <= self.steps:
                    self.cancel(self.choices[i])
            if self.open:
                chunks = self.step()
                if each is not None:
                    each(chunks)
            self.check_owners()
            assert self.steps <= most_steps, "a sequence starves"

    def admit(self, i: int) -> None:
        job = self.jobs[i]
        for _ in range(job.n):
            sequence = Sequence(
                job.prompt,
                root=root(job.isolation),
                arrived=float(job.arrives),
                priority=job.priority,
                ageing=self.options.ageing,
            )
            assert job.longest() <= self.scheduler.capacity
            self.of[sequence] = job
            self.choices[i].append(sequence)
            self.open.add(sequence)
            self.take_forced(sequence)
            if sequence not in self.open:
                self.scheduler.end(sequence)
        # The other choices begin as forks of the first.
        if self.choices[i][0] in self.open:
            self.scheduler.add(self.choices[i][0])

    def cancel(self, choices: list[Sequence]) -> None:
        for sequence in choices:
            if sequence in self.open:
                self.end(sequence)
                assert sequence.table == []

    def end(self, sequence: Sequence) -> None:
        self.open.discard(sequence)
        self.scheduler.end(sequence)

    # A step.

    def step(self) -> list[Chunk]:
        running = list(self.scheduler.running)
        decoding = [s for s in running if s.computed >= s.prompt_len and s.decided - s.computed <= FORCED_RUN]
        preemptions = {s: s.preemptions for s in running}
        plan = self.scheduler.plan()
        self.steps += 1
        assert plan.chunks, "there is work, and none of it is planned"
        preempted = {s for s in running if s.preemptions > preemptions[s]}
        for given_up in preempted:
            assert all(s.rank <= given_up.rank for s in running if s not in preempted)
        self.check_budgets(plan.chunks, [s for s in decoding if s not in preempted])
        for source, target in plan.copies:
            self.content[target] = list(self.content[source])
        self.scheduler.copied()
        self.check_owners()
        self.check_writers(plan.chunks)
        self.compute(plan.chunks)
        return plan.chunks

    def check_budgets(self, chunks: list[Chunk], decoding: list[Sequence]) -> None:
        planned = [chunk.sequence for chunk in chunks]
        assert len(planned) == len(set(planned))
        assert set(decoding) <= set(planned), "a sequence that answers got no token"
        prompts = sum(chunk.n for chunk in chunks if chunk.sequence not in decoding)
        assert prompts <= (self.options.mixed_tokens if decoding else self.options.step_tokens)
        assert len(self.scheduler.running) <= self.options.max_running
        for sequence, count, whole in chunks:
            assert 0 < count <= sequence.remaining
            assert whole == (count == sequence.remaining)
            assert sequence.state is State.RUNNING
            assert not whole or count >= 1 + sequence.drafted, "a draft's row is not computed in this step"

    def check_owners(self) -> None:
        """Between steps, every reference is an entry in the table of a running sequence."""
        held: dict[int, int] = {}
        for sequence in self.scheduler.running:
            assert len(set(sequence.table)) == len(sequence.table)
            assert len(sequence.table) * self.pool.size >= sequence.computed
            for block in sequence.table:
                held[block] = held.get(block, 0) + 1
        assert [self.pool.refs(b) for b in range(self.pool.n_blocks)] == [
            held.get(b, 0) for b in range(self.pool.n_blocks)
        ]
        for sequence in self.scheduler.waiting:
            assert not sequence.table
            assert not sequence.computed

    def check_writers(self, chunks: list[Chunk]) -> None:
        size = self.pool.size
        written: set[int] = set()
        for sequence, count, _ in chunks:
            assert len(sequence.table) * size >= sequence.computed + count, "tokens without a block"
            for i in range(sequence.computed // size, (sequence.computed + count - 1) // size + 1):
                block = sequence.table[i]
                assert self.pool.refs(block) == 1
                assert block not in self.pool._registered.values()
                assert block not in written
                written.add(block)

    def compute(self, chunks: list[Chunk]) -> None:
        """As `Runner.run`; the kernels see every past slot, so every one of them is looked at."""
        size = self.pool.size
        results: list[list[int]] = []
        for sequence, count, _ in chunks:
            prefix = start_of(self.of[sequence].isolation)
            rows: list[int] = []
            for at, token in enumerate(sequence.tokens[: sequence.computed + count]):
                prefix = after(prefix, token)
                slots = self.content[sequence.table[at // size]]
                if at < sequence.computed:
                    assert slots[at % size] == prefix, "a cached slot holds another prefix"
                else:
                    slots[at % size] = prefix
                    rows.append(next_token(prefix))
            results.append(rows)
        for (sequence, count, whole), rows in zip(chunks, results, strict=True):
            self.computed += count
            job = self.index(sequence)
            if job not in self.order:
                self.order.append(job)
            sequence.computed += count
            if not whole:
                self.scheduler.settle(sequence)
                continue
            n_rows = 1 + sequence.drafted
            drafted, sequence.computed = sequence.computed, sequence.decided
            self.scheduler.settle(sequence)
            sequence.computed = drafted
            self.sampled(sequence, rows[-n_rows:])

    def index(self, sequence: Sequence) -> int:
        return next(i for i, choices in enumerate(self.choices) if sequence in choices)

    def sampled(self, sequence: Sequence, rows: list[int]) -> None:
        i = self.index(sequence)
        if i not in self.first:
            self.first[i] = self.steps
            for other in self.choices[i][1:]:
                copied = self.scheduler.fork(self.choices[i][0], other)
                if copied is not None:
                    self.content[copied[1]] = list(self.content[copied[0]])
                if other.table:
                    self.accept(other, rows)
        self.accept(sequence, rows)

    # As `Generation`.

    def accept(self, sequence: Sequence, rows: list[int]) -> None:
        drafts = sequence.tokens[sequence.decided :]
        del sequence.tokens[sequence.decided :]
        sequence.drafted = 0
        computed = len(sequence.tokens)
        for i, token in enumerate(rows):
            confirmed = i < len(drafts) and token == drafts[i]
            ended = self.take(sequence, token)
            if not ended and confirmed:
                computed += 1
            if ended or self.take_forced(sequence) or not confirmed:
                break
        sequence.computed = min(computed, len(sequence.tokens))
        if sequence in self.open:
            self.draft(sequence)
        else:
            self.scheduler.end(sequence)

    def take(self, sequence: Sequence, token: int) -> bool:
        sequence.tokens.append(token)
        if len(sequence.tokens) - sequence.prompt_len >= self.of[sequence].most:
            self.open.discard(sequence)
        return sequence not in self.open

    def take_forced(self, sequence: Sequence) -> bool:
        if sequence not in self.open:
            return False
        run = self.of[sequence].forced_run(len(sequence.tokens) - sequence.prompt_len)
        for token in run:
            if self.take(sequence, token):
                break
        return bool(run)

    def draft(self, sequence: Sequence) -> None:
        """Drafts that are right as often as not."""
        job = self.of[sequence]
        room = job.most - (len(sequence.tokens) - sequence.prompt_len) - 1
        n = min(self.options.drafting, room)
        if n <= 0:
            return
        output = len(sequence.tokens) - sequence.prompt_len
        drafts = job.alone()[output : output + n]
        if self.random.random() < 0.7:
            drafts[self.random.randrange(n)] = self.random.randrange(WORDS)
        sequence.tokens.extend(drafts)
        sequence.drafted = len(drafts)


def output(sequence: Sequence) -> list[int]:
    return sequence.tokens[sequence.prompt_len : sequence.decided]


def document(which: int, n: int) -> list[int]:
    return [(which + i * i // 3) % WORDS for i in range(n)]
