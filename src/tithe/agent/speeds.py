"""What calls and tools take here, as this agent has seen it: the quantiles that the budget is made of.

Samples of the latest `KEPT` of each kind are kept; an audit's calls may stand in for those that are not made yet, and make
room as real ones come. An audit's answers are as long as it asked for, so of its calls the TTFT and the decode rate are taken, with
the answers' lengths of this agent as soon as there are some:

    seconds = TTFT + (tokens - 1) / rate

With few samples a quantile is cautious: the q-quantile of n is the one of rank ceil(q (n + 1)), at most
the largest, so that of three the 0.9-quantile is the slowest.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable

import msgspec

KEPT = 40


class CallTime(msgspec.Struct, frozen=True):
    """A call that was answered: seconds to its first token, from there to its last, and output tokens; None: not reported."""

    ttft_s: float
    decode_s: float
    tokens: int | None = None

    @property
    def seconds(self) -> float:
        return self.ttft_s + self.decode_s

    def with_tokens(self, tokens: int) -> float:
        """Seconds that it would have taken with so many output tokens at its decode rate; what it took where that is not known."""
        if self.tokens is None or self.tokens < 2:
            return self.seconds
        return self.ttft_s + self.decode_s * max(0, tokens - 1) / (self.tokens - 1)


class ToolTime(msgspec.Struct, frozen=True):
    """A run of the tool of that name, in seconds."""

    name: str
    seconds: float


class Spread(msgspec.Struct, frozen=True):
    """How long something takes: samples in seconds, rising. Empty: nothing is known of it."""

    seconds: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.seconds)

    def quantile(self, q: float) -> float:
        """Seconds; 0 where nothing is known."""
        if not self.seconds:
            return 0.0
        rank = math.ceil(q * (len(self.seconds) + 1))
        return self.seconds[min(max(rank, 1), len(self.seconds)) - 1]

    @property
    def mean(self) -> float:
        return sum(self.seconds) / len(self.seconds) if self.seconds else 0.0

    @property
    def variance(self) -> float:
        if len(self.seconds) < 2:
            return 0.0
        mean = self.mean
        return sum((one - mean) ** 2 for one in self.seconds) / (len(self.seconds) - 1)

    def slowest_of(self, count: int) -> "Spread":
        """How long the slowest of `count` independent ones takes: the i-th of n has the weight (i/n)^k - ((i-1)/n)^k."""
        n = len(self.seconds)
        if count <= 1 or n == 0:
            return self
        shares = [math.pow((i + 0.5) / n, 1 / count) for i in range(n)]
        return Spread(tuple(self.seconds[math.ceil(n * share) - 1] for share in shares))


class Speeds:
    """The samples. `seed` are calls of this endpoint, and runs of these tools, that somebody else made.

    `asked`, `hedged`: how many calls were made in all runs, and how many of them were joined by a second.
    """

    def __init__(self, seed: Iterable[CallTime | ToolTime] = ()) -> None:
        self._calls: deque[CallTime] = deque(maxlen=KEPT)
        self._seeded: deque[CallTime] = deque(maxlen=KEPT)
        self._tools: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._of_steps: deque[float] = deque(maxlen=KEPT)
        self._joint: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._steps: deque[int] = deque(maxlen=KEPT)
        self.asked = self.hedged = 0
        for each in seed:
            if isinstance(each, ToolTime):
                self.saw_tool(each.name, each.seconds)
            else:
                self._seeded.append(each)

    def saw_call(self, time: CallTime) -> None:
        """A call was answered."""
        self._calls.append(time)
        if len(self._calls) + len(self._seeded) > KEPT:
            self._seeded.popleft()

    def saw_candidates(self, count: int, seconds: float) -> None:
        """So many calls at once, until the last of them was answered."""
        self._joint[count].append(seconds)

    def saw_tool(self, name: str, seconds: float) -> None:
        """A tool ran, to its end or not."""
        self._tools[name].append(seconds)

    def saw_tools_of_a_step(self, seconds: float) -> None:
        """All the tools that one answer asked for, from the first's start to the last's end."""
        self._of_steps.append(seconds)

    def saw_task(self, steps: int) -> None:
        """A way from goal to answer took so many steps."""
        self._steps.append(steps)

    @property
    def calls(self) -> Spread:
        """Whole calls."""
        lengths = [time.tokens for time in self._calls if time.tokens is not None]
        seeded = (
            time.with_tokens(lengths[place % len(lengths)]) if lengths else time.seconds
            for place, time in enumerate(self._seeded)
        )
        return _spread([*(time.seconds for time in self._calls), *seeded])

    @property
    def ttft(self) -> Spread:
        return _spread(time.ttft_s for time in (*self._calls, *self._seeded))

    @property
    def tools(self) -> Spread:
        """The tools of a step; as long as none ran in one, each tool that is known by itself."""
        return _spread(self._of_steps or (took for each in self._tools.values() for took in each))

    @property
    def by_tool(self) -> dict[str, Spread]:
        """Each tool that is known, by its name."""
        return {name: _spread(took) for name, took in self._tools.items()}

    def tool(self, name: str) -> Spread:
        return _spread(self._tools[name]) if name in self._tools else Spread()

    def candidates(self, count: int) -> Spread:
        """So many calls at once: as it was seen (they contend), else the slowest of independent ones."""
        return _spread(self._joint[count]) if count in self._joint else self.calls.slowest_of(count)

    @property
    def steps(self) -> float | None:
        """The mean number of steps of a way that came to an answer; None: none has yet."""
        return sum(self._steps) / len(self._steps) if self._steps else None


def _spread(seconds: Iterable[float]) -> Spread:
    return Spread(tuple(sorted(seconds)))
