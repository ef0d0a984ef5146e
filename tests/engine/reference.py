"""The reference: the same IR run as it was exported, stateful and one sequence at a time.

It shares nothing with the engine but the weights: no blocks, no paging, no batching.
"""

from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}


class Reference:
    """A stateful decoder in float32 without dynamic quantization."""

    def __init__(self, ir: Path) -> None:
        self._request = ov.Core().compile_model(ir, "CPU", EXACT).create_infer_request()
        self._past = 0

    def reset(self) -> None:
        self._request.reset_state()
        self._past = 0

    def feed(self, tokens: list[int]) -> NDArray[np.float32]:
        """Logits [len(tokens), vocabulary] after each of the tokens."""
        n = len(tokens)
        self._request.infer(
            {
                "input_ids": np.array([tokens], dtype=np.int64),
                "attention_mask": np.ones((1, self._past + n), dtype=np.int64),
                "position_ids": np.arange(self._past, self._past + n, dtype=np.int64)[None],
                "beam_idx": np.zeros(1, dtype=np.int32),
            }
        )
        self._past += n
        return np.array(self._request.get_output_tensor(0).data[0])

    def greedy(self, prompt: list[int], n: int, limit: int, eos: frozenset[int]) -> list[int]:
        """The `n` likeliest tokens after a prompt, one by one, among ids under `limit`; stops at EOS."""
        self.reset()
        out: list[int] = []
        row = self.feed(prompt)[-1]
        while True:
            token = int(row[:limit].argmax())
            if token in eos:
                return out
            out.append(token)
            if len(out) == n:
                return out
            row = self.feed([token])[-1]
