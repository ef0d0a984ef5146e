"""How figures are written: three significant digits, a unit, the interval beside the value."""

from collections.abc import Iterable

import msgspec

from tithe.audit import Estimate, Share

NOT_REPORTED = "n/r"
NOTHING = "-"


def number(value: float) -> str:
    """About three significant digits, thousands set off by commas."""
    rounded = float(f"{value:.3g}")
    size = abs(rounded)
    if size < 0.001:
        return "0"
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}"


def interval(estimate: Estimate | None, scale: float = 1.0) -> str:
    """`p50 [low high]`, no comma between since commas set off thousands.

    The value alone where there were too few samples, a dash where there was none.
    """
    if estimate is None:
        return NOTHING
    if estimate.low is None or estimate.high is None:
        return number(estimate.value * scale)
    return (
        f"{number(estimate.value * scale)} [{number(estimate.low * scale)} {number(estimate.high * scale)}]"
    )


class TimeUnit(msgspec.Struct, frozen=True, kw_only=True):
    """The unit of a column of times, for its head, and what seconds are multiplied by to be in it."""

    name: str
    scale: float

    @classmethod
    def of(cls, estimates: Iterable[Estimate | None]) -> "TimeUnit":
        """Milliseconds, unless the longest time is a second or more."""
        longest = max((abs(one.value) for one in estimates if one is not None), default=0.0)
        return cls(name="s", scale=1.0) if longest >= 1 else cls(name="ms", scale=1e3)

    def write(self, estimate: Estimate | None) -> str:
        return interval(estimate, self.scale)


def seconds(value: float) -> str:
    """A time with the unit that suits its size."""
    if abs(value) >= 1:
        return f"{number(value)} s"
    return f"{number(value * 1e3)} ms" if abs(value) >= 1e-3 else f"{number(value * 1e6)} µs"


def counted(count: int, noun: str) -> str:
    """So many of what `noun` names; its plural ends in s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def tokens(count: float | None) -> str:
    """A token count as the endpoint reported it."""
    return f"{count:,.0f}" if count is not None else NOT_REPORTED


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else NOTHING


def share(found: Share | None) -> str:
    """A share in per cent, with its interval."""
    if found is None:
        return NOTHING
    return f"{100 * found.value:.0f} [{100 * found.low:.0f} {100 * found.high:.0f}]"
