import pytest

from tithe.audit import Estimate
from tithe.report.drawing import Axis, Series, beyond, held, intervals, logarithmic, points


def series(*values: float, high: float = 10.0) -> Series:
    return Series(
        name="calls",
        colour="blue",
        points=points([("a", value) for value in values], name="calls", unit="ms"),
        intervals=intervals(
            [("a", Estimate(value=8.0, low=7.0, high=high, n=5)), ("b", None)], name="median", unit="ms"
        ),
    )


def test_a_straggler_stands_at_the_edge_with_its_true_value_told():
    axis, (kept,) = held(Axis(label="ms", low=0.0), [series(8.0, 19.0, 500.0)])
    assert axis.high == 20.0
    assert [(point.value, point.beyond) for point in kept.points] == [
        (8.0, False),
        (19.0, False),
        (20.0, True),
    ]
    assert kept.points[2].told == "calls: 500 ms"
    assert beyond([kept]) == (
        "1 call took longer than the axis shows: a hollow triangle at its edge; point at it for its time."
    )


def test_without_stragglers_the_axis_is_left_alone():
    axis, kept = held(Axis(label="ms", low=0.0), [series(8.0, 19.0)])
    assert (axis.high, beyond(kept)) == (None, None)
    alone = Series(name="calls", colour="blue", points=points([("a", 500.0)], name="calls", unit="ms"))
    assert held(Axis(label="ms"), [alone])[0].high is None


def test_a_missing_figure_has_no_mark_and_units_are_scaled():
    marks = intervals(
        [(1.0, Estimate(value=0.05, low=None, high=None, n=2)), (2.0, None)],
        name="median",
        unit="ms",
        scale=1e3,
    )
    assert [(mark.value, mark.low, mark.told) for mark in marks] == [(50.0, None, "median: 50.0 ms, n = 2")]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((), ()),
        ((0.2, 3000.0), (0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)),
        ((12.0, 760.0), (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)),
        ((20.0, 20.0), (20.0, 50.0)),
        ((1.0,), (1.0, 2.0)),
        ((6.0,), (5.0, 10.0)),
        ((70.0, 1000.0), (50.0, 100.0, 200.0, 500.0, 1000.0)),
    ],
)
def test_a_logarithmic_axis_ends_at_the_ticks_around_its_values(
    values: tuple[float, ...], ticks: tuple[float, ...]
):
    axis = logarithmic("ms", values)
    assert axis.values == pytest.approx(ticks)
    assert (axis.low, axis.high) == ((axis.values[0], axis.values[-1]) if values else (None, None))
