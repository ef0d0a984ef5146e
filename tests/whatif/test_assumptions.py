"""What is taken for granted is said where it matters, and only there."""

import pytest
from tests.whatif.test_simulate import profile

from tithe.whatif.assumptions import assumptions
from tithe.whatif.change import Change
from tithe.whatif.graph import Call, Graph, Segment, Work
from tithe.whatif.table import Table

CALLS = (
    Call(prompt=100, cached=50, decoded=20, ttft_s=1.0, decode_s=1.0),
    Call(prompt=50_000, decoded=9000, ttft_s=1.0, decode_s=1.0),
    Call(ttft_s=1.0, decode_s=1.0),
    Call(prompt=10, decoded=5, whole_s=3.0),
)


def said(change: Change) -> str:
    works = tuple(Work(bucket="overhead", seconds=0.0, call=call) for call in CALLS)
    graph = Graph(task="t", name="t", wall_s=9.0, segments=(Segment((), works),))
    return " ".join(assumptions([Table(graph, {})], change, {}))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(profile=profile()), "1 of 4 calls report no tokens"),
        (Change(profile=profile()), "2 of 4 calls report no cached tokens"),
        (Change(profile=profile()), "Extrapolated: 1 of 4 prompts, longer than any"),
        (Change(ttft_s=0.1), "1 of 4 answers came in one piece"),
        (Change(tokens_per_s=9), "1 of 4 calls report no output tokens"),
        (Change(ttft_s=0.1), "do not scatter"),
        (Change(cache="cold"), "finds anything cached"),
        (Change(cache="warm"), "as far as it can repeat"),
        (Change(retries=0.1), "fails by chance"),
        (Change(candidates=2), "equally fast"),
        (Change(verify=True), "says 10 tokens"),
        (Change(parallel_tools=True), "the longest is waited for"),
        (Change(speedup=2), "backoff is not"),
    ],
)
def test_it_is_said(change, told):
    assert told in said(change)
    assert told not in said(Change())
