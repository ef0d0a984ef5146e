"""What to do next with the time that is left: a pure function of what is shown to it.

Theory. From here to the answer lie N more steps, each a call and the tools that it asks for. A *design* of a step is richer or
plainer: several candidates at once, of which the best is taken; a verification of the call before it is run. With design d
a step takes, by the samples of this run, a mean m(d) and a variance v(d), so that N of them end within

    whole(d) = N m(d) + Z sqrt(N v(d)),    Z = 1.28: nine times in ten, by the normal approximation of a sum

and d is affordable where whole(d), with what the retries are expected to take, fits into the share `CAUTION` of the time left. The
richest affordable design is taken, before every step anew: when time runs short the designs become plainer by themselves.
Where nothing is known yet of what calls take, the step is plain.

When there is an answer, what is left may be spent on doubting it: a review (one call), or the whole task once more from the start
in a fresh environment, to see whether it comes out the same. What is not affordable is not begun.
"""

import math
from collections.abc import Callable
from typing import Literal

import msgspec

from tithe.agent.crafts import Crafts
from tithe.agent.speeds import Spread

Z = 1.28
CAUTION = 0.9
# A call is begun when it has this chance of being answered in the time left; less would only burn tokens.
_HOPE = 0.1

Kind = Literal["step", "answer now", "review", "again", "accept", "stop"]


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands.

    left_s: seconds to the deadline. steps: how many of this way are done; `ahead`: how many more are expected, 1 or more.
    calls: what one call takes; `candidates`: what so many at once take, by their number; tools: those of a step; `by_tool`: each by itself.
    failing: the share of steps that had to be done again because of a fault.
    stuck: the model goes in circles. spent: the way took all the steps that it may. pressed: it was told to answer at once, and did not. banked: there is a valid answer. doubts: how often it was reviewed already.
    ways: how many ways from goal to answer were gone, this one included; way_s: seconds that the longest of them took.
    agreed: enough ways came to the same answer, or a check of the user's vouches for it. fresh: a way can begin anew.
    """

    left_s: float
    steps: int = 0
    ahead: float = 1.0
    calls: Spread = Spread()
    candidates: dict[int, Spread] = {}
    tools: Spread = Spread()
    by_tool: dict[str, Spread] = {}
    failing: float = 0.0
    stuck: bool = False
    spent: bool = False
    pressed: bool = False
    banked: bool = False
    doubts: int = 0
    ways: int = 1
    way_s: float = 0.0
    agreed: bool = False
    fresh: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is done next.

    kind: `step`: on, with `candidates` at once and, if `verify`, the call verified before it is run; `answer now`: one more call,
    in which the model is told that time is up; `review`: the banked answer is criticized; `again`: a new way from the start;
    `accept`: the banked answer is final; `stop`: nothing more can be done in time.
    predicted_s: seconds that it is expected to take, of `again` the whole way; None: nothing is known. why: in words.
    next: of `accept` and `stop`, in words, what would be done with more time; None: nothing would.
    """

    kind: Kind
    candidates: int = 1
    verify: bool = False
    predicted_s: float | None = None
    why: str = ""
    next: str | None = None


Policy = Callable[[Situation, Crafts], Decision]


def budgeted(situation: Situation, crafts: Crafts) -> Decision:
    """The richest thing that is affordable."""
    if situation.banked:
        return _doubt(situation, crafts)
    if situation.stuck or situation.spent:
        return _out_of_the_circle(situation)
    if situation.calls and situation.left_s < situation.calls.quantile(_HOPE):
        return Decision(
            kind="stop", why=f"{_seconds(situation.left_s)} left, and no call is answered that fast"
        )
    if situation.calls and situation.steps and _two_steps(situation) >= situation.left_s:
        return Decision(
            kind="answer now",
            predicted_s=situation.calls.quantile(0.5),
            why=f"{_seconds(situation.left_s)} left: not enough for a step and an answer after it",
        )
    if not situation.calls:
        return Decision(kind="step", why="nothing is known yet of what calls take")
    for design in _designs(crafts):
        whole = _whole(situation, design)
        if _fits(whole, situation):
            return msgspec.structs.replace(
                design,
                predicted_s=_step(situation, design)[0],
                why=f"{_told(design)}: {situation.ahead:.0f} more steps take {_seconds(whole)} of {_seconds(situation.left_s)}",
            )
    plain = Decision(kind="step")
    whole = _whole(situation, plain)
    return msgspec.structs.replace(
        plain,
        predicted_s=_step(situation, plain)[0],
        why=f"plain: {situation.ahead:.0f} more steps take {_seconds(whole)} of {_seconds(situation.left_s)}",
    )


def minimal(situation: Situation, crafts: Crafts) -> Decision:
    """One plain call a step, the first answer taken: the loop that everyone writes first."""
    del crafts
    if situation.banked:
        return Decision(kind="accept", why="the first answer is taken")
    if situation.spent:
        return Decision(kind="stop", why="all steps are taken")
    return Decision(kind="step", predicted_s=_known(_step(situation, Decision(kind="step"))[0]), why="plain")


def _designs(crafts: Crafts) -> list[Decision]:
    """The step's designs that are richer than the plain one, richest first."""
    verified = (True, False) if crafts.verify else (False,)
    return [
        Decision(kind="step", candidates=count, verify=verify)
        for count in range(crafts.candidates, 0, -1)
        for verify in verified
        if count > 1 or verify
    ]


def _step(situation: Situation, design: Decision) -> tuple[float, float]:
    """Mean and variance of a step's seconds."""
    calls = (
        situation.calls
        if design.candidates == 1
        else situation.candidates.get(design.candidates, situation.calls.slowest_of(design.candidates))
    )
    mean, variance = calls.mean + situation.tools.mean, calls.variance + situation.tools.variance
    if design.verify:
        mean, variance = mean + situation.calls.mean, variance + situation.calls.variance
    return mean, variance


def _whole(situation: Situation, design: Decision) -> float:
    """Seconds within which the steps that lie ahead end, nine times in ten."""
    mean, variance = _step(situation, design)
    steps = situation.ahead / (1 - min(situation.failing, 0.9))
    return steps * mean + Z * math.sqrt(steps * variance)


def _two_steps(situation: Situation) -> float:
    """Seconds for a usual step and the call that answers after it. Medians: one slow tool says little of the next one."""
    return situation.tools.quantile(0.5) + 2 * situation.calls.quantile(0.5)


def _fits(seconds: float, situation: Situation) -> bool:
    return seconds <= CAUTION * situation.left_s


def _doubt(situation: Situation, crafts: Crafts) -> Decision:
    """There is an answer: is it worth doubting?"""
    if situation.agreed:
        return Decision(kind="accept", why="the answer is vouched for")
    call = situation.calls.quantile(0.9)
    unaffordable: list[str] = []
    if crafts.review and not situation.doubts and situation.calls:
        if _fits(2 * call, situation):
            return Decision(
                kind="review",
                predicted_s=situation.calls.quantile(0.5),
                why=f"a review takes {_seconds(call)}",
            )
        unaffordable.append("review the answer")
    if situation.fresh and situation.ways < crafts.ways:
        # Another way may be slower than the slowest so far, and is worth nothing when it does not come to its end.
        way = _seconds(situation.way_s)
        if _fits(situation.way_s, situation):
            return Decision(
                kind="again",
                predicted_s=situation.way_s,
                why=f"another way takes {way} of {_seconds(situation.left_s)}",
            )
        unaffordable.append(f"go another way from the start ({way})")
    if not unaffordable:
        return Decision(kind="accept", why="nothing more is to be done about it")
    wanted = " and ".join(unaffordable)
    return Decision(kind="accept", why=f"{_seconds(situation.left_s)} left: no time to {wanted}", next=wanted)


def _out_of_the_circle(situation: Situation) -> Decision:
    """This way leads nowhere: a new one, if there is time for a part of it; else the best that can be said now."""
    why = "the model goes in circles" if situation.stuck else "all steps are taken"
    if situation.fresh and _fits(_two_steps(situation), situation):
        return Decision(kind="again", why=why)
    if situation.pressed:
        return Decision(kind="stop", why=f"{why}, and there is no answer when it is asked for one")
    return Decision(
        kind="answer now",
        predicted_s=_known(situation.calls.quantile(0.5)),
        why=why,
    )


def _told(design: Decision) -> str:
    parts = [f"{design.candidates} candidates"] if design.candidates > 1 else []
    parts += ["verified"] if design.verify else []
    return ", ".join(parts)


def _known(seconds: float) -> float | None:
    return seconds or None


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"
