"""Sampling: from a row of logits to a token.

The order is the field's usual one: penalties and biases on the logits, then the grammar's mask, then
temperature, then top-p. The draw takes one uniform number from the seed, the choice and the position
of the token, so that the same request with the same seed gets the same tokens whatever else the
engine computes beside it, and however often it was preempted.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tithe.core.request import Sampling

Row = NDArray[np.float32]

COLDEST = 1e-5
"""Below this temperature the likeliest token is taken: float32 cannot tell the others' weights from 0."""


class Scored(NamedTuple):
    """A token id, its log-probability (natural), and the likeliest ids with theirs, best first."""

    token: int
    logprob: float
    top: list[tuple[int, float]]


def shaped(logits: Row, sampling: Sampling, counts: Mapping[int, int], mask: bytes | None, size: int) -> Row:
    """The logits a token is drawn from, before temperature: penalized, biased and masked.

    Args:
        logits: [vocabulary] as the model gave them; not changed.
        counts: how often each token was generated so far.
        mask: one bit a token, lowest first, set where the grammar allows it; None allows all.
        size: ids from here on are no tokens and are never drawn.
    """
    row = np.array(logits[:size], dtype=np.float32)
    if counts and (sampling.frequency_penalty or sampling.presence_penalty):
        ids = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
        times = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
        row[ids] -= sampling.frequency_penalty * times + sampling.presence_penalty
    if bias := sampling.logit_bias:
        ids = np.fromiter(bias.keys(), dtype=np.int64, count=len(bias))
        row[ids] += np.fromiter(bias.values(), dtype=np.float32, count=len(bias))
    if mask is not None:
        allowed = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), bitorder="little")[:size]
        row[: len(allowed)][allowed == 0] = -np.inf
        row[len(allowed) :] = -np.inf
    return row


def forbid(row: Row, ids: Iterable[int]) -> None:
    """Take tokens out of shaped logits, in place, unless no other is left."""
    kept = row.copy()
    kept[[one for one in ids if one < len(row)]] = -np.inf
    if np.isfinite(kept).any():
        row[:] = kept


def draw(row: Row, sampling: Sampling, uniform: float) -> int:
    """Draw a token from shaped logits with one number in [0, 1)."""
    if sampling.temperature < COLDEST or sampling.top_p <= 0:
        return int(row.argmax())
    scaled = (row - row.max()) / np.float32(sampling.temperature)
    weights = np.exp(scaled, dtype=np.float32).astype(np.float64)
    if sampling.top_p >= 1:
        return _pick(np.cumsum(weights), uniform)
    whole = float(weights.sum())
    # All tokens lighter than this weigh less together than what top-p leaves out: they need no sorting.
    likely = np.flatnonzero(weights >= (1 - sampling.top_p) * whole / len(weights))
    order = likely[np.argsort(-weights[likely], kind="stable")]
    total = np.cumsum(weights[order])
    kept = _index(total, sampling.top_p * whole) + 1
    return int(order[_pick(total[:kept], uniform)])


def score(row: Row, token: int, top: int) -> Scored:
    """The log-probabilities of a token and of the `top` likeliest ones under shaped logits."""
    peak = row.max()
    norm = peak + np.log(np.exp(row - peak, dtype=np.float64).sum())
    best: list[tuple[int, float]] = []
    if top:
        likeliest = np.argpartition(-row, min(top, len(row) - 1))[:top]
        likeliest = likeliest[np.argsort(-row[likeliest], kind="stable")]
        best = [(int(i), float(row[i] - norm)) for i in likeliest if np.isfinite(row[i])]
    return Scored(token, float(row[token] - norm), best)


def uniform(seed: int, choice: int, position: int) -> float:
    """The number in [0, 1) that decides the token at `position` of a choice, for a seed."""
    key = struct.pack("<QQQ", seed & 0xFFFFFFFFFFFFFFFF, choice, position)
    return int.from_bytes(hashlib.blake2b(key, digest_size=7).digest(), "little") / (1 << 56)


def _pick(cumulative: NDArray[np.float64], number: float) -> int:
    """The first index whose cumulative weight passes `number` times the total."""
    passed = _index(cumulative, number * float(cumulative[-1]), side="right")
    return min(passed, len(cumulative) - 1)


def _index(ascending: NDArray[np.float64], value: float, side: Literal["left", "right"] = "left") -> int:
    return int(ascending.searchsorted(value, side))
