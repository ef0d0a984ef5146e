"""Times with their units; a bare number asks for one."""

import pytest

from tithe.cli.units import factor_of, seconds_of
from tithe.core.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "seconds"), [("200ms", 0.2), ("0.4s", 0.4), (" 5 min", 300.0), ("2m", 120.0), (".5s", 0.5), ("1e3us", 1e-3)]
)  # fmt: skip
def test_times(typed, seconds):
    assert seconds_of(typed, "ttft") == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("typed", "told"),
    [("200", "200ms or 200s"), ("-3s", "0 or more"), ("fast", "as in 200ms"), ("3 parsecs", "as in 200ms"), ("", "as in")],
)  # fmt: skip
def test_what_is_no_time(typed, told):
    with pytest.raises(UsageError, match=told):
        seconds_of(typed, "ttft")


def test_factors():
    assert factor_of("x0.5", "tools") == 0.5
    for typed in ("0.5", "x-1", "half"):
        with pytest.raises(UsageError, match=r"x0\.5"):
            factor_of(typed, "tools")
