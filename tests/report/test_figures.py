import pytest

from tithe.audit import Estimate
from tithe.core.statistics import wilson
from tithe.report.figures import TimeUnit, interval, number, percent, seconds, share, tokens


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (-1e-9, "0"),
        (0.0123, "0.012"),
        (1.234, "1.23"),
        (9.999, "10.0"),
        (56.04, "56.0"),
        (99.99, "100"),
        (1234.5, "1,234"),
        (-3.21, "-3.21"),
    ],
)
def test_numbers_have_about_three_significant_digits(value, written):
    assert number(value) == written


def test_an_interval_stands_beside_its_value():
    estimate = Estimate(value=0.056, low=0.0551, high=0.0602, n=5)
    assert TimeUnit.of([estimate]).write(estimate) == "56.0 [55.1 60.2]"
    assert interval(Estimate(value=3.0, low=None, high=None, n=2)) == "3.00"
    assert TimeUnit.of([]).write(None) == "-"


def test_a_column_with_a_second_in_it_is_in_seconds():
    short, long = (Estimate(value=value, low=None, high=None, n=1) for value in (0.2, 1.5))
    assert TimeUnit.of([short, None]).name == "ms"
    assert TimeUnit.of([short, long]).name == "s"
    assert TimeUnit.of([short, long]).write(short) == "0.200"


@pytest.mark.parametrize(("value", "written"), [(2.5, "2.50 s"), (0.0421, "42.1 ms"), (4.2e-5, "42.0 µs")])
def test_seconds_take_the_unit_that_suits(value, written):
    assert seconds(value) == written


def test_missing_is_not_reported_and_never_zero():
    assert tokens(None) == "n/r"
    assert tokens(0) == "0"


def test_shares():
    assert share(wilson(0, 20)) == "0 [0 16]"
    assert share(None) == "-"
    assert percent(1, 3) == "33 %"
    assert percent(1, 0) == "-"
