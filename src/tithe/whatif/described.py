"""A task that nobody recorded, described by its figures. The mission's arithmetic:

    wall = steps * (TTFT + out / rate + tool time + overhead) + failed attempts * retry time

10 steps of 80 tokens at 600 ms and 60 tokens/s, with 4 s of tools and 2 s of retries: 6 + 13.3 + 4 + 2 = 25.3 s. At 200 ms and
200 tokens/s: 2 + 4 + 4 + 2 = 12 s. `out` are tokens at the decode rate: those after the first, which the TTFT ends with.
"""

import msgspec

from tithe.core.errors import UsageError
from tithe.whatif.graph import Call, Graph, Segment, Work

MOST_STEPS = 1_000_000
MOST_TOKENS = 10_000_000
_LONGEST_S = 86_400.0


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A task of `steps` calls with `out` tokens each, after each of which a tool runs for `tool_s`. All times in seconds.

    `ttft_s` and `tokens_per_s` are what its endpoint does. `prompt`: tokens of the first prompt, None: not said; each next one
    is longer by `out` and `result` tokens. `failed` attempts, spread over the steps, took `retry_s` each.
    """

    steps: int
    out: int = 80
    tool_s: float = 0.0
    overhead_s: float = 0.0
    ttft_s: float = 0.6
    tokens_per_s: float = 60.0
    prompt: int | None = None
    result: int = 100
    failed: int = 0
    retry_s: float = 0.0

    def check(self) -> None:
        """Raises `UsageError` for a figure that no task can have."""
        if not 1 <= self.steps <= MOST_STEPS:
            raise UsageError(f"steps is {self.steps}: give a number from 1 to {MOST_STEPS:,}.")
        for name, value in (("out", self.out), ("prompt", self.prompt or 0), ("result", self.result)):
            if not 0 <= value <= MOST_TOKENS:
                raise UsageError(f"{name} is {value}: give tokens, from 0 to {MOST_TOKENS:,}.")
        if not 0 <= self.failed <= MOST_STEPS:
            raise UsageError(f"failed is {self.failed}: give a number of attempts, from 0 to {MOST_STEPS:,}.")
        for name, seconds in (
            ("tool_time", self.tool_s),
            ("overhead", self.overhead_s),
            ("retry_time", self.retry_s),
            ("base_ttft", self.ttft_s),
        ):
            if not 0 <= seconds <= _LONGEST_S:
                raise UsageError(f"{name} is {seconds:g} s: give a time from 0 to a day.")
        if not 0 < self.tokens_per_s <= 1e6:
            raise UsageError(
                f"base_tps is {self.tokens_per_s:g}: give tokens a second, more than 0 and at most 1,000,000."
            )


def described_graph(description: Description) -> Graph:
    """The graph of a described task. Raises `UsageError` for one that cannot be."""
    description.check()
    one = description
    works: list[Work] = []
    for step in range(one.steps):
        # Failures spread as evenly as they go.
        failures = one.failed * (step + 1) // one.steps - one.failed * step // one.steps
        prompt = None if one.prompt is None else one.prompt + step * (one.out + one.result)
        call = Call(
            prompt=prompt,
            cached=None if prompt is None else 0 if step == 0 else prompt - one.result,
            decoded=one.out,
            ttft_s=one.ttft_s,
            decode_s=one.out / one.tokens_per_s,
            failures=failures,
            failed_s=failures * one.retry_s,
            place=step,
            asks_tools=one.tool_s > 0,
        )
        works.append(Work(bucket="overhead", seconds=one.overhead_s, call=call))
        if one.tool_s:
            works.append(Work(bucket="tool", seconds=one.tool_s))
    wall = (
        one.steps * (one.ttft_s + one.out / one.tokens_per_s + one.tool_s + one.overhead_s)
        + one.failed * one.retry_s
    )
    return Graph(
        task="described", name="a described task", wall_s=wall, segments=(Segment((), tuple(works)),)
    )
