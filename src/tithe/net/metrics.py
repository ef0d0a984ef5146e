"""The server's figures in Prometheus' text format.

Queue, prefill and decode times and cached tokens come from what the backend reports; a backend that does
not report them leaves them unobserved, never zero. Each server has a registry of its own.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tithe.net.account import CallAccount

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Seconds: from a cached prefix on a small model to a long prompt on a busy one.
BUCKETS = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0),
)

Gauges = Callable[[], Mapping[str, float]]


class Figure(msgspec.Struct, frozen=True):
    """What a figure of a backend's tells; `counter` for one that only ever grows."""

    help: str
    counter: bool = False


FIGURES = {
    "calls_running": Figure("Calls that this server is answering"),
    "running": Figure("Sequences that the engine is computing"),
    "waiting": Figure("Sequences that wait for the engine to take them up"),
    "kv_blocks": Figure("Blocks of the KV cache, free or not"),
    "kv_blocks_used": Figure("Blocks of the KV cache that a sequence holds"),
    "kv_blocks_cached": Figure("Blocks of the KV cache that no sequence holds and a later one can reuse"),
    "kv_blocks_evicted": Figure("Cached blocks given up to make room", counter=True),
    "steps": Figure("Engine steps", counter=True),
    "computed_tokens": Figure("Tokens computed by the engine, of prompts and of answers", counter=True),
}
"""What is known of the figures that a `Gauges` may give. One that is not here is a gauge without a text."""


class _GaugesNow(Collector):
    """Figures read at the moment of the scrape. A name without the `tithe_` prefix is given it."""

    def __init__(self, read: Gauges) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        for name, value in self._read().items():
            short = name.removeprefix("tithe_")
            figure = FIGURES.get(short, Figure(""))
            family = CounterMetricFamily if figure.counter else GaugeMetricFamily
            yield family(f"tithe_{short}", figure.help, value=value)

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: the registry would otherwise read the gauges when it is made."""
        return ()


class _WithoutCreated(Collector):
    """A registry without its `_created` series (when each counter was made), which nobody here reads.

    prometheus_client can leave them out for the whole process only, which is its owner's to decide.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Metrics:
    """Histograms and counters over the calls of one server, and the gauges beside them."""

    def __init__(self, *gauges: Gauges) -> None:
        self._registry = CollectorRegistry()
        self._ttft = self._histogram("ttft", "From a request's arrival to its first generated token")
        self._queue = self._histogram("queue", "From arrival to the first engine step of the call")
        self._prefill = self._histogram("prefill", "From the first engine step to the first token")
        self._decode = self._histogram("decode", "From the first token to the last")
        self._requests = Counter(
            "tithe_requests", "Calls by how they ended", ["status"], registry=self._registry
        )
        self._prompt = self._counter("prompt_tokens", "Prompt tokens")
        self._cached = self._counter("cached_prompt_tokens", "Prompt tokens read from the KV cache")
        self._output = self._counter("output_tokens", "Generated tokens")
        self._breaks = self._counter("prefix_breaks", "Calls that broke a prefix their session had paid for")
        for read in gauges:
            self._registry.register(_GaugesNow(read))

    def _histogram(self, name: str, what: str) -> Histogram:
        return Histogram(f"tithe_{name}_seconds", what, buckets=BUCKETS, registry=self._registry)

    def _counter(self, name: str, what: str) -> Counter:
        return Counter(f"tithe_{name}", what, registry=self._registry)

    def count(self, call: CallAccount) -> None:
        """Take a call that has ended into the figures."""
        self._requests.labels(str(call.status)).inc()
        if call.ttft is not None:
            self._ttft.observe(call.ttft)
        if call.usage is not None:
            self._prompt.inc(call.usage.prompt_tokens)
            self._output.inc(call.usage.completion_tokens)
            if call.usage.cached_tokens is not None:
                self._cached.inc(call.usage.cached_tokens)
        if call.facts is not None:
            self._queue.observe(call.facts.queue_s)
            self._prefill.observe(call.facts.prefill_s)
            self._decode.observe(call.facts.decode_s)
            if call.facts.prefix_break is not None:
                self._breaks.inc()

    def text(self) -> bytes:
        """Everything, in the text exposition format (`CONTENT_TYPE`)."""
        return generate_latest(_WithoutCreated(self._registry))
