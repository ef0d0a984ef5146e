"""One watch on the event loop for several audits that run on it."""

from contextlib import AbstractContextManager

from tithe.audit.innocence import LagWatch


class _Hub:
    """The watch, how many use it, and who is owed what was taken from it."""

    def __init__(self, watch: LagWatch) -> None:
        self.watch = watch
        self.users = 0
        self.owed: list[list[float]] = []

    def collect(self) -> None:
        lags = self.watch.take()
        for each in self.owed:
            each += lags


class SharedWatch:
    """A part in a watch: it begins with the first that starts, ends with the last that stops, and each lag goes to all."""

    def __init__(self, hub: _Hub) -> None:
        self._hub = hub
        self._lags: list[float] = []
        hub.owed.append(self._lags)

    def start(self) -> None:
        self._hub.users += 1
        if self._hub.users == 1:
            self._hub.watch.start()

    def take(self) -> tuple[float, ...]:
        self._hub.collect()
        taken = tuple(self._lags)
        self._lags.clear()
        return taken

    def aside(self) -> AbstractContextManager[None]:
        return self._hub.watch.aside()

    def stop(self) -> None:
        self._hub.users -= 1
        if not self._hub.users:
            self._hub.watch.stop()


def shared_watches(watch: LagWatch, parts: int) -> tuple[SharedWatch, ...]:
    """So many parts in one watch."""
    hub = _Hub(watch)
    return tuple(SharedWatch(hub) for _ in range(parts))
