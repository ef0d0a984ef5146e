"""A forecast is of what a replay does, and is held against what it did."""

import numpy as np
import pytest

from tithe.core.errors import UsageError
from tithe.whatif import (
    Call,
    Change,
    Graph,
    ReplayOptions,
    Segment,
    Work,
    check,
    forecast,
    known_endpoint,
    own_call_times,
)

OPTIONS = ReplayOptions(model="m")
CALL = Call(prompt=100, decoded=20, ttft_s=1.0, decode_s=2.0, failures=1, failed_s=4.0, backoff_s=8.0)
TASK = Graph(
    task="t",
    name="t",
    wall_s=40.0,
    segments=(
        Segment(
            (),
            (
                Work(bucket="overhead", seconds=0.0, call=CALL),
                Work(bucket="tool", seconds=10.0),
                Work(bucket="user", seconds=15.0),
            ),
        ),
    ),
)


@pytest.mark.parametrize(
    ("options", "wall"),
    [
        ({}, 13.0),
        ({"tools": 0.5}, 8.0),
        ({"people": 1.0}, 28.0),
        ({"retries": True}, 25.0),
        ({"tools": 0.0, "people": 2.0, "retries": True}, 45.0),
    ],
)
def test_it_is_of_what_is_replayed(options, wall):
    made = forecast(TASK, Change(), ReplayOptions(model="m", **options), source="s")
    assert made.projected.wall.p50 == pytest.approx(wall)


def test_the_error_is_the_projections_over_the_replay_bucket_by_bucket():
    made = forecast(TASK, Change(ttft_s=0.5, tokens_per_s=20), OPTIONS, source="s")
    found = check(made, {"prefill": 0.4, "tool": 10.0, "queue": 0.1}, 10.5)
    assert found.error == pytest.approx(11.5 / 10.5 - 1)
    assert found.errors == pytest.approx({"queue": -0.1, "prefill": 0.1, "decode": 1.0, "tool": 0.0})
    # One call tells no scatter: there is no interval to be in or out of.
    assert (found.inside, made.projected.wall.ends) == (None, None)


def test_a_forecast_has_the_interval_of_all_that_is_known_of_the_endpoint():
    known = own_call_times([scattered("known", 60)])
    made = forecast(scattered("t", 3), Change(speedup=2), OPTIONS, source="s", own=known)
    assert made.projected.wall.ends is not None
    low, high = made.projected.wall.ends
    assert check(made, {}, (low + high) / 2).inside
    assert check(made, {}, high * 1.01).inside is False
    alone = forecast(scattered("t", 3), Change(speedup=2), OPTIONS, source="s")
    assert alone.projected.wall.ends is None


def scattered(name: str, calls: int) -> Graph:
    chance = np.random.default_rng(8)
    works = tuple(
        Work(
            bucket="overhead",
            seconds=0.0,
            call=Call(model="m", prompt=500, decoded=50, ttft_s=float(ttft), decode_s=1.0),
        )
        for ttft in np.exp(chance.normal(0, 0.1, calls))
    )
    return Graph(task=name, name=name, wall_s=2.0 * calls, segments=(Segment((), works),))


def graph(endpoint: str, ttft: float) -> Graph:
    chance = np.random.default_rng(3)
    sizes = [int(size) for size in chance.integers(100, 4000, 12)]
    works = [
        Work(
            bucket="overhead",
            seconds=0.0,
            call=Call(
                endpoint=endpoint,
                model="m",
                prompt=size,
                decoded=40,
                ttft_s=ttft + 1e-4 * size,
                decode_s=1.0,
            ),
        )
        for size in sizes
    ]
    return Graph(task=endpoint, name="g", wall_s=1.0, segments=(Segment((), tuple(works)),))


def test_an_endpoint_is_known_by_its_own_calls_alone():
    graphs = [graph("h:1", 0.5), graph("h:2", 5.0)]
    times = known_endpoint(graphs, "m", ["h:1", "h"]).times
    assert times.ttft.prices["constant"] == pytest.approx(0.5, rel=0.01)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(UsageError, match="no call to other at h:1"):
        known_endpoint(graphs, "other", ["h:1"])
