"""A generation: one choice of one call on its way, from the rows of logits to the end of its answer."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tithe.core.event import FinishReason
from tithe.core.request import Request
from tithe.engine import sampler
from tithe.engine.answer import Answer
from tithe.engine.drafting import propose
from tithe.engine.grammar import Grammar
from tithe.engine.sequence import Sequence
from tithe.engine.vocabulary import Vocabulary


class Generation:
    """One choice being generated.

    Attributes:
        sequence: its tokens; what is past the prompt (and decided) is the output.
        ended: why it has ended, or None while it goes on.
        forced, drafted, accepted: tokens appended by the grammar; tokens proposed; of those, kept.
    """

    def __init__(
        self,
        request: Request,
        sequence: Sequence,
        vocabulary: Vocabulary,
        answer: Answer,
        *,
        index: int,
        seed: int,
        most: int,
        grammar: Grammar | None,
        drafting: int,
    ) -> None:
        self.sequence = sequence
        self.answer = answer
        self.index = index
        self.ended: Literal["stop", "length"] | None = None
        self.forced = 0
        self.drafted = 0
        self.accepted = 0
        self.grammar = grammar
        self._request = request
        self._vocabulary = vocabulary
        self._seed = seed
        self._most = most
        self._drafting = drafting
        self._counts: Counter[int] = Counter()

    @property
    def output(self) -> list[int]:
        """The ids of the answer so far."""
        return self.sequence.tokens[self.sequence.prompt_len : self.sequence.decided]

    @property
    def finish_reason(self) -> FinishReason:
        """Why it ended, in the API's words."""
        if self.ended == "stop" and self.answer.has_calls:
            return "tool_calls"
        return self.ended or "stop"

    def begin(self) -> None:
        """Append what the grammar forces at the very start, to be computed along with the prompt."""
        self._take_forced()

    def accept(self, rows: NDArray[np.float32]) -> None:
        """Sample the next token, or as many as the drafts were right about.

        Args:
            rows: [1 + drafted, vocabulary] logits of the last decided token and of each draft.
        """
        sequence = self.sequence
        drafts = sequence.tokens[sequence.decided :]
        del sequence.tokens[sequence.decided :]
        sequence.drafted = 0
        computed = len(sequence.tokens)
        for i, row in enumerate(rows):
            token = self._sample(row)
            confirmed = i < len(drafts) and token == drafts[i]
            if self.ended is None and confirmed:
                self.accepted += 1
                computed += 1
            if self.ended is not None or self._take_forced() or not confirmed:
                break
        sequence.computed = min(computed, len(sequence.tokens))
        if self.ended is None:
            self._draft()

    def _sample(self, row: NDArray[np.float32]) -> int:
        request, sequence = self._request, self.sequence
        mask = self.grammar.mask() if self.grammar is not None else None
        shaped = sampler.shaped(row, request.sampling, self._counts, mask, self._vocabulary.size)
        if len(self.output) < request.min_tokens:
            sampler.forbid(shaped, self._vocabulary.eos)
        number = sampler.uniform(self._seed, self.index, len(sequence.tokens))
        token = sampler.draw(shaped, request.sampling, number)
        scored = sampler.score(shaped, token, request.top_logprobs) if request.logprobs else None
        if self.grammar is not None and not self.grammar.accept(token):
            raise self.grammar.failure()
        if token in self._vocabulary.eos:
            self._end("stop")
        else:
            self._take(token, scored)
        return token

    def _take(self, token: int, scored: sampler.Scored | None) -> None:
        self.sequence.tokens.append(token)
        self._counts[token] += 1
        if self.answer.push(token, scored):
            self._end("stop", stopped=True)
        elif self.grammar is not None and self.grammar.is_complete:
            self._end("stop")
        elif len(self.sequence.tokens) - self.sequence.prompt_len >= self._most:
            self._end("length")

    def _take_forced(self) -> bool:
        """Append the tokens that the grammar leaves no choice in; whether there were any."""
        if self.grammar is None or self.ended is not None:
            return False
        run = self.grammar.forced()
        for token in run:
            if self.ended is not None:
                break
            if not self.grammar.accept(token):
                raise self.grammar.failure()
            if token in self._vocabulary.eos:
                self._end("stop")
                break
            self.forced += 1
            # Under the grammar its probability is one.
            scored = sampler.Scored(token, 0.0, []) if self._request.logprobs else None
            self._take(token, scored)
        return bool(run)

    def _draft(self) -> None:
        sequence = self.sequence
        if sequence.remaining != 1:
            # After a forced run the next step may be computed in parts, and could not verify drafts.
            return
        room = self._most - (len(sequence.tokens) - sequence.prompt_len) - 1
        drafts = propose(sequence.tokens, min(self._drafting, room))
        sequence.tokens.extend(drafts)
        sequence.drafted = len(drafts)
        self.drafted += len(drafts)

    def _end(self, why: Literal["stop", "length"], *, stopped: bool = False) -> None:
        self.ended = why
        self.answer.end(stopped=stopped)
