"""The block pool: whoever holds, fills, shares, forks and lets go, in whatever order, the books are right."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tithe.engine.blocks import BlockPool, chained, common_length, root

ISOLATIONS = ("", "another key")
runs = st.lists(st.integers(0, 1), min_size=1, max_size=9)


class Holder:
    """A sequence as far as the pool knows one: tokens, all computed, and the blocks they are in."""

    def __init__(self, isolation: str) -> None:
        self.isolation = isolation
        self.tokens: list[int] = []
        self.table: list[int] = []

    def digest(self, n_blocks: int, size: int) -> bytes:
        digest = root(self.isolation)
        for i in range(n_blocks):
            digest = chained(digest, self.tokens[i * size : (i + 1) * size])
        return digest


class Books(RuleBasedStateMachine):
    """Holders come and go; `written` tells what was last put into each block: whose prefix, up to where."""

    @initialize(n_blocks=st.integers(2, 16), size=st.integers(1, 3))
    def open(self, n_blocks: int, size: int) -> None:
        self.pool = BlockPool(n_blocks, size)
        self.holders: list[Holder] = []
        self.written: dict[int, tuple[str, tuple[int, ...]]] = {}

    def fill(self, holder: Holder, tokens: list[int]) -> None:
        """Compute tokens one by one, naming each block as it gets full; stops when there is no block."""
        size = self.pool.size
        for token in tokens:
            if len(holder.tokens) == len(holder.table) * size:
                before = self.pool.available
                block = self.pool.allocate()
                assert (block is None) == (before == 0)
                if block is None:
                    return
                assert self.pool.available == before - 1
                assert not any(block in other.table for other in self.holders)
                holder.table.append(block)
            own = holder.table[-1]
            assert self.pool.refs(own) == 1
            holder.tokens.append(token)
            self.written[own] = holder.isolation, tuple(holder.tokens)
            if len(holder.tokens) == len(holder.table) * size:
                self.name(holder)

    def name(self, holder: Holder) -> None:
        i, size = len(holder.table) - 1, self.pool.size
        tokens = tuple(holder.tokens[i * size :])
        parent = holder.digest(i, size)
        is_new = self.pool.find(chained(parent, tokens)) is None
        holder.table[i] = self.pool.register(holder.table[i], parent, tokens)
        assert self.pool.find(chained(parent, tokens)) == holder.table[i]
        for other in self.pool._children[parent] if is_new else []:
            shorter = self.pool._blocks[other].tokens
            is_superseded = len(shorter) < len(tokens) and tokens[: len(shorter)] == shorter
            assert not is_superseded or self.pool.refs(other)

    def check_match(self, isolation: str, tokens: list[int], limit: int) -> None:
        """What is found is exactly the longest run of it that is registered, and of this cache domain."""
        size = self.pool.size
        shared = self.pool.match(root(isolation), tokens, 0, limit)
        held = [self.written[block] for block in self.pool._registered.values()]
        whole = 0
        while (whole + 1) * size <= limit and (isolation, tuple(tokens[: (whole + 1) * size])) in held:
            whole += 1
        assert [self.written[block] for block in shared.blocks] == [
            (isolation, tuple(tokens[: (i + 1) * size])) for i in range(whole)
        ]
        longest = max(
            (
                common_length(prefix[whole * size :], tokens[whole * size : limit])
                for domain, prefix in held
                if domain == isolation
                and len(prefix) > whole * size
                and len(prefix) <= (whole + 1) * size
                and prefix[: whole * size] == tuple(tokens[: whole * size])
            ),
            default=0,
        )
        assert shared.part == longest
        assert (shared.source is None) == (longest == 0)
        if shared.source is not None:
            domain, prefix = self.written[shared.source]
            end = whole * size + shared.part
            assert (domain, prefix[:end]) == (isolation, tuple(tokens[:end]))

    @rule(isolation=st.sampled_from(ISOLATIONS), tokens=runs, stay=st.booleans(), keep=st.booleans())
    def begin(self, isolation: str, tokens: list[int], stay: bool, keep: bool) -> None:
        """A sequence takes what the cache has of its tokens, copying a part block, and computes the rest."""
        self.check_match(isolation, tokens, len(tokens))
        shared = self.pool.match(root(isolation), tokens, 0, len(tokens))
        holder = Holder(isolation)
        self.holders.append(holder)
        for block in shared.blocks:
            self.pool.acquire(block)
            holder.table.append(block)
        holder.tokens = tokens[: len(shared.blocks) * self.pool.size]
        if shared.source is not None:
            self.pool.acquire(shared.source)
            own = self.pool.allocate()
            if own is not None:
                assert own != shared.source
                holder.table.append(own)
                holder.tokens = tokens[: len(holder.tokens) + shared.part]
                self.written[own] = isolation, tuple(holder.tokens)
        # Letting go of the source late changes nothing: held is held.
        shown = self.written.get(shared.source) if shared.source is not None else None
        self.fill(holder, tokens[len(holder.tokens) :])
        if shared.source is not None:
            assert self.written[shared.source] == shown
            assert self.pool.refs(shared.source) >= 1
            self.pool.release(shared.source)
        if not stay:
            self.end(holder, keep)

    @precondition(lambda self: self.holders)
    @rule(data=st.data(), tokens=runs)
    def go_on(self, data: st.DataObject, tokens: list[int]) -> None:
        self.fill(data.draw(st.sampled_from(self.holders)), tokens)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        parent = data.draw(st.sampled_from(self.holders))
        full, part = divmod(len(parent.tokens), self.pool.size)
        own = self.pool.allocate() if part else None
        if part and own is None:
            return
        child = Holder(parent.isolation)
        child.tokens, child.table = list(parent.tokens), parent.table[:full]
        for block in child.table:
            self.pool.acquire(block)
        if own is not None:
            child.table.append(own)
            self.written[own] = self.written[parent.table[full]]
        self.holders.append(child)

    @precondition(lambda self: self.holders)
    @rule(data=st.data(), keep=st.booleans())
    def finish(self, data: st.DataObject, keep: bool) -> None:
        self.end(data.draw(st.sampled_from(self.holders)), keep)

    def end(self, holder: Holder, keep: bool) -> None:
        if keep and len(holder.tokens) % self.pool.size:
            self.name(holder)
        self.holders.remove(holder)
        for block in reversed(holder.table):
            self.pool.release(block)

    @rule(isolation=st.sampled_from(ISOLATIONS), tokens=runs, short=st.integers(0, 2))
    def look(self, isolation: str, tokens: list[int], short: int) -> None:
        self.check_match(isolation, tokens, max(0, len(tokens) - short))

    # Seldom: it leaves nothing cached.
    @rule(go=st.integers(0, 7))
    def take_all(self, go: int) -> None:
        """As many blocks can be had as are said to be available, and no more."""
        if go < 7:
            return
        available, taken = self.pool.available, []
        while (block := self.pool.allocate()) is not None:
            taken.append(block)
            self.check_books(taken)
        assert len(taken) == available
        for block in taken:
            self.pool.release(block)
        assert self.pool.cached == 0

    @invariant()
    def books(self) -> None:
        self.check_books([])

    def check_books(self, taken: list[int]) -> None:
        pool = self.pool
        held = Counter(block for holder in self.holders for block in holder.table) + Counter(taken)
        assert [pool.refs(block) for block in range(pool.n_blocks)] == [held[b] for b in range(pool.n_blocks)]
        free = pool._free
        registered = set(pool._registered.values())
        cached = registered - set(held)
        assert len(free) == len(set(free))
        assert not set(free) & set(held)
        assert not set(free) & registered
        assert len(free) + len(held) + len(cached) == pool.n_blocks
        assert (pool.available, pool.in_use, pool.cached) == (len(free) + len(cached), len(held), len(cached))
        # Leaves go first: whatever is still named can be reached from its root.
        roots = {root(isolation) for isolation in ISOLATIONS}
        for block in registered:
            parent = pool._blocks[block].parent
            assert parent in roots or parent in pool._registered
        for holder in self.holders:
            for i in range(len(holder.tokens) // pool.size):
                assert self.written[holder.table[i]] == (
                    holder.isolation,
                    tuple(holder.tokens[: (i + 1) * pool.size]),
                )

    def teardown(self) -> None:
        if not hasattr(self, "pool"):
            return
        for holder in self.holders:
            for block in holder.table:
                self.pool.release(block)
        self.holders.clear()
        self.check_books([])
        assert self.pool.available == self.pool.n_blocks
        self.take_all(7)


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def cache(pool: BlockPool, *runs: list[int], isolation: str = "") -> None:
    """Leave sequences of these tokens behind, each with its part block, as the scheduler does."""
    for tokens in runs:
        parent, table = root(isolation), []
        for start in range(0, len(tokens), pool.size):
            block = pool.allocate()
            assert block is not None
            part = tokens[start : start + pool.size]
            table.append(pool.register(block, parent, part))
            parent = chained(parent, part)
        for block in reversed(table):
            pool.release(block)


def test_the_oldest_prefix_is_lost_from_its_end() -> None:
    pool = BlockPool(4, 2)
    cache(pool, [1, 1, 1, 1], [2, 2, 2, 2])
    assert pool.allocate() is not None
    old, new = (pool.match(root(""), [n] * 4, 0, 4) for n in (1, 2))
    assert (len(old.blocks), len(new.blocks), pool.evicted) == (1, 2, 1)


def test_a_used_prefix_is_evicted_after_an_unused_one() -> None:
    pool = BlockPool(4, 2)
    cache(pool, [1, 1, 1, 1], [2, 2, 2, 2])
    used = pool.match(root(""), [1] * 4, 0, 4).blocks
    for block in used:
        pool.acquire(block)
    for block in reversed(used):
        pool.release(block)
    assert pool.allocate() is not None
    assert len(pool.match(root(""), [1] * 4, 0, 4).blocks) == 2
    assert len(pool.match(root(""), [2] * 4, 0, 4).blocks) == 1


def test_two_cache_domains_never_meet() -> None:
    pool = BlockPool(8, 2)
    cache(pool, [1, 2, 3], isolation="a")
    assert pool.match(root("b"), [1, 2, 3], 0, 3) == ([], None, 0)
    assert len(pool.match(root("a"), [1, 2, 3], 0, 3).blocks) == 1


def test_a_part_block_makes_room_for_the_one_that_goes_on_from_it() -> None:
    pool = BlockPool(8, 4)
    cache(pool, [1, 2], [1, 2, 3, 4])
    assert pool.cached == 1
    cache(pool, [1, 2, 9])
    assert pool.cached == 2


@pytest.mark.parametrize(
    ("left", "right", "common"), [([], [1], 0), ([1, 2], [1, 2, 3], 2), ([1, 2], [1, 3], 1)]
)
def test_common_length(left: list[int], right: list[int], common: int) -> None:
    assert common_length(left, tuple(right)) == common
