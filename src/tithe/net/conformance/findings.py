"""What a client found in a scenario, and what is true of it: one type for both, so that they can be compared.

Three things are told apart: a value; None, which is "it did not happen" or "the endpoint did not report
it"; and UNSET, which in a truth means "not asked" and from a client "this client does not tell".
Times are seconds, from the request's last byte on where nothing else is said (`audit/observation.py`).
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

Outcome = Literal["answered", "empty", "failed"]

Seconds = float | None | UnsetType
Count = int | None | UnsetType
Words = str | None | UnsetType


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: one HTTP request and what came of it.

    outcome: `answered` is a whole answer with a generated token, `empty` a whole one without any.
    status: the HTTP status of a refusal.
    ttft_s, visible_ttft_s, total_s: to the first token, the first that is not reasoning, the last.
    latency_s: from the instant at which the request was due, to the last token.
    gaps_s: between chunks with generated tokens. decode_rate: tokens a second after the first.
    queue_s: the part of the TTFT that the endpoint says was spent waiting for a place.
    text: the answer without reasoning and tool calls. validity: its class (`audit/validity.py`).
    """

    outcome: Outcome
    status: Count = UNSET
    ttft_s: Seconds = UNSET
    visible_ttft_s: Seconds = UNSET
    total_s: Seconds = UNSET
    latency_s: Seconds = UNSET
    gaps_s: tuple[float, ...] | UnsetType = UNSET
    decode_rate: float | UnsetType | None = UNSET
    queue_s: Seconds = UNSET
    output_tokens: Count = UNSET
    reasoning_tokens: Count = UNSET
    cached_tokens: Count = UNSET
    text: Words = UNSET
    validity: Words = UNSET


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The statistics over a scenario's attempts.

    counted: attempts in them. apart: attempts that are not. ttft_p50_s: median TTFT of those counted.
    interval: whether the median is told with an interval.
    """

    counted: int
    apart: int
    ttft_p50_s: float | None
    interval: bool


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Every attempt of a scenario, in the order asked, and the statistics over them."""

    attempts: tuple[Finding, ...]
    summary: Summary | UnsetType = UNSET


# Compared within a tolerance, as `gaps_s` are; every other field has to be the same.
TIMED = ("ttft_s", "visible_ttft_s", "total_s", "latency_s")
EXACT = (
    "outcome",
    "status",
    "decode_rate",
    "queue_s",
    "output_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "text",
    "validity",
)
