"""The engine's options, each stated once: flags, help and docs derive from here."""

from typing import Annotated, Literal

import msgspec

Precision = Literal["auto", "f32", "u8"]


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the embedded engine runs.

    Attributes:
        precision: `auto` computes and caches in the machine's fastest float (bf16, f16 or f32); `f32`
            computes and caches in float32 without dynamic quantization, for exact comparisons; `u8`
            keeps the KV cache in 8 bits, half the memory of bf16, at some loss.
        kv_bytes: the KV cache's budget in bytes.
        step_tokens: the most prompt tokens one step computes when nothing is decoding.
        mixed_tokens: the same while others decode: smaller keeps their tokens coming evenly, larger
            prefills faster.
        max_running: the most sequences computed at once.
        max_waiting: the most requests that wait; one more is answered 429.
        ageing: seconds of waiting that weigh as much as one level of priority.
        drafting: the most tokens proposed a step from the sequence's own history (prompt lookup);
            0 turns it off.
        threads: threads of the kernels; 0 lets the kernels choose.
    """

    precision: Precision = "auto"
    kv_bytes: Annotated[int, msgspec.Meta(ge=1)] = 1 << 30
    step_tokens: Annotated[int, msgspec.Meta(ge=1)] = 512
    mixed_tokens: Annotated[int, msgspec.Meta(ge=1)] = 128
    max_running: Annotated[int, msgspec.Meta(ge=1)] = 64
    max_waiting: Annotated[int, msgspec.Meta(ge=0)] = 256
    ageing: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    drafting: Annotated[int, msgspec.Meta(ge=0)] = 0
    threads: Annotated[int, msgspec.Meta(ge=0)] = 0
