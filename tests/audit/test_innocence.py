import asyncio
import time

import pytest

from tithe.audit.innocence import ThreadedLagWatch, judge, lag_figures
from tithe.audit.statistics import Estimate
from tithe.core import SystemClock


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=None, high=None, n=1)


@pytest.mark.parametrize(
    ("figure", "floor", "lag", "reason"),
    [
        (0.100, 0.001, 0.002, None),
        (0.100, 0.030, 0.002, "the client alone takes 30 ms"),
        (0.100, 0.001, 0.025, "25 ms late"),
        (None, 0.001, 0.002, "no call"),
        (0.100, None, 0.002, "floor was not measured"),
        (0.100, 0.001, None, "was not watched"),
    ],
)
def test_a_verdict_is_withheld_with_the_reason(figure, floor, lag, reason):
    judgement = judge(
        estimate(figure) if figure is not None else None,
        estimate(floor) if floor is not None else None,
        lag_figures((lag,) * 10 if lag is not None else ()),
    )
    if reason is None:
        assert judgement.withheld is None
    else:
        assert reason in judgement.withheld


def test_one_late_look_in_a_thousand_does_not_move_the_p99():
    figures = lag_figures((0.001,) * 999 + (0.5,))
    assert figures.p99_s == pytest.approx(0.001)
    assert figures.max_s == 0.5


def test_the_watch_sees_a_blocked_loop():
    async def main() -> tuple[tuple[float, ...], tuple[float, ...]]:
        watch = ThreadedLagWatch(SystemClock(), interval_s=0.002)
        watch.start()
        await asyncio.sleep(0.05)
        before = watch.take()
        time.sleep(0.1)  # noqa: ASYNC251 - blocking the loop is the point
        await asyncio.sleep(0.02)
        blocked = watch.take()
        watch.stop()
        return before, blocked

    before, blocked = asyncio.run(main())
    assert before
    # The loop was away for 100 ms; a look was due at most a few ms after it left.
    assert max(blocked) > 0.05
