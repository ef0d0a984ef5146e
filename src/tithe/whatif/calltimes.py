"""What a call takes at an endpoint, by its sizes: fitted to calls that were made, never assumed.

    TTFT   = constant + uncached tokens * price + cached tokens * price      cached is n/r: all prompt tokens at one price
    decode = tokens after the first * price                                  one over the decode rate
    whole  = constant + uncached * price + cached * price + decoded * price  where only whole times were seen

each times a factor that is resampled from the fit's residuals (fit.py). TTFT and decode are each longer beside other calls by a law of their
own (beside.py), where calls ran alone and beside others; the prices are then those of calls alone. What was only seen whole tells
nothing of it. Models and endpoints are fitted apart.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from tithe.core.statistics import Floats
from tithe.whatif.beside import ALONE, Beside, fit_beside
from tithe.whatif.fit import Fit, NoFit, fit_times
from tithe.whatif.graph import Call, Graph

Part = Literal["ttft", "decode"]
PARTS: tuple[Part, Part] = ("ttft", "decode")
_TTFT_BESIDE, _DECODE_BESIDE = "TTFT beside others", "decode beside others"
ALL_ALONE = "no call ran beside another of its task"
"""Why concurrency is not known where there was none."""


BADLY_KNOWN = 0.25
"""A fit that is off by more than this in the median is warned of."""


class CallSample(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was answered. Seconds and tokens; None is "not reported". `decoded`: tokens after the first.

    `others_first`, `others_rest`: other calls under way on average, until the first token and from there to the last.
    """

    prompt: int | None = None
    cached: int | None = None
    decoded: int | None = None
    others_first: float = 0.0
    others_rest: float = 0.0
    ttft_s: float | None = None
    decode_s: float | None = None
    total_s: float | None = None

    @classmethod
    def of(cls, call: Call) -> "CallSample":
        """A recorded call as a sample."""
        parts = (call.ttft_s, call.decode_s)
        total = call.whole_s if None in parts else sum(part for part in parts if part is not None)
        return cls(
            prompt=call.prompt,
            cached=call.cached,
            decoded=call.decoded,
            others_first=call.others_first,
            others_rest=call.others_rest,
            ttft_s=call.ttft_s,
            decode_s=call.decode_s,
            total_s=total,
        )


class CallTimes(msgspec.Struct, frozen=True, kw_only=True):
    """The fitted times of one model at one endpoint, which `name` says. `whole` is fitted where the parts were not seen.

    `ttft_beside`, `decode_beside`: what other calls do to each. `tasks`: of how many recorded tasks the calls are; None: of an audit.
    """

    name: str
    ttft: Fit | NoFit
    decode: Fit | NoFit
    whole: Fit | NoFit
    ttft_beside: Beside | NoFit = NoFit(_TTFT_BESIDE, ALL_ALONE)
    decode_beside: Beside | NoFit = NoFit(_DECODE_BESIDE, ALL_ALONE)
    tasks: int | None = None

    @property
    def fits(self) -> tuple[Fit, ...]:
        return tuple(fit for fit in (self.ttft, self.decode, self.whole) if isinstance(fit, Fit))

    @property
    def doubts(self) -> tuple[str, ...]:
        """A sentence on each fit that is so far off that what stands on it tells little."""
        used = self.fits if isinstance(self.ttft, NoFit) else (self.ttft, self.decode)
        return tuple(
            f"Badly known: {fit.what} of {self.name} is off by {100 * fit.error:.0f} % in the median, so that what stands on it is a guess."
            for fit in used
            if isinstance(fit, Fit) and fit.error > BADLY_KNOWN
        )

    def slower(self, part: Part, others: Floats) -> Floats:
        """How many times as long a part takes beside so many others, as far as that is known; else 1."""
        law = self.ttft_beside if part == "ttft" else self.decode_beside
        return law.slowdown(others) if isinstance(law, Beside) else np.ones_like(others)

    def knows_cache(self) -> bool:
        """Whether it tells what a token in the cache costs from what one outside does."""
        fit = self.ttft if isinstance(self.ttft, Fit) else self.whole
        return isinstance(fit, Fit) and "cached tokens" in fit.ranges and "uncached tokens" in fit.prices


def fit_call_times(
    name: str,
    samples: Sequence[CallSample],
    *,
    rounds: Sequence[CallSample] = (),
    tasks: int | None = None,
) -> CallTimes:
    """The call times of samples of one model at one endpoint. `rounds`: calls by one agent and by several at once, which are alike
    otherwise: where there are any, they alone tell what concurrency does, and `samples` what calls alone take.
    """
    firsts = [one for one in samples if one.ttft_s is not None and one.prompt is not None]
    tails = [one for one in samples if one.decode_s is not None and one.decoded]
    wholes = [one for one in samples if one.total_s is not None and one.prompt is not None and one.decoded]
    if rounds:
        ttft, decode = _ttft(firsts), _decode(tails)
        ttft_beside = _beside(_TTFT_BESIDE, ttft, _firsts_of(rounds), alike=True)
        decode_beside = _beside(_DECODE_BESIDE, decode, _rests_of(rounds), alike=True)
    else:
        ttft, ttft_beside = _alone(_TTFT_BESIDE, _ttft, _firsts_of(firsts))
        decode, decode_beside = _alone(_DECODE_BESIDE, _decode, _rests_of(tails))
    return CallTimes(
        name=name,
        ttft=ttft,
        decode=decode,
        whole=_on_prompt("whole", wholes, [one.total_s or 0.0 for one in wholes], with_decode=True),
        ttft_beside=ttft_beside,
        decode_beside=decode_beside,
        tasks=tasks,
    )


class _Part(NamedTuple):
    """A part of a call: its seconds, and the others beside it."""

    sample: CallSample
    seconds: float
    others: float


def _firsts_of(samples: Sequence[CallSample]) -> list[_Part]:
    return [_Part(one, one.ttft_s, one.others_first) for one in samples if one.ttft_s is not None]


def _rests_of(samples: Sequence[CallSample]) -> list[_Part]:
    return [_Part(one, one.decode_s, one.others_rest) for one in samples if one.decode_s is not None]


def _ttft(samples: Sequence[CallSample]) -> Fit | NoFit:
    return _on_prompt("TTFT", samples, [one.ttft_s or 0.0 for one in samples])


def _decode(samples: Sequence[CallSample]) -> Fit | NoFit:
    return fit_times(
        "decode",
        {"decoded tokens": [one.decoded or 0 for one in samples]},
        [one.decode_s or 0.0 for one in samples],
        constant=False,
    )


def _alone(
    what: str, fitted: Callable[[Sequence[CallSample]], Fit | NoFit], parts: Sequence[_Part]
) -> tuple[Fit | NoFit, Beside | NoFit]:
    """The fit of calls alone, and what others cost. Where they cost nothing, or nobody knows, the fit is that of all calls."""
    everything = fitted([part.sample for part in parts])
    if not any(part.others > ALONE for part in parts):
        return everything, NoFit(what, ALL_ALONE)
    fit = fitted([part.sample for part in parts if part.others <= ALONE])
    beside = _beside(what, fit, parts)
    return (fit if isinstance(beside, Beside) and beside.share > 0 else everything), beside


def _beside(what: str, fit: Fit | NoFit, parts: Sequence[_Part], *, alike: bool = False) -> Beside | NoFit:
    """What others cost, over what a call alone takes by its fit; of calls that are `alike` without sizes, over what they all take."""
    if isinstance(fit, NoFit):
        return NoFit(what, f"of calls alone, {fit.reason}")
    alone = fit.seconds(_sizes_of([part.sample for part in parts]))
    if alike and np.isnan(alone).any():
        alone = np.ones_like(alone)
    known = [
        (part, float(one)) for part, one in zip(parts, alone, strict=True) if part.seconds > 0 and one > 0
    ]
    return fit_beside(
        what,
        [part.seconds for part, _ in known],
        np.asarray([one for _, one in known]),
        [part.others for part, _ in known],
    )


def _sizes_of(samples: Sequence[CallSample]) -> dict[str, Floats]:
    """The sizes of samples that a fit may have a price for; NaN where one is not reported."""
    prompt, cached, decoded = (
        np.asarray([np.nan if value is None else value for value in values], dtype=np.float64)
        for values in (
            [one.prompt for one in samples],
            [one.cached for one in samples],
            [one.decoded for one in samples],
        )
    )
    return {
        "prompt tokens": prompt,
        "cached tokens": cached,
        "uncached tokens": prompt - cached,
        "decoded tokens": decoded,
    }


def _on_prompt(
    what: str, samples: Sequence[CallSample], times: Sequence[float], *, with_decode: bool = False
) -> Fit | NoFit:
    sizes: dict[str, list[float]] = {}
    known = [one.cached is not None for one in samples]
    if any(known) and 2 * sum(known) >= len(known):
        times = [time for time, told in zip(times, known, strict=True) if told]
        samples = [one for one, told in zip(samples, known, strict=True) if told]
        sizes["uncached tokens"] = [float((one.prompt or 0) - (one.cached or 0)) for one in samples]
        sizes["cached tokens"] = [float(one.cached or 0) for one in samples]
    else:
        sizes["prompt tokens"] = [float(one.prompt or 0) for one in samples]
    if with_decode:
        sizes["decoded tokens"] = [float(one.decoded or 0) for one in samples]
    fit = fit_times(what, sizes, times)
    together = _together(fit) if "cached tokens" in sizes else None
    if together is not None:
        sizes["prompt tokens"] = [float(one.prompt or 0) for one in samples]
        del sizes["cached tokens"], sizes["uncached tokens"]
        fit = fit_times(what, sizes, times)
        if isinstance(fit, Fit):
            fit = msgspec.structs.replace(fit, notes=(together, *fit.notes))
    return fit


def _together(fit: Fit | NoFit) -> str | None:
    """Why tokens in the cache and outside have to have one price; None: they need not."""
    if isinstance(fit, NoFit):
        few = fit.reason.endswith("twice as many")
        return "cached and uncached tokens: one price, since the samples are few" if few else None
    if fit.prices.get("cached tokens", 0.0) > fit.prices.get("uncached tokens", 0.0):
        return "cached and uncached tokens: one price, for what is cached would cost more than what is not"
    return None


def own_call_times(graphs: Iterable[Graph]) -> dict[str, CallTimes]:
    """The call times of recorded tasks themselves, by `source_of` each call."""
    samples: dict[str, list[CallSample]] = defaultdict(list)
    tasks: dict[str, int] = defaultdict(int)
    for graph in graphs:
        calls = [call for call in graph.calls if call.answered and graph.task != "described"]
        for call in calls:
            samples[source_of(call)].append(CallSample.of(call))
        for source in {source_of(call) for call in calls}:
            tasks[source] += 1
    return {name: fit_call_times(name, found, tasks=tasks[name]) for name, found in samples.items()}


def source_of(call: Call) -> str:
    """The model and the endpoint of a call, as far as they are reported: what is fitted by itself."""
    model = call.model or "a model that is not reported"
    return f"{model} at {call.endpoint}" if call.endpoint else model
