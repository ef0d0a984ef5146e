"""Where a prefix was lost: what the doctor says of each call.

A call pays for the tokens of its prompt that no one has paid for yet. A prefix break is the first part at which a call
stops extending what its session already paid for, although parts after it were paid for too.
"""

from typing import Literal

import msgspec

Cause = Literal[
    "timestamp",
    "id",
    "number",
    "tools reordered",
    "tools changed",
    "JSON keys reordered",
    "white space",
    "reasoning stripped",
    "history edited",
    "answer rewritten",
    "compaction",
    "system changed",
    "other model",
    "evicted",
    "not cached",
    "unknown",
]


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """One prefix break of one call.

    `step` counts from 1. `place` is the part (`system`, `tools[3]`, `messages[7]`), `offset` the character in it from
    which on it differs, to within a piece of core/part.py (None: not known). `paid_by` is the call that had paid for the
    prefix, `other_session` whether that is another task's. `lost_tokens` were paid for and computed again, `shared_tokens` were still
    shared; `estimated` says that they are computed from characters, not reported. `cost_s` is what it cost by the
    endpoint's own profile (None: no profile can be had, and `why_no_cost` says why). `sentence` says what
    happened, `fix` what to do.
    """

    call: str
    step: int
    cause: Cause
    place: str
    offset: int | None
    paid_by: str | None
    other_session: bool
    shared_tokens: int | None
    lost_tokens: int | None
    estimated: bool
    cost_s: float | None
    why_no_cost: str | None = None
    sentence: str
    fix: str


class CallPrefix(msgspec.Struct, frozen=True, kw_only=True):
    """How far one call's prompt was paid for: by its own session, by any other, and what the endpoint says it had cached.

    `known`: whether its prompt was recorded, so that it could be held against others.
    """

    call: str
    step: int
    prompt_tokens: int | None
    own_shared_tokens: int | None
    any_shared_tokens: int | None
    cached_tokens: int | None
    known: bool = True


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The doctor's findings on one task. `token_s` is the endpoint's seconds for an uncached prompt token, `fitted_on` how it
    is known. `notes`: what could not be told, and why."""

    task: str
    calls: tuple[CallPrefix, ...]
    breaks: tuple[Break, ...]
    token_s: float | None
    fitted_on: str | None
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> int:
        """How many of the calls told their prompts."""
        return sum(call.known for call in self.calls)
