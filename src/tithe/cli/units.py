"""Figures with units, as they are typed: 200ms, 0.4s, 5min, x0.5."""

import re
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token

from tithe.core.errors import UsageError

_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds_of(typed: str, name: str) -> float:
    """The seconds that a time says. `name` is its flag's.

    Raises:
        UsageError: it has no unit, is no time, or is negative.
    """
    found = re.fullmatch(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zµ]*)\s*", typed)
    if found is None or found[2] not in ("", *_SECONDS):
        raise UsageError(f"{name} is {typed!r}: give a time with its unit, as in 200ms, 0.4s or 5min.")
    if not found[2]:
        raise UsageError(
            f"{name} is {typed!r} of what? Give the unit: {typed.strip()}ms or {typed.strip()}s."
        )
    value = float(found[1]) * _SECONDS[found[2]]
    if value < 0:
        raise UsageError(f"{name} is {typed!r}: a time is 0 or more.")
    return value


def factor_of(typed: str, name: str) -> float:
    """What `x0.5` multiplies by. Raises `UsageError` for anything else."""
    found = re.fullmatch(r"\s*[x×]\s*(\d+\.?\d*|\.\d+)\s*", typed)
    if found is None:
        raise UsageError(
            f"{name} is {typed!r}: give what the times are multiplied by, as in x0.5 for half of them."
        )
    return float(found[1])


def _whole(_: object, tokens: Sequence[Token]) -> int:
    """A whole number; of 2.5 a bare int would make 2. Raises `ValueError`, which becomes a line about the flag, for anything else."""
    typed = tokens[0].value
    try:
        return int(typed)
    except ValueError:
        raise ValueError(f"{typed!r} is no whole number") from None


Whole = Annotated[int, Parameter(converter=_whole)]
"""A flag's whole number."""
