"""An answer of the model's, examined: what it asks for, and what is wrong with it before anything is run."""

from typing import Any

import msgspec

from tithe.agent.answer import Answer, canonical
from tithe.agent.fault import Fault
from tithe.agent.request import CUT, NO_CALL
from tithe.agent.tool_run import Ready, Toolbox
from tithe.core import FinishReason, Message


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """`calls`: each tool call as it can be run, or its fault. `fault`: what is wrong with the answer as a whole, or with a call.

    `key` is equal for answers that ask for the same: the same tools with the same arguments however they are written, or the
    same text but for white space. `verdict`: what the checks said of the answer that it is, where they were asked already.
    """

    message: Message
    calls: tuple[Ready | Fault, ...]
    fault: Fault | None
    key: str
    verdict: Answer | Fault | None = None

    @property
    def ready(self) -> tuple[Ready, ...]:
        return tuple(call for call in self.calls if isinstance(call, Ready))

    @property
    def is_json(self) -> bool:
        """Whether the arguments of all its calls are JSON objects; an endpoint may refuse a conversation in which some are not."""
        try:
            for call in self.message.tool_calls:
                msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return True

    @property
    def answers(self) -> bool:
        """Whether it ends the task: by text, or by the final tool."""
        return self.fault is None and (not self.calls or any(each.tool.traits.final for each in self.ready))


def examine(message: Message, finish: FinishReason | None, toolbox: Toolbox) -> Proposal:
    """Examine an answer. Raises nothing: faults are in what is returned."""
    calls: list[Ready | Fault] = []
    key: list[tuple[str, str]] = []
    for call in message.tool_calls:
        try:
            ready = toolbox.examine(call)
        except Fault as fault:
            calls.append(fault)
            key.append((call.name, call.arguments))
        else:
            calls.append(ready)
            key.append((call.name, canonical(ready.arguments)))
    fault = next((call for call in calls if isinstance(call, Fault)), None)
    if finish == "length" and (fault is not None or not calls):
        fault = Fault("cut", CUT)
    elif not calls and toolbox.final is not None:
        fault = Fault("no call", NO_CALL.format(final=toolbox.final.name))
    elif not calls and not (message.content or "").strip():
        fault = Fault("no call", "The answer was empty.")
    text = "" if calls else " ".join((message.content or "").split())
    return Proposal(message=message, calls=tuple(calls), fault=fault, key=f"{key!r} {text}")
