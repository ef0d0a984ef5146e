"""How many samples a measurement takes: until its figures are precise enough, or something runs out.

Theory. A measurement runs in rounds. A round has one sample of everything that is compared, in random
order, so that a slow minute strikes all of them alike whenever the sampling ends. After each round from
the `least_repeats`-th on, the intervals of the measurement's figures decide: it ends when each has a
half-width of at most `precision` times its figure. Ending by an interval's width, and not by where the
interval lies, keeps the interval's coverage (fixed-width sequential intervals: Chow & Robbins 1965, there
as the width goes to zero; with few samples it is somewhat below its nominal value, which is what
`least_repeats` is for).
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

import msgspec

from tithe.audit.probe import Probe, Stop
from tithe.core.statistics import Estimate

Ended = Literal["precise", "samples"] | Stop


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """How far a measurement went: `rounds` that were run, and what `ended` it.

    precise: every interval was narrow enough; samples: the plan's most were taken; time, tokens,
    requests: this measurement's share of that limit was used up; left out: the limits leave too little for it; gave up, interrupted: see the
    report.
    """

    rounds: int
    ended: Ended


def precise(figures: Iterable[Estimate | None], precision: float) -> bool:
    """Whether each figure has an interval whose half-width is at most `precision` times the figure."""
    known = list(figures)
    return bool(known) and all(_narrow(figure, precision) for figure in known)


def _narrow(figure: Estimate | None, precision: float) -> bool:
    if figure is None or figure.low is None or figure.high is None:
        return False
    return (figure.high - figure.low) / 2 <= precision * abs(figure.value)


async def sample(
    probe: Probe,
    run_round: Callable[[int], Awaitable[None]],
    figures: Callable[[], Iterable[Estimate | None]],
) -> Extent:
    """Run rounds 0, 1, 2, ... until one of the reasons of `Extent.ended`.

    Each round is a turn (turns.py), so endpoints that are compared take theirs one after the other, and go
    on until the figures of all of them are precise. `figures` computes what has to be precise from the
    samples so far; it is asked between rounds.
    """
    rounds = a_round = 0
    while True:
        async with probe.seat.turn():
            ended = _ended(probe, rounds, a_round)
            if ended is not None:
                return Extent(rounds=rounds, ended=ended)
            before = probe.calls
            await run_round(rounds)
            rounds, a_round = rounds + 1, probe.calls - before
            with probe.aside():
                probe.seat.vote(
                    enough=rounds >= probe.plan.least_repeats and precise(figures(), probe.plan.precision)
                )


def _ended(probe: Probe, rounds: int, a_round: int) -> Ended | None:
    if rounds and probe.seat.agreed:
        return "precise"
    if rounds == probe.plan.repeats:
        return probe.stopped_by() or "samples"
    return probe.ended(a_round)
