"""Times as flags have them, with their unit: `200ms`, `1.5s`. A bare number is asked for its unit."""

import re

from tithe.core.errors import UsageError

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0}
_WRITTEN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-zµ]*)")


def seconds(text: str, name: str) -> float:
    """What `text` is in seconds. `name` is what the user knows it by.

    Raises `UsageError` for what is not a time of zero or more, and for one without its unit.
    """
    written = _WRITTEN.fullmatch(text.strip())
    if written is None and _WRITTEN.fullmatch(text.strip().removeprefix("-")):
        raise UsageError(f"{name} is {text!r}, which is negative; a time is 0 or more.")
    if written is None:
        raise UsageError(f"{name} is {text!r}, which is no time; give one like 200ms or 1.5s.")
    number, unit = written.groups()
    if not unit:
        raise UsageError(f"{name} is {text!r}, without its unit; is it {number}s or {number}ms?")
    if unit not in _SECONDS:
        raise UsageError(f"{name} is {text!r}; its unit is one of {', '.join(_SECONDS)}.")
    return float(number) * _SECONDS[unit]
