"""A sequence: the tokens of one choice of one call, and how far they are computed.

One invariant carries prefill, decode, forced runs, drafts and recomputation after a preemption: a
sequence has `tokens` and a count `computed` of those whose keys and values are in its blocks. A step
computes some of `tokens[computed:]`; when it computes the last of them, the next token is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence as Run
from enum import Enum

from tithe.engine.blocks import chained


class State(Enum):
    """Where a sequence is: in the queue, holding blocks, or done."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


class Sequence:
    """One choice being generated.

    Attributes:
        prompt_len: tokens of the prompt, the first of `tokens`.
        tokens: prompt, output, and (at the very end) drafted tokens that are not verified yet.
        computed: how many of `tokens` have their keys and values in `table`'s blocks.
        drafted: how many of the last `tokens` are drafts.
        table: the block table, in order.
        rank: the order of service, lower first (see `scheduler`).
        registered: how many leading blocks of `table` are named in the pool.
        cached: prompt tokens that were found in the cache, and not computed.
        expected: tokens it will have to compute, as far as was known when it was queued.
        passed: how often another was admitted while this one, ahead of it, did not fit.
    """

    def __init__(
        self, prompt: Run[int], *, root: bytes, arrived: float, priority: float, ageing: float
    ) -> None:
        self.prompt_len = len(prompt)
        self.tokens = list(prompt)
        self.computed = 0
        self.drafted = 0
        self.table: list[int] = []
        self.registered = 0
        self.state = State.WAITING
        self.rank = arrived - priority * ageing
        self.arrived = arrived
        self.cached = 0
        self.expected = len(prompt)
        self.passed = 0
        self.preemptions = 0
        self._chain = [root]

    @property
    def remaining(self) -> int:
        """Tokens still to compute."""
        return len(self.tokens) - self.computed

    @property
    def decided(self) -> int:
        """Tokens that will stay: all but the drafted ones."""
        return len(self.tokens) - self.drafted

    @property
    def root(self) -> bytes:
        """The digest its chain of blocks starts from."""
        return self._chain[0]

    def digest(self, n_blocks: int, size: int) -> bytes:
        """The digest of its first `n_blocks` blocks, all of which must be full and decided."""
        while len(self._chain) <= n_blocks:
            start = (len(self._chain) - 1) * size
            self._chain.append(chained(self._chain[-1], self.tokens[start : start + size]))
        return self._chain[n_blocks]
