"""The kernels: OpenVINO's PagedAttention, driven with our own block tables. The only file that imports openvino.

A decoder IR as optimum-intel exports it is *stateful*: each attention layer keeps its own KV cache
in hidden variables, one sequence at a time. `paged_attention_transformation` rewrites it so that the
keys and values of all sequences live in tensors that we allocate, cut into blocks of 32 tokens, and
so that one inference takes any mix of sequences, each with its own past length and block table:

    input_ids, position_ids        [T]      all new tokens of the step, sequence after sequence
    past_lens                      [S]      tokens of each sequence already in the cache
    subsequence_begins             [S + 1]  where each sequence's new tokens start in [T]
    block_indices                  [B]      the block tables, one after another
    block_indices_begins           [S + 1]  where each table starts in [B]
    max_context_len                []       the longest past + new
    key_cache.i, value_cache.i     [blocks, kv_heads, 32, head_size] a layer

We add one input, `rows` [R]: a Gather before the last MatMul keeps only the rows whose logits are
wanted, so a 2,048-token prefill multiplies one row by the vocabulary matrix and not 2,048, and
several rows of one sequence can be had at once (which verifying a draft needs).

The transformation is a private module of openvino, so openvino is pinned exactly. The block size is
the 32 of the value cache's shape: a u8 key cache shows 40, which counts its scales too.
"""

# pyright: reportUnknownMemberType=false
# openvino ships no types for its operations.

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray
from openvino._offline_transformations import paged_attention_transformation

from tithe.core.errors import EngineError, ModelFilesError, UsageError
from tithe.engine.options import Precision

Ints = NDArray[np.int32]

BLOCK_SIZE = 32
"""Tokens a KV block holds."""

CONTEXTS = 4
"""Full contexts that the cache holds unless its size is given..."""

LEAST_BLOCKS = 2
"""A sequence is computed in all blocks but one, which is left for copying on write."""

MOST_BY_DEFAULT = 1 << 30
"""... up to this many bytes."""


class StepInputs(NamedTuple):
    """One step's work as the kernels take it; shapes above."""

    input_ids: NDArray[np.int64]
    position_ids: NDArray[np.int64]
    past_lens: Ints
    subsequence_begins: Ints
    block_indices: Ints
    block_indices_begins: Ints
    max_context_len: int
    rows: NDArray[np.int64]


class Kernels:
    """A compiled model and its KV cache, of `kv_bytes` or, where that is 0, for some full `context`s.

    Raises `ModelFilesError` when the IR cannot be read, is not a stateful decoder, or does not compile, and
    `UsageError` for a budget that is too small or more than there is.
    """

    def __init__(self, ir: Path, *, context: int, precision: Precision, threads: int, kv_bytes: int) -> None:
        core = ov.Core()
        try:
            model = _paged(core.read_model(ir))
            compiled = core.compile_model(model, "CPU", _settings(core, precision, threads))
        except RuntimeError as error:
            raise ModelFilesError(
                f"The model {ir} could not be compiled: {_first_line(error)}. "
                "Export it again as a stateful decoder, for example with optimum-intel."
            ) from error
        self._request = compiled.create_infer_request()
        caches = [port for port in compiled.inputs if "_cache." in port.any_name]
        self.bytes_per_block = sum(_block_bytes(port) for port in caches)
        wanted = CONTEXTS * -(-context // BLOCK_SIZE) * self.bytes_per_block
        budget = kv_bytes or min(wanted, MOST_BY_DEFAULT)
        self.n_blocks = budget // self.bytes_per_block
        if self.n_blocks < LEAST_BLOCKS:
            raise UsageError(
                f"A KV cache of {budget} bytes holds {self.n_blocks} blocks of this model. It needs "
                f"at least {LEAST_BLOCKS * self.bytes_per_block} bytes: give more with --kv-bytes, or 0."
            )
        self._views = [_cache_memory(self.n_blocks, _block_bytes(port)) for port in caches]
        for port, memory in zip(caches, self._views, strict=True):
            shape = [self.n_blocks, *(d.get_length() for d in list(port.partial_shape)[1:])]
            self._request.set_tensor(port.any_name, ov.Tensor(memory, ov.Shape(shape), port.element_type))
        self.vocab_size = int(compiled.outputs[0].partial_shape[-1].get_length())
        self._scalar = np.zeros((), dtype=np.int32)
        # The first step makes the plugin generate its code: not on the first caller's time.
        self.step(_one_token())

    def step(self, inputs: StepInputs) -> NDArray[np.float32]:
        """Compute a step: write the new tokens' keys and values, and return the logits of `rows`.

        Returns float32 of shape [R, vocabulary]. The array is the kernels' own memory: it is valid
        until the next step. The GIL is released while the kernels run.
        """
        request = self._request
        self._scalar[...] = inputs.max_context_len
        arrays = inputs._asdict() | {"max_context_len": self._scalar}
        for name, array in arrays.items():
            request.set_tensor(name, ov.Tensor(array, shared_memory=True))
        try:
            request.start_async()
            request.wait()
        except RuntimeError as error:
            raise EngineError(
                f"A step of {len(inputs.input_ids)} tokens failed: {_first_line(error)}"
            ) from error
        logits: NDArray[np.float32] = request.get_output_tensor(0).data
        return logits.reshape(-1, self.vocab_size)

    def copy_block(self, source: int, target: int) -> None:
        """Copy one block's keys and values in every layer: the write of copy-on-write."""
        for view in self._views:
            view[target] = view[source]


def _one_token() -> StepInputs:
    """The smallest step: one token, into block 0."""
    zero, ends = np.zeros(1, dtype=np.int64), np.array([0, 1], dtype=np.int32)
    return StepInputs(
        zero, zero, np.zeros(1, dtype=np.int32), ends, np.zeros(1, dtype=np.int32), ends, 1, zero
    )


def _paged(model: Any) -> Any:
    """Rewrite a stateful decoder for PagedAttention and add the `rows` input."""
    paged_attention_transformation(model)
    head = model.get_results()[0].input_value(0).get_node()
    if head.get_type_name() != "MatMul":
        raise RuntimeError(f"the logits come from a {head.get_type_name()}, not from a MatMul")
    rows = ops.parameter([-1], ov.Type.i64, name="rows")
    rows.get_output_tensor(0).set_names({"rows"})
    wanted = ops.gather(head.input_value(0), rows, ops.constant(0, ov.Type.i64))
    head.input(0).replace_source_output(wanted.output(0))
    model.add_parameters([rows])
    model.validate_nodes_and_infer_types()
    return model


def _settings(core: Any, precision: Precision, threads: int) -> dict[str, Any]:
    """The plugin's settings for a precision (`EngineOptions.precision` says what each means)."""
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    if precision == "f32":
        settings |= {
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }
    elif precision == "u8":
        settings["KV_CACHE_PRECISION"] = "u8"
    else:
        native = core.get_property("CPU", "INFERENCE_PRECISION_HINT")
        settings["KV_CACHE_PRECISION"] = native
    return settings


def _block_bytes(port: Any) -> int:
    size = 1
    for dimension in list(port.partial_shape)[1:]:
        size *= dimension.get_length()
    return size * port.element_type.bitwidth // 8


def _cache_memory(n_blocks: int, block_bytes: int) -> NDArray[np.uint8]:
    """Memory for one cache tensor, as [blocks, bytes of a block], all of it really there.

    A system hands memory out when it is first written to. Left to a step, that took 11 ms for each new
    block of a 0.6 B model, and up to 40 ms by huge pages; so it is written to once when it is made.
    """
    try:
        memory = np.empty((n_blocks, block_bytes), dtype=np.uint8)
    except (MemoryError, ValueError) as error:
        raise UsageError("There is not enough memory for the KV cache: give fewer --kv-bytes.") from error
    memory.fill(0)
    return memory


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
