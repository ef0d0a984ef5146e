"""What a client reports against what the server's stamps say is true of the same requests: errors, and their quantiles.

A request's true TTFT is the instant of its first token less that of its arrival, both by the server's stamps (see
exact_server.py); a true gap lies between two tokens. An error is what was reported less what is true; quantiles are of its size.
Requests that opened their connection are left out, for some clients count that into the TTFT and some do not; of a client
that opens one for each request, all are taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from call import Report
from msgspec import UNSET
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Served(msgspec.Struct, frozen=True):
    """A request in the server's log. Instants in monotonic nanoseconds; see exact_server.py."""

    serial: int
    nth: int
    beside: int
    arrived: int
    read: int
    due: list[int]
    before: list[int]
    after: list[int]

    @property
    def ttft_s(self) -> float:
        return (self.before[0] - self.arrived) / 1e9

    @property
    def gaps_s(self) -> list[float]:
        pairs = zip(self.before, self.before[1:], strict=False)
        return [(later - earlier) / 1e9 for earlier, later in pairs]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one client, request by request. Seconds; None is not reported.

    beside: the most streams that the server saw at once. opened: requests that opened a connection. left_out:
    whether those are left out. unmatched: requests that the server served and the client did not report as answered.
    """

    client: str
    streams: int
    beside: int
    opened: int
    left_out: bool
    unmatched: int
    ttft: tuple[float, ...]
    true_ttft: tuple[float, ...]
    gap_errors: tuple[float, ...] | None
    mean_gap_errors: tuple[float, ...] | None

    @property
    def ttft_errors(self) -> Floats:
        return np.array(self.ttft) - np.array(self.true_ttft)


def matched(client: str, streams: int, report: Report, log: Sequence[Served]) -> Run:
    """The requests of a run, matched by the number that the server told its client as the prompt's tokens."""
    told = {call.prompt_tokens: call for call in report.calls if call.outcome == "answered"}
    warm = [served for served in log if served.nth > 0]
    taken = warm or log
    pairs = [(told[served.serial], served) for served in taken if served.serial in told]
    gaps: list[float] = []
    means: list[float] = []
    ttfts: list[tuple[float, float]] = []
    for call, served in pairs:
        true = served.gaps_s
        if isinstance(call.ttft_s, float):
            ttfts.append((call.ttft_s, served.ttft_s))
        if call.gaps_s is not UNSET and len(call.gaps_s) == len(true):
            gaps += [reported - gap for reported, gap in zip(call.gaps_s, true, strict=True)]
        if isinstance(call.mean_gap_s, float):
            means.append(call.mean_gap_s - sum(true) / len(true))
    return Run(
        client=client,
        streams=streams,
        beside=max((served.beside for served in log), default=0),
        opened=len(log) - len(warm),
        left_out=bool(warm),
        unmatched=len(taken) - len(ttfts),
        ttft=tuple(reported for reported, _ in ttfts),
        true_ttft=tuple(true for _, true in ttfts),
        gap_errors=tuple(gaps) if gaps else None,
        mean_gap_errors=tuple(means) if means else None,
    )


def quantile(errors: Sequence[Floats], q: float) -> float | None:
    """The quantile of the errors' size over all rounds; None without any."""
    pooled = np.concatenate(errors) if errors else np.empty(0)
    return float(np.quantile(np.abs(pooled), q)) if pooled.size else None


def spread(errors: Sequence[Floats], q: float) -> tuple[float, float] | None:
    """The least and the greatest of the rounds' quantiles."""
    each = [float(np.quantile(np.abs(one), q)) for one in errors if one.size]
    return (min(each), max(each)) if each else None
