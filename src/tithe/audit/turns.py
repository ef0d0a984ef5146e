"""Turns: how several audits that run side by side take their samples one after the other.

Theory. Endpoints that are compared are measured in laps: in a lap each takes one turn, in an order drawn
anew, and nothing else is under way meanwhile. A slow minute of the network or of this machine then strikes
all of them alike, and the samples of one lap are pairs. An audit that runs alone has every turn to itself.

A seat's *place* says how many measurements it has begun. A lap is of the seats with the lowest place, so
one that came to its next measurement early waits there. A measurement ends for its precision only when
every seat of a lap has voted for it: pairs need two.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator


class Turns:
    """The seats of `seats` audits; `seed` draws the order of each lap."""

    def __init__(self, seats: int, seed: int) -> None:
        self.seats = tuple(Seat(self) for _ in range(seats))
        self._taking_part = set(self.seats)
        self._waiting: dict[Seat, asyncio.Future[None]] = {}
        self._still_to_go: list[Seat] = []
        self._whose: Seat | None = None
        self._votes: list[bool] = []
        self._order = random.Random(f"{seed}/turns")

    async def begin(self, seat: "Seat") -> None:
        """Wait until it is the turn of `seat`."""
        granted = self._waiting[seat] = asyncio.get_running_loop().create_future()
        self._go_on()
        try:
            await granted
        except asyncio.CancelledError:
            self._waiting.pop(seat, None)
            if self._whose is seat:
                self.end()
            raise

    def end(self) -> None:
        """The turn under way is over."""
        self._whose = None
        self._go_on()

    def vote(self, *, enough: bool) -> None:
        self._votes.append(enough)

    def leave(self, seat: "Seat") -> None:
        """`seat` takes no more turns; the others don't wait for it."""
        self._taking_part.discard(seat)
        if seat in self._still_to_go:
            self._still_to_go.remove(seat)
        self._go_on()

    def _go_on(self) -> None:
        if self._whose is not None or not self._waiting:
            return
        if not self._still_to_go:
            if len(self._waiting) < len(self._taking_part):
                return
            self._begin_lap()
        self._whose = self._still_to_go.pop()
        granted = self._waiting.pop(self._whose)
        if granted.cancelled():
            self.end()
        else:
            granted.set_result(None)

    def _begin_lap(self) -> None:
        lowest = min(seat.place for seat in self._waiting)
        lap = [seat for seat in self._waiting if seat.place == lowest]
        agreed = bool(self._votes) and all(self._votes)
        self._votes = []
        for seat in lap:
            seat.agreed = agreed
        # The seats are sorted, so that the order is the seed's and not that of who came first.
        self._still_to_go = self._order.sample(sorted(lap, key=self.seats.index), len(lap))


class Seat:
    """One audit's part. `agreed`: in the lap before, every seat voted that its figures are precise enough."""

    def __init__(self, turns: Turns) -> None:
        self.place = 0
        self.agreed = False
        self._turns = turns

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """The block runs while no other seat's does. Turns don't nest."""
        await self._turns.begin(self)
        try:
            yield
        finally:
            self._turns.end()

    def vote(self, *, enough: bool) -> None:
        """Say in a turn whether this seat's figures are precise enough."""
        self._turns.vote(enough=enough)

    def leave(self) -> None:
        """Take no more turns."""
        self._turns.leave(self)


def alone() -> Seat:
    """The seat of an audit that runs by itself."""
    return Turns(1, 0).seats[0]
