"""The scheduler, simulated: no kernels, but every slot of every block knows which prefix was computed into it.

The fake model's next token is a function of what stands in the last slot, so a wrong share, copy or reuse
shows twice: in the slot, and in an answer that differs from the one computed alone.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.engine.blocks import BlockPool, root
from tithe.engine.options import EngineOptions
from tithe.engine.scheduler import FORCED_RUN, PATIENCE, Chunk, Scheduler
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
            assert self.scheduler.fits(job.longest())
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


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    shared = draw(st.integers(0, 40))
    prompt = document(draw(st.integers(0, 1)), shared) + draw(st.lists(st.integers(0, 1), max_size=12))
    most = draw(st.integers(1, 25) | st.integers(60, 110))
    forced = draw(st.dictionaries(st.integers(0, 12), st.integers(1, 6) | st.integers(60, 90), max_size=2))
    return Job(
        prompt=prompt or [0],
        most=most,
        arrives=draw(st.integers(0, 20)),
        isolation=draw(st.sampled_from(["", "", "", "other"])),
        priority=draw(st.sampled_from([0, 0, 1, -1, 5])),
        n=draw(st.sampled_from([1, 1, 1, 3])),
        forced=forced,
        cancelled=draw(st.none() | st.none() | st.integers(0, 40)),
    )


@st.composite
def houses(draw: st.DrawFn) -> House:
    wanted = draw(st.lists(jobs(), min_size=1, max_size=6))
    size = draw(st.sampled_from([1, 2, 4, 8]))
    least = max(-(-job.longest() // size) + 1 for job in wanted)
    options = EngineOptions(
        step_tokens=draw(st.sampled_from([1, 7, 16, 64])),
        mixed_tokens=draw(st.sampled_from([1, 5, 16])),
        max_running=draw(st.sampled_from([1, 2, 8])),
        ageing=draw(st.sampled_from([0.5, 2.0, 50.0])),
        drafting=draw(st.sampled_from([0, 0, 3, 8])),
    )
    return House(wanted, least + draw(st.integers(0, least)), size, options, seed=draw(st.integers(0, 99)))


@settings(max_examples=150, deadline=None)
@given(houses())
def test_whatever_comes_every_answer_is_the_one_computed_alone(house: House) -> None:
    tokens = sum(job.longest() * job.n for job in house.jobs)
    house.run(most_steps=20 * tokens + 100)
    for job, choices in zip(house.jobs, house.choices, strict=True):
        assert len(choices) == job.n
        for sequence in choices:
            assert sequence.state is State.ENDED
            assert sequence.table == []
            if job.cancelled is None:
                assert output(sequence) == job.alone()
            else:
                assert output(sequence) == job.alone()[: len(output(sequence))]
            assert 0 <= sequence.cached <= sequence.prompt_len
    assert house.pool.available == house.pool.n_blocks
    assert all(house.pool.refs(block) == 0 for block in range(house.pool.n_blocks))
    taken = [house.pool.allocate() for _ in range(house.pool.n_blocks)]
    assert None not in taken


ROOMY = EngineOptions(step_tokens=512, mixed_tokens=128)


def agents(shared: int, own: int, n: int = 8, most: int = 4) -> list[Job]:
    prefix = [i % 251 for i in range(shared)]
    return [Job(prompt=prefix + [1000 + which] * own, most=most) for which in range(n)]


@pytest.mark.parametrize("shared", [2048, 2060, 2077])
@pytest.mark.parametrize("own", [50, 5])
@pytest.mark.parametrize("apart", [0, 3])
def test_agents_prefill_their_common_prefix_once(shared: int, own: int, apart: int) -> None:
    jobs = agents(shared, own)
    for i, job in enumerate(jobs):
        job.arrives = i * apart
    house = House(jobs, 200, 32, ROOMY)
    house.run(most_steps=500)
    answers = sum(job.most - 1 for job in jobs)
    ideal = shared + sum(len(job.prompt) - shared for job in jobs)
    assert ideal <= house.computed - answers <= 1.01 * ideal


def test_two_groups_at_once_prefill_each_prefix_once() -> None:
    groups = [[Job(prompt=[group] * 100 + [9, i], most=1) for i in range(4)] for group in (1, 2)]
    house = House([job for pair in zip(*groups, strict=True) for job in pair], 100, 32, ROOMY)
    house.run(most_steps=100)
    assert house.computed == 2 * (101 + 4)


def test_an_answer_is_cached_for_the_turn_that_goes_on_from_it() -> None:
    first = Job(prompt=document(0, 45), most=10)
    house = House([first], 50, 8, ROOMY)
    house.run(most_steps=50)
    # The last token of an answer is never computed.
    second = Job(prompt=first.prompt + first.alone() + [1, 2, 3], most=1)
    house.jobs = [second]
    before = house.computed
    house.run(most_steps=100)
    assert house.choices[0][0].cached == 45 + 10 - 1
    assert house.computed - before == 1 + 3


def test_verified_drafts_are_cached_too() -> None:
    first = Job(prompt=document(0, 30), most=40)
    house = House([first], 50, 8, EngineOptions(drafting=8), seed=1)
    house.run(most_steps=50)
    house.jobs = [Job(prompt=first.prompt + first.alone() + [1], most=1)]
    house.run(most_steps=100)
    # Every block but the last is whole; of that one, whatever was computed for good.
    assert house.choices[0][0].cached > 64


@pytest.mark.parametrize("run", range(FORCED_RUN - 8, FORCED_RUN + 4))
@pytest.mark.parametrize("step_tokens", [16, 67, 512])
def test_drafts_after_a_long_forced_run_do_no_harm(run: int, step_tokens: int) -> None:
    options = EngineOptions(drafting=8, step_tokens=step_tokens, mixed_tokens=16)
    jobs = [Job(prompt=document(0, 12), most=120, forced={5: run}) for _ in range(2)]
    for seed in range(4):
        house = House(jobs, 60, 8, options, seed)
        house.run(most_steps=1_000)
        assert [output(sequence) for (sequence,) in house.choices] == [job.alone() for job in jobs]


def test_decodes_are_not_held_up_by_a_long_prompt() -> None:
    jobs = [Job(prompt=[1] * 10, most=40), Job(prompt=[2] * 2000, most=1, arrives=3)]
    house = House(jobs, 200, 32, ROOMY)
    gaps: list[int] = []

    def each(chunks: list[Chunk]) -> None:
        if house.choices[0] and house.choices[0][0] in house.open:
            gaps.append(sum(chunk.n for chunk in chunks if chunk.sequence is house.choices[0][0]))

    house.run(most_steps=200, each=each)
    assert set(gaps[1:]) == {1}


def warm_and_cold(waited: float) -> list[int]:
    """Which of a warm short prompt (job 1) and a cold long one (job 0) that came earlier goes first."""
    warm = [3] * 512
    house = House([Job(prompt=warm, most=1)], 400, 32, EngineOptions(step_tokens=64, ageing=2.0))
    house.run(most_steps=100)
    house.order.clear()
    house.jobs = [Job(prompt=[4] * 2048, most=1), Job(prompt=[*warm, *range(50)], most=1)]
    house.choices = [[], []]
    for i, at in enumerate((100.0, 100.0 + waited)):
        sequence = Sequence(house.jobs[i].prompt, root=root(""), arrived=at, priority=0, ageing=2.0)
        house.choices[i].append(sequence)
        house.of[sequence] = house.jobs[i]
        house.open.add(sequence)
        house.scheduler.add(sequence)
    while house.open:
        house.step()
    return house.order


def test_a_warm_prompt_goes_before_a_cold_one_but_not_before_one_that_has_waited_long() -> None:
    assert warm_and_cold(1.0) == [1, 0]
    assert warm_and_cold(3.0) == [0, 1]


def test_a_level_of_priority_is_worth_so_many_seconds() -> None:
    def order(later: int) -> list[int]:
        jobs = [
            Job(prompt=[1] * 40, most=30, arrives=0),
            Job(prompt=[2] * 40, most=1, arrives=1),
            Job(prompt=[3] * 40, most=1, arrives=1 + later, priority=1),
        ]
        house = House(jobs, 40, 8, EngineOptions(max_running=1, ageing=4.0))
        house.run(most_steps=200)
        return house.order

    assert order(3) == [0, 2, 1]
    assert order(5) == [0, 1, 2]


def test_one_that_does_not_fit_holds_nobody_up_and_is_not_starved() -> None:
    small = [Job(prompt=[i % WORDS, i // WORDS, *[7] * 14], most=8, arrives=i) for i in range(1, 120)]
    large = Job(prompt=[9] * 300, most=4, arrives=2)
    house = House([large, *small], 42, 8, EngineOptions(ageing=0.001))
    house.run(most_steps=2_000)
    before = sum(at < house.first[0] for at in house.first.values())
    assert before >= 3, "those that fit wait for the one that does not"
    assert before <= 2 * PATIENCE, "the one that does not fit is starved"


def test_cancelling_frees_the_blocks_at_once() -> None:
    house = House([Job(prompt=[1] * 100, most=50), Job(prompt=[2] * 100, most=50)], 60, 8, ROOMY)
    house.choices = [[], []]
    house.admit(0)
    house.admit(1)
    for _ in range(5):
        house.step()
    held = house.pool.in_use
    house.cancel(house.choices[0])
    assert house.pool.in_use == held // 2
    house.cancel(house.choices[1])
    assert house.pool.in_use == 0
    assert not house.scheduler.running
    assert not house.scheduler.waiting


def test_the_lowest_rank_gives_way_and_loses_nothing() -> None:
    jobs = [Job(prompt=[i] * 30, most=60, arrives=i, priority=int(i == 2)) for i in range(3)]
    house = House(jobs, 24, 8, EngineOptions(ageing=10.0))
    ends: list[int] = []

    def each(chunks: list[Chunk]) -> None:
        for i, choices in enumerate(house.choices):
            if choices and choices[0] not in house.open and i not in ends:
                ends.append(i)

    house.run(most_steps=2_000, each=each)
    first, second, favoured = (choices[0] for choices in house.choices)
    assert (first.preemptions, favoured.preemptions) == (0, 0)
    assert second.preemptions > 0
    assert ends[-1] == 1
    assert [output(s) for s in (first, second, favoured)] == [job.alone() for job in jobs]


def test_a_sequence_fits_an_empty_pool_to_its_last_block_but_one() -> None:
    scheduler = Scheduler(BlockPool(5, 8), ROOMY)
    assert scheduler.fits(32)
    assert not scheduler.fits(33)


def test_forks_share_every_full_block() -> None:
    house = House([Job(prompt=[1] * 69, most=3, n=4)], 40, 8, ROOMY)
    house.choices = [[]]
    house.admit(0)
    house.step()
    tables = [sequence.table for sequence in house.choices[0]]
    assert all(table[:8] == tables[0][:8] for table in tables)
    assert len({table[8] for table in tables}) == 4
    assert house.computed == 69
    for earlier, later in pairwise(house.choices[0]):
        assert output(earlier) == output(later)
