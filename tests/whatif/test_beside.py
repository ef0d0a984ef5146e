"""What others cost a call is told by calls alone and calls beside others, or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.whatif.beside import Beside, fit_beside
from tithe.whatif.fit import NoFit


def fitted(share: float, free: float, *, scatter: float = 0.0, bias: float = 1.0, seed: int = 0) -> Beside:
    chance = np.random.default_rng(seed)
    others = np.concatenate([np.zeros(20), chance.uniform(0.5, 12.0, 200)])
    alone = chance.uniform(0.1, 2.0, len(others))
    slow = 1 + share * np.maximum(0.0, others - free)
    times = bias * alone * slow * np.exp(chance.normal(0, scatter, len(others)))
    found = fit_beside("decode beside others", times.tolist(), alone, others.tolist())
    assert isinstance(found, Beside)
    return found


@given(st.floats(0.05, 2.0), st.sampled_from([0.0, 1.0, 3.0, 7.0]), st.integers(0, 50))
def test_a_law_is_found_again(share, free, seed):
    found = fitted(share, free, seed=seed)
    assert (found.share, found.free) == (pytest.approx(share), free)
    assert found.error == pytest.approx(0.0, abs=1e-9)
    assert found.n == 200


def test_scatter_and_calls_that_hang_move_it_little():
    others = [0.0] * 40 + [float(1 + n % 8) for n in range(200)]
    chance = np.random.default_rng(1)
    times = [(1 + 0.5 * n) * float(np.exp(chance.normal(0, 0.2))) for n in others]
    times[50:70] = [30.0] * 20
    found = fit_beside("TTFT beside others", times, np.ones(len(times)), others)
    assert isinstance(found, Beside)
    assert found.share == pytest.approx(0.5, rel=0.2)
    assert found.slowdown(4.0) == pytest.approx(1 + 4 * found.share)
    assert 0.05 < found.error < 0.3


def test_it_is_over_what_calls_alone_took_and_not_over_what_the_fit_expected():
    assert fitted(0.5, 0.0, bias=1.4).share == pytest.approx(0.5)


def test_what_makes_nothing_slower_costs_nothing_and_is_never_a_gain():
    others = [0.0] * 10 + [3.0] * 10
    found = fit_beside("decode beside others", [1.0] * 10 + [0.8] * 10, np.ones(20), others)
    assert isinstance(found, Beside)
    assert (found.share, found.slowdown(100.0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("alone", "beside", "reason"),
    [(7, 20, "7 calls ran alone; it takes 8"), (20, 7, "7 calls ran beside others; it takes 8")],
)
def test_too_few_of_either_kind_are_refused(alone, beside, reason):
    others = [0.0] * alone + [2.0] * beside
    found = fit_beside("decode beside others", [1.0] * len(others), np.ones(len(others)), others)
    assert found == NoFit("decode beside others", reason)
