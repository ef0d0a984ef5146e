"""The runner: carries out a plan on the kernels and hands each sequence its rows of logits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tithe.engine.kernels import Kernels, StepInputs
from tithe.engine.scheduler import Chunk, Plan, Scheduler
from tithe.engine.sequence import Sequence, State

Rows = NDArray[np.float32]


class Runner:
    """Runs steps. `computed` and `steps` count tokens and steps since it was made."""

    def __init__(self, kernels: Kernels, scheduler: Scheduler) -> None:
        self._kernels = kernels
        self._scheduler = scheduler
        self.computed = 0
        self.steps = 0

    def run(self, plan: Plan, sampled: Callable[[Sequence, Rows], None]) -> None:
        """Compute the plan's chunks, then call `sampled` for each sequence that is at its end.

        The rows given are [1 + drafted, vocabulary]: the logits after the last decided token and
        after each drafted one. They are valid during the call only. Raises `EngineError`.
        """
        try:
            for source, target in plan.copies:
                self._kernels.copy_block(source, target)
        finally:
            self._scheduler.copied()
        logits = self._kernels.step(gather(plan.chunks))
        self.steps += 1
        at = 0
        for chunk in plan.chunks:
            sequence = chunk.sequence
            self.computed += chunk.n
            if sequence.state is State.ENDED:
                # Its call failed while an earlier choice of it was sampled.
                at += (1 + sequence.drafted) * chunk.whole
                continue
            sequence.computed += chunk.n
            self._scheduler.settle(sequence)
            if chunk.whole:
                n_rows = 1 + sequence.drafted
                sampled(sequence, logits[at : at + n_rows])
                at += n_rows

    def copy(self, copied: tuple[int, int] | None) -> None:
        """Make the copy that a fork asked for."""
        if copied is not None:
            self._kernels.copy_block(*copied)


def gather(chunks: list[Chunk]) -> StepInputs:
    """Lay the chunks out as the kernels take them (`StepInputs` has the shapes)."""
    ids: list[int] = []
    positions: list[NDArray[np.int64]] = []
    past: list[int] = []
    begins = [0]
    blocks: list[int] = []
    block_begins = [0]
    rows: list[int] = []
    longest = 0
    for sequence, count, whole in chunks:
        start, end = sequence.computed, sequence.computed + count
        ids.extend(sequence.tokens[start:end])
        positions.append(np.arange(start, end, dtype=np.int64))
        past.append(start)
        begins.append(len(ids))
        blocks.extend(sequence.table)
        block_begins.append(len(blocks))
        longest = max(longest, end)
        if whole:
            rows.extend(range(len(ids) - 1 - sequence.drafted, len(ids)))
    return StepInputs(
        input_ids=np.array(ids, dtype=np.int64),
        position_ids=np.concatenate(positions),
        past_lens=np.array(past, dtype=np.int32),
        subsequence_begins=np.array(begins, dtype=np.int32),
        block_indices=np.array(blocks, dtype=np.int32),
        block_indices_begins=np.array(block_begins, dtype=np.int32),
        max_context_len=longest,
        # A step of unfinished prompts wants no logits, but the kernels want a row.
        rows=np.array(rows or [0], dtype=np.int64),
    )
