"""Sampling, against definitions written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core.request import Sampling
from tithe.engine.sampler import draw, forbid, score, shaped, uniform

# In quarters, so that equal weights are equal however they are computed.
logits = st.lists(st.integers(-80, 80), min_size=1, max_size=12).map(
    lambda values: np.array(values, dtype=np.float32) / 4
)
numbers = st.floats(0, 1, exclude_max=True)


def weights_of(row: np.ndarray, sampling: Sampling) -> list[float]:
    """What each token weighs, by the definitions of temperature and top-p."""
    scaled = (row - row.max()) / np.float32(sampling.temperature)
    weights = [math.exp(float(value)) for value in scaled]
    if sampling.top_p >= 1:
        return weights
    wanted = sampling.top_p * sum(weights)
    kept: list[int] = []
    for i in sorted(range(len(weights)), key=lambda i: (-weights[i], i)):
        if math.fsum(weights[j] for j in kept) < wanted or not kept:
            kept.append(i)
    return [weight if i in kept else 0.0 for i, weight in enumerate(weights)]


@settings(max_examples=300)
@given(logits, st.floats(0.05, 2), st.floats(0.01, 1), numbers)
def test_a_draw_is_of_the_nucleus_and_by_its_weights(
    row: np.ndarray, temperature: float, top_p: float, number: float
) -> None:
    sampling = Sampling(temperature=temperature, top_p=top_p)
    token = draw(row, sampling, number)
    weights = weights_of(row, sampling)
    # At the nucleus's edge rounding decides: the same with a little more or less of it.
    nearly = weights_of(row, Sampling(temperature=temperature, top_p=min(1, top_p * (1 + 1e-5))))
    assert weights[token] > 0 or nearly[token] > 0


@settings(max_examples=50)
@given(logits, st.floats(0.2, 2), st.sampled_from([0.3, 0.8, 1.0]))
def test_evenly_spread_numbers_give_every_token_its_share(
    row: np.ndarray, temperature: float, top_p: float
) -> None:
    sampling = Sampling(temperature=temperature, top_p=top_p)
    n = 400
    counts = np.bincount([draw(row, sampling, (i + 0.5) / n) for i in range(n)], minlength=len(row))
    shares = [
        np.array(weights) / sum(weights)
        for p in (top_p * (1 - 1e-5), top_p, min(1, top_p * (1 + 1e-5)))
        for weights in [weights_of(row, Sampling(temperature=temperature, top_p=p))]
    ]
    assert min(np.abs(counts / n - share).max() for share in shares) <= 1.5 / n


@given(logits, numbers, st.sampled_from([(0.0, 1.0), (1.0, 0.0), (1e-46, 1.0), (1e-7, 0.5)]))
def test_without_temperature_the_likeliest_is_drawn(
    row: np.ndarray, number: float, form: tuple[float, float]
) -> None:
    token = draw(row, Sampling(temperature=form[0], top_p=form[1]), number)
    assert row[token] == row.max()


def test_a_number_is_of_its_seed_choice_and_position_alone() -> None:
    drawn = {
        uniform(seed, choice, position)
        for seed in (0, 1, -1)
        for choice in range(3)
        for position in range(50)
    }
    assert len(drawn) == 3 * 3 * 50
    assert all(0 <= number < 1 for number in drawn)
    assert 0.4 < sum(drawn) / len(drawn) < 0.6
    assert uniform(7, 1, 2) == uniform(7, 1, 2)
    # Any whole number is a seed.
    assert uniform(2**64 + 5, 0, 0) == uniform(5, 0, 0)


def test_penalties_and_biases_are_openais() -> None:
    sampling = Sampling(frequency_penalty=0.5, presence_penalty=0.25, logit_bias={0: 1.0, 3: -100.0})
    logits = np.zeros(6, dtype=np.float32)
    row = shaped(logits, sampling, {1: 1, 2: 3}, None, 5)
    assert row.tolist() == [1.0, -0.75, -1.75, -100.0, 0.0]
    assert not logits.any(), "the model's row was changed"


@given(st.lists(st.booleans(), min_size=3, max_size=20), st.integers(1, 20))
def test_a_mask_leaves_what_it_allows(allowed: list[bool], size: int) -> None:
    mask = np.packbits(allowed, bitorder="little").tobytes()
    row = shaped(np.ones(24, dtype=np.float32), Sampling(logit_bias={0: 100.0}), {}, mask, size)
    assert len(row) == size
    assert [bool(np.isfinite(value)) for value in row] == [
        i < len(allowed) and allowed[i] for i in range(size)
    ]


@given(logits, st.integers(0, 5), st.data())
def test_log_probabilities_are_those_of_the_whole_distribution(
    row: np.ndarray, top: int, data: st.DataObject
) -> None:
    token = data.draw(st.integers(0, len(row) - 1))
    scored = score(row, token, top)
    every = score(row, token, len(row)).top
    assert math.fsum(math.exp(logprob) for _, logprob in every) == pytest.approx(1, abs=1e-5)
    assert dict(every)[token] == pytest.approx(scored.logprob)
    assert len(scored.top) == min(top, len(row))
    assert [logprob for _, logprob in scored.top] == [logprob for _, logprob in every[: len(scored.top)]]


def test_what_a_mask_forbids_is_never_listed() -> None:
    row = np.array([1.0, -np.inf, 2.0, -np.inf], dtype=np.float32)
    assert [token for token, _ in score(row, 2, 4).top] == [2, 0]
    for number in (0.0, 0.3, 0.999999):
        assert draw(row, Sampling(temperature=2.0), number) in (0, 2)
        assert draw(row, Sampling(temperature=2.0, top_p=0.99), number) in (0, 2)


def test_what_is_forbidden_is_drawn_only_where_nothing_else_is_left():
    row = np.array([1.0, 5.0, 2.0], dtype=np.float32)
    forbid(row, [1, 99])
    assert row.tolist() == [1.0, -np.inf, 2.0]
    last = np.array([-np.inf, 5.0, -np.inf], dtype=np.float32)
    forbid(last, [1])
    assert last[1] == 5.0
