"""Times with their units; a bare number asks for one."""

import pytest

from tithe.cli.units import factor_of, joined, seconds_of
from tithe.core.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "seconds"), [("200ms", 0.2), ("0.4s", 0.4), (" 5 min", 300.0), ("2m", 120.0), (".5s", 0.5), ("1e3us", 1e-3)]
)  # fmt: skip
def test_times(typed, seconds):
    assert seconds_of(typed, "ttft") == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("typed", "told"),
    [("200", "200ms or 200s"), ("-3s", "negative: a time is 0 or more"), ("fast", "as in 200ms"), ("3 parsecs", "as in 200ms"), ("", "as in")],
)  # fmt: skip
def test_what_is_no_time(typed, told):
    with pytest.raises(UsageError, match=told):
        seconds_of(typed, "ttft")


def test_factors():
    assert [factor_of(typed, "tools") for typed in ("x0.5", "0.5", "x2", "1e-1", "x1000", "zero")] == [
        0.5,
        0.5,
        2.0,
        0.1,
        1000.0,
        0.0,
    ]
    for typed in ("x-1", "-1", "half", "x", "x1001", "1e400", "nan"):
        with pytest.raises(UsageError, match=r"x0\.5"):
            factor_of(typed, "tools")


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [
        ("whatif t --ttft -200ms --tps -5", "whatif t --ttft=-200ms --tps=-5"),
        ("plan --budget -.5s --html x", "plan --budget=-.5s --html x"),
        ("plan --json -y", "plan --json -y"),
        ("whatif --ttft=3s -5", "whatif --ttft=3s -5"),
        ("record -- python a.py --n -5", "record -- python a.py --n -5"),
        ("record python a.py --n -5", "record python a.py --n -5"),
        ("serve --port -1 -- --n -5", "serve --port=-1 -- --n -5"),
    ],
)
def test_a_negative_value_stays_with_its_flag(typed, parsed):
    assert joined(typed.split()) == parsed.split()
