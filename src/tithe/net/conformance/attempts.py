"""Pitfalls 7 and 15: attempts that fail beside attempts that do not, and answers with nothing in them."""

from tithe.net.conformance import raw
from tithe.net.conformance.behaviour import InTurn
from tithe.net.conformance.findings import Finding, Findings, Summary
from tithe.net.conformance.raw import DONE, ROLE, STOP
from tithe.net.conformance.scenario import Asking, Scenario
from tithe.net.scripted import Reply

_NOT_NOW = b'{"error":{"message":"not now","type":"server_error","param":null,"code":null}}'


def _hello(after: float) -> Reply:
    """One token `after` seconds; the endpoint's whole answer comes in one write."""
    return raw.stream((after, ROLE + raw.text(b"Hello") + STOP + raw.usage(20, 1) + DONE))


def _answered(ttft: float) -> Finding:
    return Finding(outcome="answered", ttft_s=ttft, total_s=ttft)


def _retried(name: str, wrong: str, refusal: Reply) -> Scenario:
    return Scenario(
        name=name,
        pitfall=7,
        wrong=wrong,
        asking=Asking(calls=2),
        behaviour=InTurn((refusal, _hello(0.05))),
        truth=Findings(
            attempts=(Finding(outcome="failed", status=refusal.status), _answered(0.05)),
            summary=Summary(counted=1, apart=1, ttft_p50_s=0.05, interval=False),
        ),
    )


RETRIES = (
    _retried(
        "refused-then-served",
        "A retry hidden in the client puts the failed attempt into the TTFT, and nobody learns of it.",
        raw.body(500, _NOT_NOW, after=0.08),
    ),
    _retried(
        "full-then-served",
        "A 429 is waited out within the client, and the clock starts again with the retry.",
        raw.body(429, _NOT_NOW, after=0.02, retry_after="1", retry_after_ms="60"),
    ),
)

NOTHING = (
    Scenario(
        name="empty-answer",
        pitfall=15,
        wrong="An answer without a token has a TTFT of 0.00 s.",
        behaviour=InTurn((raw.stream((0.03, ROLE), (0.03, STOP + raw.usage(20, 0) + DONE)),)),
        truth=Findings(
            attempts=(
                Finding(
                    outcome="empty", ttft_s=None, visible_ttft_s=None, total_s=None, output_tokens=0, text=""
                ),
            ),
            summary=Summary(counted=0, apart=1, ttft_p50_s=None, interval=False),
        ),
    ),
    Scenario(
        name="one-write",
        pitfall=15,
        wrong="The whole answer comes in one write, and the time between its tokens is taken for a rate.",
        behaviour=InTurn(
            (
                raw.stream(
                    (0.06, ROLE + raw.text(b"Hello") + raw.text(b" there") + STOP + raw.usage(20, 2) + DONE),
                ),
            )
        ),
        truth=Findings(
            attempts=(
                Finding(
                    outcome="answered",
                    ttft_s=0.06,
                    total_s=0.06,
                    gaps_s=(0.0,),
                    decode_rate=None,
                    output_tokens=2,
                    text="Hello there",
                ),
            ),
        ),
    ),
    Scenario(
        name="failures-apart",
        pitfall=15,
        wrong="Failed and empty calls are in the statistics: the endpoint that refuses at once is the fastest.",
        asking=Asking(calls=6),
        behaviour=InTurn(
            (
                _hello(0.05),
                raw.body(500, _NOT_NOW, after=0.0),
                _hello(0.09),
                raw.stream((0.0, raw.event(_NOT_NOW) + DONE)),
                _hello(0.13),
                raw.stream((0.0, ROLE + STOP + raw.usage(20, 0) + DONE)),
            )
        ),
        truth=Findings(
            attempts=(
                _answered(0.05),
                Finding(outcome="failed", status=500),
                _answered(0.09),
                Finding(outcome="failed"),
                _answered(0.13),
                Finding(outcome="empty", ttft_s=None),
            ),
            summary=Summary(counted=3, apart=3, ttft_p50_s=0.09, interval=True),
        ),
    ),
)
