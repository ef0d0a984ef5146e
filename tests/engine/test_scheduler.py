"""The scheduler, simulated: no kernels, but every slot of every block knows which prefix was computed into it.

The fake model's next token is a function of what stands in the last slot, so a wrong share, copy or reuse
shows twice: in the slot, and in an answer that differs from the one computed alone.
"""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.engine.blocks import BlockPool, root
from tithe.engine.options import EngineOptions
from tithe.engine.scheduler import FORCED_RUN, PATIENCE, Chunk, Scheduler
from tithe.engine.sequence import Sequence, State

from .house import WORDS, House, Job, document, output


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
    assert scheduler.capacity == 32


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
