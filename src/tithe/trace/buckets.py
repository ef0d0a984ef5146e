"""The ledger's buckets: what any stretch of a task's wall clock is one of. docs/ledger.md says what each means."""

from typing import Literal

Bucket = Literal[
    "connect",
    "queue",
    "prefill",
    "decode",
    "inference",
    "tool",
    "retry",
    "validation",
    "overhead",
    "speculation",
    "user",
    "unattributed",
]
BUCKETS: tuple[Bucket, ...] = Bucket.__args__  # in the order in which they are told
# Buckets in which the task waits for a model's answer.
INFERENCE: frozenset[Bucket] = frozenset(("connect", "queue", "prefill", "decode", "inference"))
