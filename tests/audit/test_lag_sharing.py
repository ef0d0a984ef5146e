from tithe.audit.known import KnownLag
from tithe.audit.lag_sharing import shared_watches


class Counted(KnownLag):
    """Every take has lags of its own, as a watch on a loop has."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.taken = 0

    def take(self) -> tuple[float, ...]:
        self.taken += 1
        return (float(self.taken),)


def test_every_part_gets_every_lag_once():
    first, second = shared_watches(Counted(), 2)
    assert first.take() == (1.0,)
    assert first.take() == (2.0,)
    assert second.take() == (1.0, 2.0, 3.0)
    assert first.take() == (3.0, 4.0)


def test_the_watch_runs_from_the_first_start_to_the_last_stop():
    watch = Counted()
    first, second = shared_watches(watch, 2)
    first.start()
    second.start()
    first.stop()
    assert watch.running
    second.stop()
    assert not watch.running
