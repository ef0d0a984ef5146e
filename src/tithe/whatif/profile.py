"""An endpoint as an audit measured it: what a projection onto it needs."""

import msgspec

from tithe.core.errors import UsageError
from tithe.whatif.calltimes import CallTimes
from tithe.whatif.fit import NoFit


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """`agents` at once, the measured seconds of a step's call, and steps a second of all of them together."""

    agents: int
    step_s: float
    steps_per_s: float


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint serves many. `lone_s`: a call's seconds when it is alone; `levels`: the measured curve.

    `reached`: the capacity was, so that what lies beyond it is known. `shared`: calls that it serves at once as fast as one.
    """

    lone_s: float
    reached: bool
    shared: float
    levels: tuple[Level, ...]

    def check(self, agents: int) -> None:
        """Raises `UsageError` where nothing is known of so many at once."""
        most = max(level.agents for level in self.levels)
        if not self.reached and agents > most:
            raise UsageError(
                f"agents is {agents}: the audit went to {most} at once without reaching the endpoint's capacity, so that nothing is "
                "known of more. Audit it with more agents."
            )


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what the endpoint is called in a report."""

    name: str
    times: CallTimes
    capacity: Capacity | None = None

    def check(self) -> None:
        """Raises `UsageError` where the audit's calls carry no fit."""
        for fit in (self.times.ttft, self.times.decode):
            if isinstance(fit, NoFit):
                raise UsageError(
                    f"The profile of {self.name} cannot be projected onto: its {fit.what} could not be fitted ({fit.reason})."
                )
