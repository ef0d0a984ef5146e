import numpy as np
import pytest

from tithe.core.errors import ModelFilesError, UsageError
from tithe.engine import files
from tithe.engine.blocks import BlockPool
from tithe.engine.kernels import BLOCK_SIZE, Kernels
from tithe.engine.options import EngineOptions
from tithe.engine.runner import gather
from tithe.engine.scheduler import Chunk, Scheduler
from tithe.engine.sequence import Sequence

from . import nano
from .reference import Reference

NANO = files.find("nano")


@pytest.fixture(scope="module")
def exact() -> Kernels:
    return Kernels(NANO.ir, context=NANO.context, precision="f32", threads=0, kv_bytes=64 << 20)


def _sequence(tokens: list[int], table: list[int]) -> Sequence:
    sequence = Sequence(tokens, root=b"", arrived=0.0, priority=0, ageing=1.0)
    sequence.table = table
    return sequence


def test_logits_equal_the_stateful_models_in_f32(exact: Kernels):
    rng = np.random.default_rng(7)
    tokens = [int(t) for t in rng.integers(0, nano.SIZE, 300)]
    wanted = Reference(NANO.ir).feed(tokens)
    sequence = _sequence(tokens, list(range(9, -1, -1)))
    at = 0
    for count in (130, 1, 169):
        row = exact.step(gather([Chunk(sequence, count, whole=False)])._replace(rows=np.arange(count)))
        difference = np.linalg.norm(row - wanted[at : at + count]) / np.linalg.norm(wanted[at : at + count])
        assert difference < 1e-5
        sequence.computed += count
        at += count


def test_a_copied_block_holds_the_same_prefix(exact: Kernels):
    tokens = [int(t) for t in np.random.default_rng(8).integers(0, nano.SIZE, 50)]
    source = _sequence(tokens, [20, 21])
    want = np.array(exact.step(gather([Chunk(source, 50, whole=True)])))
    exact.copy_block(21, 22)
    copied = _sequence(tokens, [20, 22])
    copied.computed = 49
    got = exact.step(gather([Chunk(copied, 1, whole=True)]))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * float(np.abs(want).max()))


def test_the_budget_bounds_the_cache(exact: Kernels):
    assert exact.n_blocks * exact.bytes_per_block <= 64 << 20
    assert BLOCK_SIZE == 32


def test_without_a_budget_the_cache_holds_four_contexts():
    kernels = Kernels(NANO.ir, context=100, precision="f32", threads=0, kv_bytes=0)
    assert kernels.n_blocks == 4 * 4


def test_a_broken_ir_is_named(tmp_path):
    broken = tmp_path / "openvino_model.xml"
    broken.write_text("<net>")
    with pytest.raises(ModelFilesError, match=r"openvino_model\.xml"):
        Kernels(broken, context=1, precision="auto", threads=0, kv_bytes=1 << 20)


@pytest.mark.parametrize(("kv_bytes", "said"), [(1, "at least"), (1 << 62, "not enough memory")])
def test_a_budget_that_makes_no_cache_is_refused(kv_bytes: int, said: str):
    with pytest.raises(UsageError, match=said):
        Kernels(NANO.ir, context=NANO.context, precision="u8", threads=1, kv_bytes=kv_bytes)


def test_the_smallest_cache_serves_a_sequence():
    kernels = Kernels(NANO.ir, context=NANO.context, precision="u8", threads=1, kv_bytes=100_000)
    assert kernels.n_blocks >= 2
    assert Scheduler(BlockPool(2, BLOCK_SIZE), EngineOptions()).capacity == BLOCK_SIZE
