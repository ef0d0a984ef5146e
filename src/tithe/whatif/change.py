"""What is to be different: the endpoint, or the agent's design."""

import math
from typing import Literal

import msgspec

from tithe.core.errors import UsageError
from tithe.whatif.profile import Profile

Cache = Literal["warm", "cold"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different from the task as it was; with nothing given, nothing is.

    ttft_s: every call's TTFT, in seconds. tokens_per_s: every call's decode rate. profile: an endpoint as it was measured.
    cache: warm, a prompt is cached as far as it repeats the one before it and its answer; cold, nothing is cached.
    retries: the share of attempts that fail, in place of those that did. tools: tools take so many times as long.
    parallel_tools: tools that one answer asked for run at once. candidates: answers asked for at once, of which the
    slowest is waited for. verify: a short call checks each answer. speedup: inference is so many times as fast.
    agents: so many such agents share the endpoint.
    """

    ttft_s: float | None = None
    tokens_per_s: float | None = None
    profile: Profile | None = None
    cache: Cache | None = None
    retries: float | None = None
    parallel_tools: bool = False
    tools: float = 1.0
    candidates: int = 1
    verify: bool = False
    speedup: float = 1.0
    agents: int = 1

    def check(self) -> None:
        """Raises `UsageError` for a figure that cannot be."""
        if self.ttft_s is not None and not (math.isfinite(self.ttft_s) and 0 <= self.ttft_s <= 3600):
            raise UsageError(f"ttft is {self.ttft_s:g} s: give a time from 0 to an hour.")
        if self.tokens_per_s is not None and not (0 < self.tokens_per_s <= 1e6):
            raise UsageError(
                f"tps is {self.tokens_per_s:g}: give tokens a second, more than 0 and at most 1,000,000."
            )
        if self.retries is not None and not 0 <= self.retries <= 0.9:
            raise UsageError(
                f"retries is {self.retries:g}: give the share of attempts that fail, from 0 to 0.9."
            )
        if not (math.isfinite(self.tools) and 0 <= self.tools <= 1000):
            raise UsageError(
                f"tools is x{self.tools:g}: give what their times are multiplied by, from x0 to x1000."
            )
        if not (math.isfinite(self.speedup) and 0 < self.speedup <= 1e6):
            raise UsageError(
                f"speedup is {self.speedup:g}: give how many times as fast, more than 0 and at most 1,000,000."
            )
        for name, count, most in (("candidates", self.candidates, 64), ("agents", self.agents, 10_000)):
            if not 1 <= count <= most:
                raise UsageError(f"{name} is {count}: give a number from 1 to {most:,}.")
        if self.profile is not None and (self.ttft_s is not None or self.tokens_per_s is not None):
            raise UsageError("A profile has its own TTFT and decode rate: leave out --ttft and --tps, or it.")
        if self.agents > 1 and (self.profile is None or self.profile.capacity is None):
            raise UsageError(
                "agents is given, and nothing is known of the endpoint with several at once: give a profile "
                "whose audit found its capacity (tithe audit --save)."
            )
        if self.agents > 1 and self.profile is not None:
            self.profile.check_agents(self.agents)
