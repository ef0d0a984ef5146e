"""What a call takes at an endpoint, by its sizes: fitted to calls that were made, never assumed.

    TTFT   = constant + uncached tokens * price + cached tokens * price      cached is n/r: all prompt tokens at one price
    decode = tokens after the first * price                                  one over the decode rate
    whole  = constant + uncached * price + cached * price + decoded * price  where only whole times were seen

each times a factor that is resampled from the fit's residuals (fit.py). `crowding` is the g of TTFT ~ concurrency^g, the median slope of
the residuals of at least eight calls that ran beside others. Models and endpoints are fitted apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from tithe.whatif.fit import Fit, NoFit, fit_times
from tithe.whatif.graph import Call, Graph

_FEWEST_BESIDE = 8


class CallSample(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was answered. Seconds and tokens; None is "not reported". `decoded`: tokens after the first."""

    prompt: int | None = None
    cached: int | None = None
    decoded: int | None = None
    concurrency: int = 1
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
            concurrency=call.concurrency,
            ttft_s=call.ttft_s,
            decode_s=call.decode_s,
            total_s=total,
        )


class CallTimes(msgspec.Struct, frozen=True, kw_only=True):
    """The fitted times of one model at one endpoint, which `name` says. `whole` is fitted where the parts were not seen."""

    name: str
    ttft: Fit | NoFit
    decode: Fit | NoFit
    whole: Fit | NoFit
    crowding: float = 0.0

    @property
    def fits(self) -> tuple[Fit, ...]:
        return tuple(fit for fit in (self.ttft, self.decode, self.whole) if isinstance(fit, Fit))

    def knows_cache(self) -> bool:
        """Whether it tells what a token in the cache costs from what one outside does."""
        fit = self.ttft if isinstance(self.ttft, Fit) else self.whole
        return isinstance(fit, Fit) and "cached tokens" in fit.ranges and "uncached tokens" in fit.prices


def fit_call_times(name: str, samples: Sequence[CallSample]) -> CallTimes:
    """The call times of samples of one model at one endpoint."""
    firsts = [one for one in samples if one.ttft_s is not None and one.prompt is not None]
    ttft = _on_prompt("TTFT", firsts, [one.ttft_s or 0.0 for one in firsts])
    tails = [one for one in samples if one.decode_s is not None and one.decoded]
    decode = fit_times(
        "decode",
        {"decoded tokens": [one.decoded or 0 for one in tails]},
        [one.decode_s or 0.0 for one in tails],
        constant=False,
    )
    wholes = [one for one in samples if one.total_s is not None and one.prompt is not None and one.decoded]
    whole = _on_prompt("whole", wholes, [one.total_s or 0.0 for one in wholes], with_decode=True)
    return CallTimes(name=name, ttft=ttft, decode=decode, whole=whole, crowding=_crowding(firsts, ttft))


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
    if isinstance(fit, NoFit) and fit.reason.endswith("twice as many") and "cached tokens" in sizes:
        # Fewer prices, where the samples are few.
        sizes["prompt tokens"] = [float(one.prompt or 0) for one in samples]
        del sizes["cached tokens"], sizes["uncached tokens"]
        fit = fit_times(what, sizes, times)
    return fit


def _crowding(samples: Sequence[CallSample], fit: Fit | NoFit) -> float:
    """The exponent of concurrency; 0 where too little ran beside anything, or it made nothing slower."""
    if isinstance(fit, NoFit) or len(samples) != fit.n:
        return 0.0
    beside = np.log([one.concurrency for one in samples])
    if np.count_nonzero(beside) < _FEWEST_BESIDE or np.ptp(beside) == 0:
        return 0.0
    residuals = np.asarray(fit.residuals)
    alone = float(np.median(residuals[beside == 0])) if np.any(beside == 0) else 0.0
    slopes = (residuals[beside > 0] - alone) / beside[beside > 0]
    return max(0.0, float(np.median(slopes)))


def own_call_times(graphs: Iterable[Graph]) -> dict[str, CallTimes]:
    """The call times of recorded tasks themselves, by `source_of` each call."""
    samples: dict[str, list[CallSample]] = defaultdict(list)
    for graph in graphs:
        for call in graph.calls:
            if call.answered and graph.task != "described":
                samples[source_of(call)].append(CallSample.of(call))
    return {name: fit_call_times(name, found) for name, found in samples.items()}


def source_of(call: Call) -> str:
    """The model and the endpoint of a call, as far as they are reported: what is fitted by itself."""
    model = call.model or "a model that is not reported"
    return f"{model} at {call.endpoint}" if call.endpoint else model
