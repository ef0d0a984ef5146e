"""The engine's options, each stated once: flags, help and docs derive from here."""

from dataclasses import dataclass
from typing import Literal

from tithe.core.errors import UsageError

Precision = Literal["auto", "f32", "u8"]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How the embedded engine runs. Raises `UsageError` for a value that makes no sense.

    Attributes:
        precision: auto computes and caches in the machine's fastest float; f32 computes and caches in
            float32 without dynamic quantization, for exact comparisons; u8 keeps the KV cache in 8
            bits, half the memory of bf16, at some loss.
        kv_bytes: The KV cache's budget in bytes, taken when the model is loaded; 0 takes what four full
            contexts need, 1 GiB at most.
        step_tokens: The most prompt tokens one step computes when nothing is decoding.
        mixed_tokens: The same while others decode. Smaller keeps their tokens coming evenly, larger
            prefills faster.
        max_running: The most sequences computed at once.
        max_waiting: The most requests that wait; one more is answered 429.
        ageing: Seconds of waiting that weigh as much as one level of priority.
        drafting: The most tokens proposed a step from the sequence's own history (prompt lookup);
            0 turns it off.
        threads: Threads of the kernels; 0 lets the kernels choose.
    """

    precision: Precision = "auto"
    kv_bytes: int = 0
    step_tokens: int = 512
    mixed_tokens: int = 128
    max_running: int = 64
    max_waiting: int = 256
    ageing: float = 2.0
    drafting: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        for name in ("step_tokens", "mixed_tokens", "max_running", "max_waiting"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least 1.")
        if self.ageing <= 0:
            raise UsageError(f"ageing is {self.ageing}: it must be more than 0 seconds.")
        for name in ("kv_bytes", "drafting", "threads"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be 0 or more.")
