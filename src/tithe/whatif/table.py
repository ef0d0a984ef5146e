"""A graph as arrays, so that many draws of it are timed at once."""

from collections.abc import Mapping, Sequence

import numpy as np

from tithe.core.statistics import Floats
from tithe.trace.buckets import BUCKETS, Bucket
from tithe.whatif.calltimes import CallTimes, source_of
from tithe.whatif.fit import Fit
from tithe.whatif.graph import Call, Graph

PLACE: dict[Bucket, int] = {bucket: place for place, bucket in enumerate(BUCKETS)}


class Table:
    """The calls of a graph as arrays of their count, NaN where something is not reported, and what of each segment is no call's.

    `fixed` and `tools` are seconds by segment and bucket: what no change touches, and what a change of the tools does.
    `beside` is the part of `tools` that a longer tool could have run beside. `in_one`: the answer came in one piece; its `ttft`
    and `decode` are then shares of the whole by its source's fit, or NaN where there is none, and `whole` is the whole.
    """

    def __init__(self, graph: Graph, own: Mapping[str, CallTimes]) -> None:
        self.segments = [segment.after for segment in graph.segments]
        shape = (len(graph.segments), len(BUCKETS))
        self.fixed, self.tools, self.beside = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        calls: list[Call] = []
        homes: list[int] = []
        for place, segment in enumerate(graph.segments):
            for work in segment.works:
                column = PLACE[work.bucket]
                sums = self.tools if work.bucket == "tool" else self.fixed
                sums[place, column] += work.seconds
                if work.beside and work.bucket == "tool":
                    self.beside[place, column] += work.seconds
                if work.call is not None:
                    calls.append(work.call)
                    homes.append(place)
        self.calls = calls
        self.homes = np.asarray(homes, dtype=np.intp)
        self.sources = [source_of(call) for call in calls]
        self.prompt = _array([call.prompt for call in calls])
        self.cached = _array([call.cached for call in calls])
        self.decoded = _array([call.decoded for call in calls])
        self.ttft = _array([call.ttft_s for call in calls])
        self.decode = _array([call.decode_s for call in calls])
        self.whole = _array([call.whole_s for call in calls])
        self.queue = _array([call.queue_s for call in calls])
        self.failed = _array([call.failed_s for call in calls])
        self.backoff = _array([call.backoff_s for call in calls])
        self.others_first = np.asarray([call.others_first for call in calls], dtype=np.float64)
        self.others_rest = np.asarray([call.others_rest for call in calls], dtype=np.float64)
        self.failures = _array([call.failures for call in calls])
        self.answered = np.asarray([call.answered for call in calls], dtype=bool)
        self.in_one = ~np.isnan(self.whole)
        if self.in_one.any():
            self._split(own)
        self._repeated: Floats | None = None

    @property
    def repeated(self) -> Floats:
        """Of each prompt, the tokens that it may have in common with the call before in its line and that one's answer.

        NaN where its length is not reported; 0 for a line's first call.
        """
        if self._repeated is None:
            before: dict[int, float] = {}
            found: list[float] = []
            for call in self.calls:
                known = before.get(call.line, 0.0)
                found.append(float("nan") if call.prompt is None else min(known, float(call.prompt)))
                if call.prompt is not None and call.answered:
                    before[call.line] = float(call.prompt + (call.decoded or 0))
            self._repeated = np.asarray(found)
        return self._repeated

    def by_source(self) -> dict[str, Sequence[int]]:
        """The places of each source's calls."""
        found: dict[str, list[int]] = {}
        for place, source in enumerate(self.sources):
            found.setdefault(source, []).append(place)
        return dict(found)

    def _split(self, own: Mapping[str, CallTimes]) -> None:
        for source, places in self.by_source().items():
            times = own.get(source)
            if times is None or not isinstance(times.whole, Fit):
                continue
            at_ = np.asarray([place for place in places if self.in_one[place]], dtype=np.intp)
            per_token = times.whole.prices.get("decoded tokens", 0.0)
            if not len(at_):
                continue
            sizes = {
                "prompt tokens": self.prompt[at_],
                "cached tokens": self.cached[at_],
                "uncached tokens": self.prompt[at_] - self.cached[at_],
                "decoded tokens": self.decoded[at_],
            }
            fitted = times.whole.seconds(sizes)
            share = np.clip(per_token * self.decoded[at_] / fitted, 0.0, 1.0)
            self.decode[at_] = self.whole[at_] * share
            self.ttft[at_] = self.whole[at_] * (1 - share)


def _array(values: Sequence[float | None]) -> Floats:
    return np.asarray([float("nan") if value is None else value for value in values], dtype=np.float64)
