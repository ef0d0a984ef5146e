"""What a replay makes of the time between calls, as its flags have it, and how long that will be."""

import dataclasses
import math
import sys
from typing import Annotated

from cyclopts import Parameter

from tithe.cli import durations
from tithe.cli.units import factor_of
from tithe.report.figures import seconds
from tithe.trace.buckets import Bucket
from tithe.whatif import Graph, ReplayOptions, slept

# Waits are told before a replay from here on.
_TOLD_FROM_S = 5.0
_NAMES: dict[Bucket, str] = {
    "tool": "tools",
    "user": "people",
    "unattributed": "gaps that nothing accounts for",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waits:
    """What becomes of what lies between calls. The flags and their help are made from this.

    Attributes:
        tools: How long tools take, over what they took: x1, x0.5, or zero.
        people: How long waits for people take, over what they took: zero, unless asked.
        gaps: How long the gaps take that nothing in the record accounts for, such as tools that were not seen and people who think: a time
            like 10s that none is longer than, or over what they took x1, x0.5, or zero.
        retries: Let failed attempts and what was waited after them take as long as they did. Otherwise they are left out.
    """

    tools: str = "x1"
    people: str = "zero"
    gaps: str = "10s"
    retries: Annotated[bool, Parameter(negative=())] = False

    def options(self) -> ReplayOptions:
        """How to replay, before it is known which model there is. Raises `UsageError` for what is no factor and no time."""
        scaled = self.gaps == "zero" or self.gaps.startswith("x")
        return ReplayOptions(
            model="",
            tools=factor_of(self.tools, "--tools"),
            people=factor_of(self.people, "--people"),
            gaps=factor_of(self.gaps, "--gaps") if scaled else 1.0,
            longest_gap_s=math.inf if scaled else durations.seconds(self.gaps, "--gaps"),
            retries=self.retries,
        )


def tell_waits(graph: Graph, options: ReplayOptions) -> None:
    """Say on stderr how long a replay of `graph` waits beside its calls, where that is long enough to wonder."""
    waits = slept(graph, options)
    total = sum(waits.values())
    if total < _TOLD_FROM_S:
        return
    named = {name: waits.get(bucket, 0.0) for bucket, name in _NAMES.items()}
    parts = {**named, "the rest": total - sum(named.values())}
    told = ", ".join(f"{seconds(part)} of {name}" for name, part in parts.items() if part > 1e-6)
    sys.stderr.write(
        f"Beside its calls the replay waits {seconds(total)}: {told}. --tools, --people and --gaps make that shorter or longer.\n"
    )
