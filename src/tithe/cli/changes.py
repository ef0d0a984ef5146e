"""The flags of what is to be different, and of a task that nobody recorded."""

import dataclasses
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tithe.cli.profiles import read_profile
from tithe.cli.units import Share, Whole, factor_of, seconds_of
from tithe.core.errors import UsageError
from tithe.whatif import Cache, Change, Description

_Switch = Annotated[bool, Parameter(negative=())]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Changes:
    """What is to be different. The flags and their help are made from this.

    Attributes:
        ttft: Every call's time to the first token, with its unit: 200ms.
        tps: Every call's decode rate, in tokens a second.
        profile: An endpoint as `tithe audit --save FILE` measured it.
        cache: warm: a prompt is cached as far as it repeats the one before; cold: nothing is.
        retries: The share of attempts that fail, in place of those that did: 0.05 or 5%.
        parallel_tools: Tools that one answer asked for run at once.
        tools: What the tools' times are multiplied by: x0.5, 0.5, or zero.
        candidates: So many answers are asked for at once at each step.
        verify: A short call checks each answer.
        speedup: Inference is so many times as fast.
        agents: So many such agents share the endpoint; it takes a profile.
    """

    ttft: str | None = None
    tps: float | None = None
    profile: Path | None = None
    cache: Cache | None = None
    retries: Share | None = None
    parallel_tools: _Switch = False
    tools: str = "x1"
    candidates: Whole = 1
    verify: _Switch = False
    speedup: float = 1.0
    agents: Whole = 1

    def change(self) -> Change:
        """The change, checked. Raises `UsageError` for one that cannot be."""
        change = Change(
            ttft_s=optional_seconds(self.ttft, "ttft"),
            tokens_per_s=self.tps,
            profile=None if self.profile is None else read_profile(self.profile),
            cache=self.cache,
            retries=self.retries,
            parallel_tools=self.parallel_tools,
            tools=factor_of(self.tools, "tools"),
            candidates=self.candidates,
            verify=self.verify,
            speedup=self.speedup,
            agents=self.agents,
        )
        change.check()
        return change


@dataclasses.dataclass(frozen=True, kw_only=True)
class Described:
    """A task that nobody recorded. The flags and their help are made from this.

    Attributes:
        steps: In place of recorded tasks, a described one of so many steps.
        out: Of a described task: tokens that each answer decodes. 80 when left out.
        tool_time: Of a described task: how long the tool of each step runs: 0.4s.
        overhead: Of a described task: the agent's own time in each step.
        prompt: Of a described task: tokens of the first prompt.
        failed: Of a described task: how many attempts failed, which takes --retry-time.
        retry_time: Of a described task: with --failed, how long each of them took.
        base_ttft: Of a described task: its calls' TTFT as they are. 600ms when left out.
        base_tps: Of a described task: its decode rate as it is. 60 when left out.
    """

    steps: Whole | None = None
    out: Whole | None = None
    tool_time: str | None = None
    overhead: str | None = None
    prompt: Whole | None = None
    failed: Whole | None = None
    retry_time: str | None = None
    base_ttft: str | None = None
    base_tps: float | None = None

    def description(self) -> Description | None:
        """What is described; None: nothing is. Raises `UsageError` for a description that lacks a part."""
        given = {
            "steps": self.steps,
            "out": self.out,
            "tool_s": optional_seconds(self.tool_time, "tool_time"),
            "overhead_s": optional_seconds(self.overhead, "overhead"),
            "prompt": self.prompt,
            "failed": self.failed,
            "retry_s": optional_seconds(self.retry_time, "retry_time"),
            "ttft_s": optional_seconds(self.base_ttft, "base_ttft"),
            "tokens_per_s": self.base_tps,
        }
        known = {name: value for name, value in given.items() if value is not None}
        if self.steps is None:
            if known:
                raise UsageError(
                    "A task is described by --steps and more: give --steps, or leave out what describes one."
                )
            return None
        if self.failed and self.retry_time is None:
            raise UsageError(
                "--failed says how many attempts failed, and nothing how long each took: give --retry-time as well."
            )
        if self.retry_time is not None and self.failed is None:
            raise UsageError(
                "--retry-time says how long a failed attempt took, and nothing how many failed: give --failed as well."
            )
        return Description(**known)  # pyright: ignore[reportArgumentType] - each is of its field's type, above


def optional_seconds(typed: str | None, name: str) -> float | None:
    """`seconds_of` what was typed, if anything was."""
    return None if typed is None else seconds_of(typed, name)
