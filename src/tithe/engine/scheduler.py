"""The scheduler: which tokens of which sequences the next step computes. Pure: no clock, thread or tensor.

The load is agents: many short calls that each extend a long shared prefix, where the time to the
first token is paid again at every step of a loop. The rules follow from that:

1. Decodes first, all of them: a sequence that has begun to answer gets its next token in every step.
2. Then prompt tokens under a budget (`step_tokens`, or the smaller `mixed_tokens` while others
   decode), so that a long prompt never holds the others' tokens up for long.
3. Order of service: `rank = arrived - priority * ageing`, lower first. A level of priority is worth
   `ageing` seconds of waiting, no more, so whoever waits long enough is first: there is no starvation,
   and since ranks never change, two sequences never overtake each other in turns.
4. Among prompts, `rank + expected * ageing / LEVEL`: a warm step with 50 new tokens goes before a cold
   2,048-token prompt that came a little earlier (shortest remaining work first, bounded by ageing).
5. A prompt is admitted when the blocks for all of it can be had. One that does not fit is passed
   over, at most PATIENCE times; then nobody is admitted before it.
6. No prefix is computed twice at once: a sequence whose next block another one is computing in this
   step waits for that step and then takes the block from the cache, or copies what is shared of it
   from the one that is still filling it.
7. When a decoding sequence needs a block and none is left, the sequence of the highest rank gives up
   its blocks and goes back to the queue with its tokens; it is computed again later, from whatever
   of it is still cached.
"""

from __future__ import annotations

from typing import NamedTuple

from tithe.engine.blocks import BlockPool, common_length
from tithe.engine.options import EngineOptions
from tithe.engine.sequence import Sequence, State

LEVEL = 2048
"""Prompt tokens that weigh as much as one level of priority (rule 4)."""

PATIENCE = 32
"""How often a sequence that does not fit may be passed over (rule 5)."""

FORCED_RUN = 64
"""The most tokens that a sequence which has begun to answer may compute as a decode (rule 1)."""

WORTH_WAITING = 8
"""Shared tokens in a block from which on rule 6 waits for another sequence to compute them."""


class Chunk(NamedTuple):
    """`n` tokens of a sequence from its `computed` on; `whole` when they are all that remain."""

    sequence: Sequence
    n: int
    whole: bool


class Plan(NamedTuple):
    """One step: the chunks to compute, after copying blocks `(source, target)` on write."""

    chunks: list[Chunk]
    copies: list[tuple[int, int]]


class Scheduler:
    """Owns the queue and the running sequences, and moves blocks between them and the pool."""

    def __init__(self, pool: BlockPool, options: EngineOptions) -> None:
        self.pool = pool
        self._options = options
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self._sources: list[int] = []

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence that will have at most `capacity` tokens."""
        sequence.expected = len(sequence.tokens) - len(self._found(sequence)) * self.pool.size
        self.waiting.append(sequence)

    @property
    def capacity(self) -> int:
        """The most tokens that a sequence, alone, can be computed to: one block is left for copies."""
        return (self.pool.n_blocks - 1) * self.pool.size

    def end(self, sequence: Sequence) -> None:
        """Take a sequence out, wherever it is; its blocks stay cached."""
        if sequence.state is State.RUNNING:
            self.running.remove(sequence)
            self._give_up(sequence)
        elif sequence.state is State.WAITING and sequence in self.waiting:
            self.waiting.remove(sequence)
        sequence.state = State.ENDED

    def plan(self) -> Plan:
        """Compose the next step. No chunks means that there is nothing to do."""
        chunks: list[Chunk] = []
        copies: list[tuple[int, int]] = []
        for sequence in self.running:
            # After a long forced run: computed in parts, it could not have its drafts verified in one step.
            if not self._is_decoding(sequence):
                self._drop_drafts(sequence)
        for sequence in sorted(self.running, key=_rank):
            if sequence.state is State.RUNNING and self._is_decoding(sequence):
                if self._secure(sequence, sequence.remaining, preempt=True):
                    chunks.append(Chunk(sequence, sequence.remaining, whole=True))
        budget = self._options.mixed_tokens if chunks else self._options.step_tokens
        self._plan_prompts(budget, chunks, copies)
        while not chunks and self.running:
            # Prompts hold all blocks and none can go on: rule 7 makes room for the first of them.
            self._preempt(max(self.running, key=_rank))
            self._plan_prompts(budget, chunks, copies)
        return Plan(chunks, copies)

    def settle(self, sequence: Sequence) -> None:
        """After a step: name the blocks that the sequence has filled, so that others can share them.

        What is drafted may be rejected, and a rejected token must not name a block.
        """
        size = self.pool.size
        while (sequence.registered + 1) * size <= min(sequence.computed, sequence.decided):
            i = sequence.registered
            tokens = sequence.tokens[i * size : (i + 1) * size]
            sequence.table[i] = self.pool.register(sequence.table[i], sequence.digest(i, size), tokens)
            sequence.registered += 1

    def copied(self) -> None:
        """After a step's copies: let go of the blocks they were copied from."""
        for block in self._sources:
            self.pool.release(block)
        self._sources.clear()

    def fork(self, parent: Sequence, child: Sequence) -> tuple[int, int] | None:
        """Start another choice with the same tokens as its parent, sharing every full block.

        To be called when all of the parent's tokens are computed and settled. Returns the copy
        `(source, target)` to make of the last, part-filled block, if there is one. Without room for
        it the child is queued, and computes that part itself.
        """
        full, part = divmod(parent.computed, self.pool.size)
        own = None
        if len(self.running) >= self._options.max_running or (part and (own := self.pool.allocate()) is None):
            self.add(child)
            return None
        for block in parent.table[:full]:
            self.pool.acquire(block)
        child.table = parent.table[:full]
        child.registered = full
        child.computed = parent.computed
        child.state = State.RUNNING
        self.running.append(child)
        if own is None:
            return None
        child.table.append(own)
        return parent.table[full], own

    def _plan_prompts(self, budget: int, chunks: list[Chunk], copies: list[tuple[int, int]]) -> None:
        """Rules 2 to 6: give the budget to prompts in order, admitting those that fit."""
        claims: dict[bytes, list[Sequence]] = {}
        prompts = [s for s in self.running if not self._is_decoding(s)] + self.waiting
        passed: list[Sequence] = []
        closed = False
        for sequence in sorted(prompts, key=self._prompt_rank):
            if budget <= 0:
                return
            if sequence.state is State.WAITING:
                if closed or len(self.running) >= self._options.max_running:
                    continue
                if not self._admit(sequence):
                    passed.append(sequence)
                    closed = sequence.passed >= PATIENCE
                    continue
                for other in passed:
                    other.passed += 1
            self._adopt(sequence, copies)
            if self._claimed(sequence, claims):
                continue
            count = min(budget, sequence.remaining)
            count = self._secure_most(sequence, count)
            if count:
                self._claim(sequence, count, claims)
                chunks.append(Chunk(sequence, count, whole=count == sequence.remaining))
                budget -= count

    def _admit(self, sequence: Sequence) -> bool:
        """Move a sequence from the queue to the running ones if the blocks for all of it can be had."""
        found = self._found(sequence)
        idle = sum(self.pool.refs(block) == 0 for block in found)
        needed = self._blocks_for(len(sequence.tokens)) - len(found) + 1
        promised = sum(
            max(0, self._blocks_for(len(s.tokens)) - len(s.table))
            for s in self.running
            if not self._is_decoding(s)
        )
        # Alone, a sequence always fits: it has at most `capacity` tokens.
        if self.running and self.pool.available - idle - promised < needed:
            return False
        self.waiting.remove(sequence)
        self.running.append(sequence)
        sequence.state = State.RUNNING
        return True

    def _found(self, sequence: Sequence) -> list[int]:
        """The cached blocks that a sequence's tokens begin with. At least one token is left to compute."""
        size, found = self.pool.size, list[int]()
        while (len(found) + 1) * size < len(sequence.tokens):
            block = self.pool.find(sequence.digest(len(found) + 1, size))
            if block is None:
                break
            found.append(block)
        return found

    def _adopt(self, sequence: Sequence, copies: list[tuple[int, int]]) -> None:
        """Take from the cache whatever it has beyond what the sequence has computed (rules 4 to 6)."""
        size, limit = self.pool.size, len(sequence.tokens) - 1
        self.settle(sequence)
        before = sequence.computed
        while (i := sequence.computed // size) * size + size <= limit:
            known = self.pool.find(sequence.digest(i + 1, size))
            if known is None:
                break
            self.pool.acquire(known)
            if i < len(sequence.table):
                self.pool.release(sequence.table[i])
                sequence.table[i] = known
            else:
                sequence.table.append(known)
            sequence.computed = (i + 1) * size
            sequence.registered = i + 1
        if sequence.computed % size == 0 and len(sequence.table) == sequence.computed // size:
            self._copy_on_write(sequence, limit, copies)
        if before < sequence.prompt_len and not sequence.preemptions:
            sequence.cached += min(sequence.computed, sequence.prompt_len) - before

    def _copy_on_write(self, sequence: Sequence, limit: int, copies: list[tuple[int, int]]) -> None:
        """Share a part of a block by copying it into one of the sequence's own."""
        source, part = self._part_shared(sequence, limit)
        if source is None:
            return
        # Held until the copy is made, lest the allocation evict it.
        self.pool.acquire(source)
        own = self.pool.allocate()
        if own is None:
            self.pool.release(source)
            return
        self._sources.append(source)
        copies.append((source, own))
        sequence.table.append(own)
        sequence.computed += part

    def _part_shared(self, sequence: Sequence, limit: int) -> tuple[int | None, int]:
        """The block that holds the most of a sequence's next one, cached or being filled, and how much."""
        start, size = sequence.computed, self.pool.size
        i = start // size
        parent = sequence.digest(i, size)
        _, source, part = self.pool.match(parent, sequence.tokens, start, limit)
        wanted = sequence.tokens[start : min(start + size, limit)]
        for other in self.running:
            if other.registered == i and other.computed > start and other.digest(i, size) == parent:
                common = common_length(other.tokens[start : other.computed], wanted)
                if common > part:
                    source, part = other.table[i], common
        return source, part

    def _claimed(self, sequence: Sequence, claims: dict[bytes, list[Sequence]]) -> bool:
        """Whether another sequence computes this one's next block in this very step (rule 6)."""
        size = self.pool.size
        i = sequence.computed // size
        block = slice(i * size, (i + 1) * size)
        for leader in claims.get(sequence.digest(i, size), ()):
            common = common_length(leader.tokens[block], sequence.tokens[block])
            if i * size + common - sequence.computed >= WORTH_WAITING:
                return True
        return False

    def _claim(self, sequence: Sequence, count: int, claims: dict[bytes, list[Sequence]]) -> None:
        size = self.pool.size
        for i in range(sequence.computed // size, (sequence.computed + count - 1) // size + 1):
            claims.setdefault(sequence.digest(i, size), []).append(sequence)

    def _secure(self, sequence: Sequence, count: int, *, preempt: bool) -> bool:
        """Give the sequence the blocks for `count` more tokens; False when it lost its own instead."""
        while len(sequence.table) < self._blocks_for(sequence.computed + count):
            block = self.pool.allocate()
            if block is not None:
                sequence.table.append(block)
            elif not preempt:
                return False
            else:
                victim = max(self.running, key=_rank)
                self._preempt(victim)
                if victim is sequence:
                    return False
        return True

    def _secure_most(self, sequence: Sequence, count: int) -> int:
        """As many of `count` tokens as blocks can be had for without taking them from anyone."""
        self._secure(sequence, count, preempt=False)
        return min(count, len(sequence.table) * self.pool.size - sequence.computed)

    def _preempt(self, sequence: Sequence) -> None:
        """Rule 7: back to the queue, without blocks and drafts, with every decided token."""
        self._drop_drafts(sequence)
        self.running.remove(sequence)
        self._give_up(sequence)
        sequence.computed = 0
        sequence.preemptions += 1
        sequence.state = State.WAITING
        sequence.expected = len(sequence.tokens)
        self.waiting.append(sequence)

    def _give_up(self, sequence: Sequence) -> None:
        """Release the blocks, the last first, naming the part-filled one so that it can be shared."""
        size = self.pool.size
        # Drafts that were right may have filled blocks since the last step.
        self.settle(sequence)
        full, part = divmod(min(sequence.computed, sequence.decided), size)
        if part and full == sequence.registered and full < len(sequence.table):
            tokens = sequence.tokens[full * size : full * size + part]
            sequence.table[full] = self.pool.register(
                sequence.table[full], sequence.digest(full, size), tokens
            )
        for block in reversed(sequence.table):
            self.pool.release(block)
        sequence.table = []
        sequence.registered = 0

    def _drop_drafts(self, sequence: Sequence) -> None:
        del sequence.tokens[sequence.decided :]
        sequence.drafted = 0

    def _is_decoding(self, sequence: Sequence) -> bool:
        return sequence.computed >= sequence.prompt_len and sequence.remaining <= FORCED_RUN

    def _prompt_rank(self, sequence: Sequence) -> float:
        return sequence.rank + sequence.expected * self._options.ageing / LEVEL

    def _blocks_for(self, n_tokens: int) -> int:
        return -(-n_tokens // self.pool.size)


def _rank(sequence: Sequence) -> tuple[float, int]:
    # Choices of one call share a rank; the second key keeps their order from changing.
    return sequence.rank, id(sequence)
