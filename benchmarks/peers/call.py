"""What a client reports of the requests it made: one type for all clients, and for what is true."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from tithe.net.conformance import Finding, Summary
from tithe.net.conformance.findings import Count, Seconds


class Call(Finding, frozen=True, kw_only=True):
    """One request as a client reports it. UNSET: this client never tells; None: it says there was none.

    began_at: what the client's own record puts requests in order by, in seconds of any clock.
    mean_gap_s: between a request's tokens, as the client's figure for one request.
    """

    began_at: float = 0.0
    mean_gap_s: Seconds = UNSET
    prompt_tokens: Count = UNSET


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that a client reports of one run: its requests in the order it made them, and its statistics."""

    calls: tuple[Call, ...]
    summary: Summary | UnsetType = UNSET

    @classmethod
    def of(cls, calls: Sequence[Call], summary: Summary | UnsetType = UNSET) -> Report:
        """With the requests put in order."""
        return cls(calls=tuple(sorted(calls, key=lambda call: call.began_at)), summary=summary)
