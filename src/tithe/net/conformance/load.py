"""Pitfalls 9, 10, 11 and 14: what several calls do to each other, and the client to them."""

from tithe.net.conformance import raw
from tithe.net.conformance.behaviour import InTurn, OneAtATime, PromptCache
from tithe.net.conformance.findings import Finding, Findings
from tithe.net.conformance.raw import DONE, ROLE, STOP
from tithe.net.conformance.scenario import Asking, Scenario
from tithe.net.scripted import Reply


def _hello(after: float, cached: int) -> Reply:
    """One token `after` seconds, with `cached` of 64 prompt tokens read from the cache."""
    report = raw.usage(64, 1, details=raw.cached(cached))
    return raw.stream((after, ROLE + raw.text(b"Hello") + STOP + report + DONE))


_HIT, _MISS = _hello(0.02, 64), _hello(0.08, 0)


def _computed(cached: int = 0) -> Finding:
    after = 0.02 if cached else 0.08
    return Finding(outcome="answered", ttft_s=after, total_s=after, cached_tokens=cached)


def _waited(seconds: float) -> Finding:
    return Finding(outcome="answered", ttft_s=seconds, latency_s=seconds)


SCHEDULE = (
    Scenario(
        name="open-loop",
        pitfall=9,
        wrong="Calls are held back while the endpoint is busy, so the wait that they would have had is never seen.",
        asking=Asking(how="on schedule", calls=4, every_s=0.03),
        behaviour=OneAtATime(_hello(0.07, 0)),
        truth=Findings(attempts=(_waited(0.07), _waited(0.11), _waited(0.15), _waited(0.19))),
    ),
)

CACHES = (
    Scenario(
        name="exact-repeats",
        pitfall=10,
        wrong="The same prompt is asked again, and the endpoint's cache of exact repeats is measured.",
        asking=Asking(how="copies", calls=4),
        behaviour=PromptCache(hit=_HIT, miss=_MISS, whole=True),
        truth=Findings(attempts=(_computed(),) * 4),
    ),
    Scenario(
        name="cache-that-expires",
        pitfall=11,
        wrong="Steps are replayed without the tools that ran between them, and find what would have been forgotten.",
        asking=Asking(how="steps", calls=3, tools_s=(0.02, 0.4)),
        behaviour=PromptCache(hit=_HIT, miss=_MISS, lives_s=0.2),
        truth=Findings(attempts=(_computed(), _computed(64), _computed())),
    ),
)

_STREAMS, _GAPS = 16, 5
_STREAM = raw.stream(
    (0.04, ROLE + raw.text(b"one")),
    *((0.03, raw.text(b" more")) for _ in range(_GAPS)),
    (0.0, STOP + raw.usage(20, 1 + _GAPS) + DONE),
)

CLIENT = (
    Scenario(
        name="many-streams",
        pitfall=14,
        wrong="A client that is busy with one stream stamps the others late, and reports itself.",
        asking=Asking(how="at once", calls=_STREAMS),
        behaviour=InTurn((_STREAM,)),
        truth=Findings(
            attempts=(
                Finding(
                    outcome="answered",
                    ttft_s=0.04,
                    total_s=0.19,
                    gaps_s=(0.03,) * _GAPS,
                    output_tokens=1 + _GAPS,
                    text="one" + " more" * _GAPS,
                ),
            )
            * _STREAMS
        ),
    ),
)
