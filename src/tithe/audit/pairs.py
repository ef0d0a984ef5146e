"""Cached against uncached TTFT, as pairs: does this endpoint cache prefixes, and what is one worth?

Both calls of a pair have the same length. The uncached one has a fresh salt from its first word on;
the cached one repeats a prefix that the endpoint has seen and ends in a new tail. They run one right
after the other, whichever is first by lot, and a round has one pair of each length in random order: a slow
minute strikes both arms and every length alike. A length whose first call the endpoint refuses (HTTP 400 and the
like: a context too short for it) is asked for no more, and its figures say what the endpoint said. Rounds go on until every TTFT is precise enough
(sampling.py). With P prefix tokens,

    saved(P)             = uncached TTFT(P) - cached TTFT(P)      paired by repeat
    worth of a token     = slope of the median saved(P) over P
    share of prefill cut = that slope / slope of the median uncached TTFT(P) over P

A length pays when the interval of its saved time lies above zero and its median is at least 5 % of
the uncached TTFT. The endpoint caches when its longest length pays, and then from the shortest
length on above which all pay. It does not cache when the interval shows that under a fifth of the
prefill cost could have been saved. Anything else is unclear: measured, and not enough to tell.
"""

import random
from collections.abc import Mapping
from typing import Literal

import msgspec

from tithe.audit.observation import Observation
from tithe.audit.probe import Probe
from tithe.audit.sampling import Extent, sample
from tithe.core import Request
from tithe.core.statistics import Estimate, median, paired_difference, slope_of_medians

Arm = Literal["uncached", "cached"]
ARMS: tuple[Arm, ...] = ("uncached", "cached")
Caching = Literal["caches", "does_not_cache", "unclear"]

_PAYS_FROM = 0.05
_DOES_NOT_CACHE_BELOW = 0.2


class PairSample(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a pair. `length` is the planned prefix length in tokens."""

    length: int
    arm: Arm
    repeat: int
    observation: Observation


class LengthFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The pairs of one prefix length. Times in seconds; token counts are medians of what was reported.

    `refused` is what the endpoint said where it takes no call of that length; nothing was measured then.
    """

    length: int
    prompt_tokens: float | None
    cached_tokens: float | None
    uncached_ttft_s: Estimate | None
    cached_ttft_s: Estimate | None
    saved_s: Estimate | None
    pays: bool
    failed: int
    refused: str | None = None


class PairsFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the pairs tell. `token_worth_s` is seconds a cached prefix token saves."""

    lengths: tuple[LengthFigures, ...]
    caching: Caching
    caches_from: int | None
    token_worth_s: Estimate | None
    uncached_token_s: Estimate | None

    @property
    def longest(self) -> LengthFigures | None:
        """The longest length that has pairs: a context may be too short for the longest asked for."""
        return next((row for row in reversed(self.lengths) if row.saved_s is not None), None)


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement whole: what was seen, and what follows from it."""

    primes: tuple[Observation, ...]
    samples: tuple[PairSample, ...]
    extent: Extent
    figures: PairsFigures


async def measure_pairs(probe: Probe) -> Pairs:
    """Prime each length's prefix, then run rounds of one pair of each length."""
    plan = probe.plan
    async with probe.seat.turn():
        primes = [
            await probe.call(_request(probe, length, _known(length), "prime"), f"pairs.prime.{length}")
            for length in plan.lengths
        ]
    told = zip(plan.lengths, primes, strict=True)
    refused = {length: seen.refusal for length, seen in told if seen.refusal is not None}
    taken = [length for length in plan.lengths if length not in refused]
    order = random.Random(f"{plan.seed}/pairs")
    samples: list[PairSample] = []

    async def run_round(repeat: int) -> None:
        for length in order.sample(taken, len(taken)):
            arms: list[Arm] = order.sample(ARMS, len(ARMS))
            samples.extend([await _sample(probe, length, arm, repeat) for arm in arms])

    def ttfts() -> list[Estimate | None]:
        rows = _rows(tuple(samples), plan.seed, {})
        return [ttft for row in rows for ttft in (row.uncached_ttft_s, row.cached_ttft_s)]

    nothing = Extent(rounds=0, ended="samples")
    extent = await sample(probe, run_round, ttfts) if taken else nothing
    return Pairs(
        primes=tuple(primes),
        samples=tuple(samples),
        extent=extent,
        figures=pairs_figures(tuple(samples), seed=plan.seed, refused=refused),
    )


async def _sample(probe: Probe, length: int, arm: Arm, repeat: int) -> PairSample:
    prefix = _known(length) if arm == "cached" else f"pairs/{length}/fresh/{repeat}"
    request = _request(probe, length, prefix, f"{arm}/{repeat}")
    seen = await probe.call(request, f"pairs.{arm}.{length}")
    return PairSample(length=length, arm=arm, repeat=repeat, observation=seen)


def _known(length: int) -> str:
    return f"pairs/{length}/known"


def _request(probe: Probe, length: int, prefix: str, tail: str) -> Request:
    return probe.request(
        (probe.prompts.system(length, prefix), probe.prompts.user(probe.plan.tail, f"{prefix}/{tail}"))
    )


def pairs_figures(
    samples: tuple[PairSample, ...], *, seed: int, refused: Mapping[int, str] | None = None
) -> PairsFigures:
    """Everything that follows from the samples; failed calls are counted apart.

    `refused`: the lengths that the endpoint does not take, and what it said.
    """
    rows = _rows(samples, seed, refused or {})
    saved = {row.length: _saved(row.length, samples) for row in rows}
    uncached = {float(row.length): _ttfts(_of(samples, row.length, "uncached")) for row in rows}
    worth = slope_of_medians(
        {float(length): [first - second for first, second in pairs] for length, pairs in saved.items()},
        seed=seed,
    )
    price = slope_of_medians(uncached, seed=seed)
    measured = tuple(row for row in rows if row.saved_s is not None)
    caching = _caching(measured, worth, price)
    return PairsFigures(
        lengths=rows,
        caching=caching,
        caches_from=_caches_from(measured) if caching == "caches" else None,
        token_worth_s=worth,
        uncached_token_s=price,
    )


def _rows(
    samples: tuple[PairSample, ...], seed: int, refused: Mapping[int, str]
) -> tuple[LengthFigures, ...]:
    lengths = sorted({*(sample.length for sample in samples), *refused})
    return tuple(_length_figures(length, samples, seed, refused.get(length)) for length in lengths)


def _length_figures(
    length: int, samples: tuple[PairSample, ...], seed: int, refused: str | None
) -> LengthFigures:
    uncached, cached = _of(samples, length, "uncached"), _of(samples, length, "cached")
    saved = paired_difference(_saved(length, samples), seed=seed)
    uncached_ttft = median(_ttfts(uncached), seed=seed)
    pays = (
        saved is not None
        and uncached_ttft is not None
        and saved.low is not None
        and saved.low > 0
        and saved.value >= _PAYS_FROM * uncached_ttft.value
    )
    return LengthFigures(
        length=length,
        prompt_tokens=_median_of([seen.prompt_tokens for seen in uncached + cached if seen.answered]),
        cached_tokens=_median_of([seen.cached_tokens for seen in cached if seen.answered]),
        uncached_ttft_s=uncached_ttft,
        cached_ttft_s=median(_ttfts(cached), seed=seed),
        saved_s=saved,
        pays=pays,
        failed=sum(not seen.answered for seen in uncached + cached),
        refused=refused,
    )


def _caching(rows: tuple[LengthFigures, ...], worth: Estimate | None, price: Estimate | None) -> Caching:
    if rows and rows[-1].pays:
        return "caches"
    if worth is None or worth.high is None or price is None or price.low is None:
        return "unclear"
    if price.low > 0 and worth.high < _DOES_NOT_CACHE_BELOW * price.value:
        return "does_not_cache"
    return "unclear"


def _caches_from(rows: tuple[LengthFigures, ...]) -> int:
    start = rows[-1].length
    for row in reversed(rows):
        if not row.pays:
            break
        start = row.length
    return start


def _of(samples: tuple[PairSample, ...], length: int, arm: Arm) -> list[Observation]:
    return [sample.observation for sample in samples if sample.length == length and sample.arm == arm]


def _ttfts(seen: list[Observation]) -> list[float]:
    return [one.ttft for one in seen if one.answered and one.ttft is not None]


def _saved(length: int, samples: tuple[PairSample, ...]) -> list[tuple[float, float]]:
    """(uncached, cached) TTFT of the repeats in which both were answered."""
    ttft: dict[tuple[Arm, int], float] = {
        (sample.arm, sample.repeat): sample.observation.ttft
        for sample in samples
        if sample.length == length and sample.observation.answered and sample.observation.ttft is not None
    }
    repeats = sorted({repeat for _, repeat in ttft})
    return [
        (ttft["uncached", repeat], ttft["cached", repeat])
        for repeat in repeats
        if ("uncached", repeat) in ttft and ("cached", repeat) in ttft
    ]


def _median_of(values: list[int | None]) -> float | None:
    estimate = median([float(value) for value in values if value is not None])
    return estimate.value if estimate is not None else None
