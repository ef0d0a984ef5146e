import asyncio

import pytest

from tithe.audit.turns import Turns, alone


def test_the_seats_go_once_a_lap_in_an_order_drawn_anew():
    async def main() -> list[str]:
        turns, log = Turns(3, seed=1), list[str]()

        async def go(name: str, place: int) -> None:
            for _ in range(20):
                async with turns.seats[place].turn():
                    log.append(f"{name}(")
                    await asyncio.sleep(0)
                    log.append(f"{name})")
            turns.seats[place].leave()

        async with asyncio.TaskGroup() as group:
            for place, name in enumerate("abc"):
                group.create_task(go(name, place))
        return log

    log = asyncio.run(main())
    assert all(begun[0] == ended[0] for begun, ended in zip(log[::2], log[1::2], strict=True))
    order = "".join(begun[0] for begun in log[::2])
    laps = [order[start : start + 3] for start in range(0, 60, 3)]
    assert all(sorted(lap) == ["a", "b", "c"] for lap in laps)
    assert len(set(laps)) > 3
    assert asyncio.run(main()) == log


def test_a_seat_that_has_left_is_not_waited_for():
    async def main() -> list[int]:
        turns, log = Turns(2, seed=0), list[int]()

        async def go(place: int, times: int) -> None:
            for _ in range(times):
                async with turns.seats[place].turn():
                    log.append(place)
            turns.seats[place].leave()

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(go(0, 2))
            group.create_task(go(1, 5))
        return log

    assert sorted(asyncio.run(main())) == [0, 0, 1, 1, 1, 1, 1]


def test_a_seat_that_is_early_at_its_next_measurement_waits_there():
    async def main() -> list[str]:
        turns, log = Turns(2, seed=0), list[str]()

        async def go(place: int, rounds: int) -> None:
            for measurement in range(2):
                turns.seats[place].place += 1
                for _ in range(rounds):
                    async with turns.seats[place].turn():
                        log.append(f"{place}{measurement}")
            turns.seats[place].leave()

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(go(0, 2))
            group.create_task(go(1, 4))
        return log

    log = asyncio.run(main())
    assert max(place for place, one in enumerate(log) if one == "10") < log.index("01")


def test_agreement_needs_every_vote_of_the_lap_before():
    async def main() -> list[tuple[int, bool]]:
        turns, log = Turns(2, seed=0), list[tuple[int, bool]]()
        votes = {0: [True, True, False, True], 1: [False, True, True, True]}

        async def go(place: int) -> None:
            seat = turns.seats[place]
            for vote in votes[place]:
                async with seat.turn():
                    log.append((place, seat.agreed))
                    seat.vote(enough=vote)

        async with asyncio.TaskGroup() as group:
            group.create_task(go(0))
            group.create_task(go(1))
        return log

    log = asyncio.run(main())
    assert [agreed for place, agreed in log if place == 0] == [False, False, True, False]
    assert [agreed for place, agreed in log if place == 1] == [False, False, True, False]


def test_who_is_cancelled_gives_the_turn_on():
    async def main() -> bool:
        turns = Turns(2, seed=0)
        first, second = turns.seats
        reached = False

        async def hold() -> None:
            async with first.turn():
                await asyncio.sleep(60)

        async def after() -> None:
            nonlocal reached
            async with second.turn():
                reached = True

        holder, waiter = asyncio.create_task(hold()), asyncio.create_task(after())
        await asyncio.sleep(0.01)
        holder.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holder
        first.leave()
        await asyncio.wait_for(waiter, 5)
        return reached

    assert asyncio.run(main())


def test_alone_every_turn_is_ones_own():
    async def main() -> None:
        seat = alone()
        for _ in range(3):
            async with asyncio.timeout(5), seat.turn():
                pass

    asyncio.run(main())
