"""Figures with units, as they are typed: 200ms, 0.4s, 5min, x0.5, 5%."""

import math
import re
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token

from tithe.core.errors import UsageError

_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_MOST = 1000.0


def seconds_of(typed: str, name: str) -> float:
    """The seconds that a time says. `name` is its flag's.

    Raises:
        UsageError: it has no unit, is no time, or is negative.
    """
    found = re.fullmatch(rf"\s*([+-]?{_NUMBER})\s*([a-zµ]*)\s*", typed)
    if found is None or found[2] not in ("", *_SECONDS):
        raise UsageError(f"{name} is {typed!r}: give a time with its unit, as in 200ms, 0.4s or 5min.")
    if not found[2]:
        raise UsageError(
            f"{name} is {typed!r} of what? Give the unit: {typed.strip()}ms or {typed.strip()}s."
        )
    value = float(found[1]) * _SECONDS[found[2]]
    if value < 0:
        raise UsageError(f"{name} is {typed!r}, which is negative: a time is 0 or more.")
    return value


def factor_of(typed: str, name: str) -> float:
    """What x0.5, 0.5 or zero multiply times by. Raises `UsageError` for anything else, and for more than x1000."""
    if typed.strip() == "zero":
        return 0.0
    found = re.fullmatch(rf"\s*[x×]?\s*({_NUMBER})\s*", typed)
    factor = math.inf if found is None else float(found[1])
    if factor > _MOST:
        raise UsageError(
            f"{name} is {typed!r}; give a factor from x0 to x{_MOST:g}, as in x0.5 for half the time, or zero."
        )
    return factor


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments, with `--ttft -200ms` as `--ttft=-200ms`, so that a negative time is told as one and not as an unknown option.

    What stands after `record` or `--` is another program's, and stays.
    """
    found: list[str] = []
    for place, one in enumerate(arguments):
        if one == "--" or arguments[0] == "record":
            return [*found, *arguments[place:]]
        if found and re.fullmatch(r"--[a-z][a-z-]*", found[-1]) and re.fullmatch(r"-\.?\d.*", one):
            found[-1] += f"={one}"
        else:
            found.append(one)
    return found


def _whole(_: object, tokens: Sequence[Token]) -> int:
    """A whole number; of 2.5 a bare int would make 2. Raises `ValueError`, which becomes a line about the flag, for anything else."""
    typed = tokens[0].value
    try:
        return int(typed)
    except ValueError:
        raise ValueError(f"{typed!r} is no whole number") from None


def _share(_: object, tokens: Sequence[Token]) -> float:
    """0.05, or 5%. Raises `ValueError`, which becomes a line about the flag, for anything else."""
    typed = tokens[0].value.strip()
    try:
        return float(typed.removesuffix("%")) / (100 if typed.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is no share; give one like 0.05 or 5%") from None


Share = Annotated[float, Parameter(converter=_share)]
"""A flag's share of a whole, or its chance."""
Whole = Annotated[int, Parameter(converter=_whole)]
"""A flag's whole number."""
