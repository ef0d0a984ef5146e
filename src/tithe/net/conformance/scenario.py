"""A scenario: one pitfall as exact bytes at exact delays, what to ask, and what is then true."""

from typing import Any, Literal

import msgspec

from tithe.net.conformance.behaviour import Behaviour
from tithe.net.conformance.findings import Findings


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the answer that is asked for: JSON text of `schema`, or a call of the tool `name`."""

    kind: Literal["json", "call"]
    name: str
    schema: dict[str, Any]


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What a client has to do.

    how:
        `in turn`: each call when the one before it has ended, well or not. A retry is a call.
        `at once`: all calls together.
        `on schedule`: a call is due each `every_s`, whether or not those before it have ended.
        `copies`: calls of one kind in turn, made so that none finds another's prompt in a cache.
        `steps`: an agent's, each extending the one before it, after a tool that ran for `tools_s[i]`.
    form: of the answer, where one is asked for.
    """

    how: Literal["in turn", "at once", "on schedule", "copies", "steps"] = "in turn"
    calls: int = 1
    every_s: float = 0.0
    tools_s: tuple[float, ...] = ()
    form: Form | None = None


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """All of a scenario that its asker needs to know.

    `name` is also the model that a client asks the scripted server for. `wrong` says what goes wrong elsewhere.
    """

    name: str
    pitfall: int
    wrong: str
    asking: Asking = Asking()
    truth: Findings


class Scenario(Brief, frozen=True, kw_only=True):
    """One pitfall of measuring, to which any client can be held: its brief, and what its server does."""

    behaviour: Behaviour

    @property
    def brief(self) -> Brief:
        """The scenario without the bytes."""
        return Brief(
            name=self.name, pitfall=self.pitfall, wrong=self.wrong, asking=self.asking, truth=self.truth
        )
