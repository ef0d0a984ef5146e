"""An endpoint as an audit measured it: what a projection onto it needs."""

import msgspec

from tithe.core.errors import UsageError
from tithe.whatif.beside import Beside
from tithe.whatif.calltimes import CallTimes
from tithe.whatif.fit import NoFit


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """`agents` that ran at once, as they were measured, on average: seconds until a call's first token and from there to its last, and of
    the pause before it."""

    agents: int
    ttft_s: float
    decode_s: float
    pause_s: float

    @property
    def call_s(self) -> float:
        return self.ttft_s + self.decode_s


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint serves many: the measured curve, in rising order. `reached`: its capacity was, so that what lies beyond is known."""

    reached: bool
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
    """`name` is what the endpoint is called in a report. `capacity` None: the audit measured none."""

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

    def check_agents(self, agents: int) -> None:
        """Raises `UsageError` where nothing is known of so many agents at once."""
        for law in (self.times.ttft_beside, self.times.decode_beside):
            if not isinstance(law, Beside):
                raise UsageError(
                    f"agents is {agents}, and the audit of {self.name} does not tell {law.what}: {law.reason}. Audit it with more rounds of "
                    "agents (--rounds)."
                )
        if self.capacity is not None:
            self.capacity.check(agents)
