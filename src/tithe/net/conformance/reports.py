"""Pitfalls 9, 12 and 13: what an endpoint reports of a call, and what it leaves out."""

from tithe.net.conformance import raw
from tithe.net.conformance.behaviour import InTurn
from tithe.net.conformance.findings import Finding, Findings
from tithe.net.conformance.raw import DONE, ROLE, STOP
from tithe.net.conformance.scenario import Scenario
from tithe.net.scripted import Reply


def _one(name: str, pitfall: int, wrong: str, reply: Reply, truth: Finding) -> Scenario:
    return Scenario(
        name=name,
        pitfall=pitfall,
        wrong=wrong,
        behaviour=InTurn((reply,)),
        truth=Findings(attempts=(truth,)),
    )


def _answer(report: bytes) -> Reply:
    """An answer whose report (a chunk) comes after its last token."""
    return raw.stream(
        (0.03, ROLE + raw.text(b"one two")), (0.03, raw.text(b" three")), (0.0, STOP + report + DONE)
    )


_FACTS = (
    b',"tithe":{"queue_s":0.06,"prefill_s":0.04,"decode_s":0.0,"cached_tokens":0,"uncached_tokens":20,'
    b'"prepare_s":0.0,"forced_tokens":0,"drafted_tokens":0,"accepted_tokens":0,"steps":1,"preemptions":0,'
    b'"prefix_break":null}'
)


def _queued(more: bytes) -> Reply:
    return raw.stream((0.1, ROLE + raw.text(b"Hello") + STOP + raw.usage(20, 1, more=more) + DONE))


QUEUE = (
    _one(
        "queue-told",
        9,
        "The endpoint tells how long the call waited for a place, and it is lost in the TTFT.",
        _queued(_FACTS),
        Finding(outcome="answered", ttft_s=0.1, queue_s=0.06),
    ),
    _one(
        "queue-not-told",
        9,
        "The endpoint does not tell, and the wait is reported as 0.",
        _queued(b""),
        Finding(outcome="answered", ttft_s=0.1, queue_s=None),
    ),
)

CACHED_TOKENS = (
    _one(
        "cached-missing",
        12,
        "cached_tokens is not reported, and is counted as 0 %.",
        _answer(raw.usage(64, 3)),
        Finding(outcome="answered", cached_tokens=None, output_tokens=3),
    ),
    _one(
        "cached-null",
        12,
        "The details of the usage are there and empty, and are counted as 0 %.",
        _answer(raw.usage(64, 3, details=b',"prompt_tokens_details":{"cached_tokens":null}')),
        Finding(outcome="answered", cached_tokens=None, output_tokens=3),
    ),
    _one(
        "cached-zero",
        12,
        "A reported 0 is taken for missing.",
        _answer(raw.usage(64, 3, details=raw.cached(0))),
        Finding(outcome="answered", cached_tokens=0, output_tokens=3),
    ),
    _one(
        "cached-some",
        12,
        "What is cached is left out.",
        _answer(raw.usage(64, 3, details=raw.cached(48))),
        Finding(outcome="answered", cached_tokens=48, output_tokens=3),
    ),
)

_THREE = Finding(
    outcome="answered", ttft_s=0.03, total_s=0.09, output_tokens=12, cached_tokens=48, text="one two three"
)

REPEATED_USAGE = (
    _one(
        "usage-on-every-chunk",
        13,
        "A usage that grows from chunk to chunk is added up.",
        raw.stream(
            (0.03, ROLE + raw.text(b"one", more=raw.counts(64, 4, details=raw.cached(48)))),
            (0.03, raw.text(b" two", more=raw.counts(64, 8, details=raw.cached(48)))),
            (0.03, raw.text(b" three", more=raw.counts(64, 12, details=raw.cached(48)))),
            (0.0, STOP + raw.usage(64, 12, details=raw.cached(48)) + DONE),
        ),
        _THREE,
    ),
    _one(
        "usage-twice",
        13,
        "The same usage comes twice under one message id, and is counted twice.",
        raw.stream(
            (0.03, ROLE + raw.text(b"one")),
            (0.03, raw.text(b" two")),
            (0.03, raw.text(b" three")),
            (
                0.0,
                raw.chunk(b"{}", finish=b'"stop"', more=raw.counts(64, 12, details=raw.cached(48)))
                + raw.usage(64, 12, details=raw.cached(48))
                + DONE,
            ),
        ),
        _THREE,
    ),
)
