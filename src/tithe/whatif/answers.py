"""What calls take under a change: the first token, the rest, failures, and the check of each answer.

A time that nothing changes stays as it was recorded. Under a speedup it is what the fit says of the call's sizes, times a resampled
factor, divided: inference that is made anew has chance anew, and the recorded chance is one draw of it. Where nothing is fitted, the
recorded time is divided. One that an endpoint's profile gives is the fitted time of the call's sizes times a
resampled factor; one that a flag gives is that, times a factor resampled from what the recorded calls scattered by, if they were
enough to tell. A cache that is warm or cold in place of what it was scales the recorded time by what the fit says of both.

Candidates are drawn apart and the slowest is waited for. An attempt fails with the chance p, by itself: so
often as floor(log u / log p) with u uniform (the inverse of the geometric distribution), and takes what the
call that answers takes. Every use of chance has a generator of its own, so that two changes meet the same luck and differ by the
change alone (common random numbers); tasks have their own. What a fit may have wrong (`Fit.location`) is one factor for all calls of a draw
that are told from it, in all tasks: it does not average out.
"""

import functools
from collections.abc import Mapping
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tithe.core.statistics import Floats
from tithe.whatif.calltimes import PARTS, CallTimes, Part
from tithe.whatif.change import Change
from tithe.whatif.fit import Fit
from tithe.whatif.sharing import slowdowns
from tithe.whatif.table import Table

VERIFY_TOKENS = 10
"""What an answer that only says whether another is right is long."""
MOST_FAILURES = 20


class Nudge(NamedTuple):
    """A small change of one knob, to tell what it is worth: what the time of each first token, of each token after it, and of the failures
    of calls that were answered in the end is multiplied by."""

    ttft: float = 1.0
    token: float = 1.0
    failures: float = 1.0


STILL = Nudge()


class Answers(NamedTuple):
    """Seconds by draw and call: what falls into which bucket."""

    queue: Floats
    prefill: Floats
    decode: Floats
    inference: Floats
    retry: Floats
    validation: Floats


class Luck:
    """Random factors, from a seed, the number of the task, and what they are for."""

    def __init__(self, draws: int, seed: int, task: int = 0) -> None:
        self.draws = draws
        self._seed = seed
        self._task = task

    def _generator(self, use: int, candidate: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64((self._seed, self._task, use, candidate)))

    def factors(self, fit: Fit, count: int, use: int, candidate: int = 0) -> Floats:
        return fit.factors[self._places(fit, count, use, candidate)]

    def seconds(self, fit: Fit, expected: Floats, use: int, candidate: int) -> Floats:
        """Times by draw and call: those expected, times a factor, and with the stalls that were seen."""
        places = self._places(fit, len(expected), use, candidate)
        off = _off(self.draws, self._seed, use, fit.location)
        return off * expected * fit.factors[places] + np.asarray(fit.stalls)[places]

    def _places(self, fit: Fit, count: int, use: int, candidate: int) -> NDArray[np.intp]:
        return self._generator(use, candidate).integers(0, fit.n, size=(self.draws, count))

    def failures(self, chance: float, count: int, candidate: int = 0) -> Floats:
        """How many attempts of each call fail, by draw. Each call's draws are spread evenly over chance (a Latin hypercube: McKay et al.
        1979), so that what is rare is met as often as it should be, and their mean is p / (1 - p) without the noise of so many draws.
        """
        if chance <= 0:
            return np.zeros((1, count))
        generator = self._generator(9, candidate)
        strata = generator.permuted(
            np.broadcast_to(np.arange(self.draws)[:, None], (self.draws, count)), axis=0
        )
        uniform = 1.0 - (strata + generator.random((self.draws, count))) / self.draws
        return np.minimum(np.floor(np.log(uniform) / np.log(chance)), MOST_FAILURES)


def _known(seconds: Floats) -> Floats:
    """Nothing where something is not reported."""
    return np.where(np.isnan(seconds), 0.0, seconds)


@functools.lru_cache(maxsize=256)
def _off(draws: int, seed: int, use: int, deviation: float) -> Floats:
    """By draw, by what factor a fit is off: lognormal, spread evenly over chance, and 1 on average."""
    even = [NormalDist().inv_cdf((place + 0.5) / draws) for place in range(draws)]
    order = np.random.Generator(np.random.SFC64((seed, use))).permutation(draws)
    found = np.exp(deviation * np.asarray(even)[order])
    return (found / found.mean())[:, None]


def answers(
    table: Table, change: Change, own: Mapping[str, CallTimes], luck: Luck, nudge: Nudge = STILL
) -> Answers:
    """What the calls of a task take."""
    changed = _Changed(table, change, own, luck)
    ttft, decode, whole = changed.times(0, fresh=change.speedup != 1)
    crowd = slowdowns(change, table, ttft, decode)
    if change.candidates > 1:
        ttft, decode, whole = _slowest(changed, change.candidates, ttft, decode, whole)
    first, rest = (
        crowded * changed.contention(part, change.candidates) / change.speedup
        for part, crowded in zip(PARTS, crowd, strict=True)
    )
    ttft = ttft * first * nudge.ttft
    decode = decode * rest * nudge.token
    whole = whole / change.speedup
    known = ~np.isnan(ttft)
    first = np.where(known, ttft, 0.0)
    rest = np.where(known, _known(decode), 0.0)
    one = np.where(known, 0.0, _known(whole))
    total = first + rest + one
    retry = _retries(table, change, luck, nudge, total)
    validation = np.zeros((1, len(table.calls)))
    if change.verify:
        validation = np.where(table.answered, changed.check(first, rest) * 1.0, 0.0)
    # The queue is a part of the TTFT as long as that is the recorded one.
    with np.errstate(invalid="ignore", divide="ignore"):
        waiting = np.where(changed.replaced | (table.ttft <= 0), 0.0, _known(table.queue / table.ttft))
    apart = ~table.in_one | changed.replaced
    return Answers(
        queue=np.where(apart, first * waiting, 0.0),
        prefill=np.where(apart, first * (1 - waiting), 0.0),
        decode=np.where(apart, rest, 0.0),
        inference=np.where(apart, 0.0, first + rest) + one,
        retry=retry,
        validation=validation,
    )


def _retries(table: Table, change: Change, luck: Luck, nudge: Nudge, total: Floats) -> Floats:
    recorded = table.failed / change.speedup + table.backoff
    if change.retries is None:
        return (recorded * np.where(table.answered, nudge.failures, 1.0))[None, :]
    failures = luck.failures(change.retries, len(table.calls)) * nudge.failures
    return failures * total + np.where(table.answered, 0.0, recorded)


def _slowest(
    changed: "_Changed", count: int, ttft: Floats, decode: Floats, whole: Floats
) -> tuple[Floats, Floats, Floats]:
    for candidate in range(1, count):
        first, rest, one = changed.times(candidate, fresh=True)
        longer = first + rest > ttft + decode
        ttft, decode = np.where(longer, first, ttft), np.where(longer, rest, decode)
        whole = np.fmax(whole, one)
    return ttft, decode, whole


class _Changed:
    """The times of the calls of one table under one change."""

    def __init__(self, table: Table, change: Change, own: Mapping[str, CallTimes], luck: Luck) -> None:
        self._table = table
        self._change = change
        self._luck = luck
        self._own = own
        count = len(table.calls)
        profile = change.profile
        self._times = profile.times if profile is not None else None
        with_ttft = profile is not None or change.ttft_s is not None
        with_rate = profile is not None or change.tokens_per_s is not None
        able = table.answered.copy()
        if profile is not None:
            able &= ~np.isnan(table.prompt) & ~np.isnan(table.decoded)
        if with_rate:
            able &= ~np.isnan(table.decoded)
        # One piece of which only a part is given stays whole where the other is not known.
        if with_ttft != with_rate:
            able &= ~np.isnan(table.ttft)
        self.new_ttft = able if with_ttft else np.zeros(count, dtype=bool)
        self.new_rate = able if with_rate else np.zeros(count, dtype=bool)
        self.replaced = self.new_ttft | self.new_rate

    def times(self, candidate: int, *, fresh: bool = False) -> tuple[Floats, Floats, Floats]:
        """(TTFT, decode, whole) by draw and call. `fresh`: of another answer to the same prompt, not of the recorded one."""
        table = self._table
        ttft, decode = table.ttft[None, :], table.decode[None, :]
        if self._change.cache is not None and self._times is None:
            ttft = ttft * self._cache_ratio()
        if fresh:
            ttft = ttft * self._scatter("ttft", candidate, again=True)
            decode = decode * self._scatter("decode", candidate, again=True)
        if self.new_ttft.any():
            ttft = np.where(self.new_ttft, self._first(candidate), ttft)
        if self.new_rate.any():
            decode = np.where(self.new_rate, self._rest(candidate), decode)
        return ttft, decode, table.whole[None, :]

    def _first(self, candidate: int) -> Floats:
        times, given = self._times, self._change.ttft_s
        if times is None:
            assert given is not None
            return given * self._scatter("ttft", candidate)
        assert isinstance(times.ttft, Fit)
        expected = times.ttft.seconds(self._sizes(self._cached())) * times.slower(
            "ttft", self._table.others_first
        )
        return self._luck.seconds(times.ttft, expected, 1, candidate)

    def _rest(self, candidate: int) -> Floats:
        times, given = self._times, self._change.tokens_per_s
        if times is None:
            assert given is not None
            return self._table.decoded / given * self._scatter("decode", candidate)
        assert isinstance(times.decode, Fit)
        expected = times.decode.seconds({"decoded tokens": self._table.decoded}) * times.slower(
            "decode", self._table.others_rest
        )
        return self._luck.seconds(times.decode, expected, 2, candidate)

    def _scatter(self, what: Part, candidate: int, *, again: bool = False) -> Floats:
        """What recorded calls of the same source scattered by; `again`: over what this one's own time was by."""
        table = self._table
        found = np.ones((self._luck.draws, len(table.calls)))
        for number, (source, places) in enumerate(table.by_source().items()):
            times = self._own.get(source)
            if times is None:
                continue
            fit, recorded = (times.ttft, table.ttft) if what == "ttft" else (times.decode, table.decode)
            use = 100 + 10 * number + (1 if what == "ttft" else 2)
            if not isinstance(fit, Fit):
                # What was only seen whole scatters as a whole.
                fit, recorded, use = times.whole, table.whole, 100 + 10 * number
            if not isinstance(fit, Fit):
                continue
            drawn = self._luck.factors(fit, len(places), use, candidate)
            if again:
                expected = fit.seconds(self._sizes(table.cached))
                if fit is not times.whole:
                    expected = expected * times.slower(what, self._others(what))
                expected = expected[list(places)]
                seconds = self._luck.seconds(fit, expected, use, candidate)
                with np.errstate(invalid="ignore", divide="ignore"):
                    own = seconds / recorded[list(places)]
                drawn = np.where(np.isfinite(own), own, drawn)
            found[:, list(places)] = drawn
        return found

    def _cache_ratio(self) -> Floats:
        table = self._table
        ratio = np.ones(len(table.calls))
        for source, places in table.by_source().items():
            times = self._own.get(source)
            if times is None or not times.knows_cache():
                continue
            fit = times.ttft if isinstance(times.ttft, Fit) else times.whole
            assert isinstance(fit, Fit)
            with np.errstate(invalid="ignore", divide="ignore"):
                then, now = (self._sizes(cached) for cached in (table.cached, self._cached()))
                # Of a whole answer, what is before its first token.
                now["decoded tokens"] = then["decoded tokens"] = np.zeros(len(table.calls))
                change = fit.seconds(now) / fit.seconds(then)
            ratio[list(places)] = np.where(np.isfinite(change), change, 1.0)[list(places)]
        return ratio

    def _cached(self) -> Floats:
        table = self._table
        if self._change.cache == "cold":
            return np.where(np.isnan(table.prompt), np.nan, 0.0)
        if self._change.cache == "warm":
            return np.fmax(table.cached, table.repeated)
        return np.where(np.isnan(table.cached), table.repeated, table.cached)

    def _sizes(self, cached: Floats) -> dict[str, Floats]:
        table = self._table
        cached = np.minimum(cached, table.prompt)  # some endpoints count more than the prompt has
        return {
            "prompt tokens": table.prompt,
            "cached tokens": cached,
            "uncached tokens": table.prompt - cached,
            "decoded tokens": table.decoded,
        }

    def _others(self, part: Part) -> Floats:
        return self._table.others_first if part == "ttft" else self._table.others_rest

    def contention(self, part: Part, count: int) -> Floats | float:
        """How many times as long that part of each call takes where `count` of one agent's run at once."""
        if count == 1:
            return 1.0
        table = self._table
        others = self._others(part)
        found = np.ones(len(table.calls))
        for source, places in table.by_source().items():
            times = self._times if self._times is not None else self._own.get(source)
            if times is not None:
                slower = times.slower(part, (others + 1) * count - 1) / times.slower(part, others)
                found[list(places)] = slower[list(places)]
        return found

    def check(self, first: Floats, rest: Floats) -> Floats:
        """Seconds of a short call that reads each answer: what came before it is cached, and it says a few tokens."""
        table = self._table
        if self._times is not None:
            fit, rate = self._times.ttft, self._times.decode
            assert isinstance(fit, Fit)
            assert isinstance(rate, Fit)
            length = table.prompt + table.decoded
            sizes = {
                "prompt tokens": length,
                "cached tokens": table.prompt,
                "uncached tokens": table.decoded,
            }
            expected = fit.seconds(sizes) + VERIFY_TOKENS * rate.prices["decoded tokens"]
            return _known(expected / self._change.speedup)[None, :]
        with np.errstate(invalid="ignore", divide="ignore"):
            per_token = rest / table.decoded
        per_token = np.where(np.isfinite(per_token), per_token, 0.0)
        return first + VERIFY_TOKENS * per_token
