"""A browser's run, step by step: the page's seconds and the model's. They are read whenever the run decides what to do next."""

import time
from typing import NamedTuple

import msgspec

from tithe.agent.policy import Kind
from tithe.agent.progress import Event, ToolUsed, WayBegun
from tithe.agent.stopwatch import Stopwatch

_STEPS: tuple[Kind, ...] = ("step", "answer now")
_ENDS: tuple[Kind, ...] = ("accept", "stop")


class StepTime(msgspec.Struct, frozen=True, kw_only=True):
    """What one decision came to, in seconds: of `wall_s`, from it to the next, the page had the turn for `page_s`, and the model was
    asked something for `model_s`. Each counts what it does twice at once as once; the two may overlap, and leave some for the loop.

    step: its number; a review, or what else is decided between two steps, has that of the step before. tools: the page's that ran.
    """

    step: int
    kind: Kind
    tools: tuple[str, ...]
    page_s: float
    model_s: float
    wall_s: float


class _Clocks(NamedTuple):
    page_s: float
    model_s: float
    wall_s: float


class _Begun(NamedTuple):
    """A decision, what the clocks said then, and the tools that have run since."""

    step: int
    kind: Kind
    at: _Clocks
    tools: list[str]


class StepTimes:
    """Has a stopwatch for the page and one for the model, and is to hear what is told of the run (`tithe.agent.progress`)."""

    def __init__(self) -> None:
        self.page, self.model = Stopwatch(), Stopwatch()
        self._begun: list[_Begun] = []

    def heard(self, event: Event) -> None:
        """What is told of the run, as it is told."""
        if isinstance(event, ToolUsed):
            if self._begun:
                self._begun[-1].tools.append(event.name)
        elif not isinstance(event, WayBegun) and event.kind not in _ENDS:
            before = self._begun[-1].step if self._begun else 0
            step = before + (event.kind in _STEPS)
            self._begun.append(_Begun(step, event.kind, self._clocks(), []))

    def steps(self) -> tuple[StepTime, ...]:
        """Those until now; what there was after the last decision is the last one's."""
        ends = [*(each.at for each in self._begun[1:]), self._clocks()]
        return tuple(
            StepTime(
                step=each.step,
                kind=each.kind,
                tools=tuple(each.tools),
                page_s=end.page_s - each.at.page_s,
                model_s=end.model_s - each.at.model_s,
                wall_s=end.wall_s - each.at.wall_s,
            )
            for each, end in zip(self._begun, ends, strict=False)
        )

    def _clocks(self) -> _Clocks:
        now = time.perf_counter()
        return _Clocks(self.page.until(now), self.model.until(now), now)
