"""What can be wrong with an answer, and the words in which the model is told, so that it can mend it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

# malformed     arguments, or an answer that was to be JSON, are none
# unknown tool  no such tool
# bad arguments JSON, and not what the tool's schema asks for
# failed check  a tool's own check, the answer's, or a verification turned it down
# no call       an answer in prose where only a tool may end the task
# cut           the answer ran into its token limit
# failed tool   the tool ran and raised, or did not end in its time
# no time       the tool never ran as fast as it would have to
FaultKind = Literal[
    "malformed",
    "unknown tool",
    "bad arguments",
    "failed check",
    "no call",
    "cut",
    "failed tool",
    "no time",
]
FAULTS: tuple[FaultKind, ...] = FaultKind.__args__

_SHOWN = 60


class Fault(Exception):
    """An answer that cannot be acted on. `words` are the model's to read. Never leaves this room."""

    def __init__(self, kind: FaultKind, words: str) -> None:
        super().__init__(words)
        self.kind: FaultKind = kind
        self.words = words


class FaultSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A fault as the outcome lists it. `tool`: the tool that was asked for; None: the answer itself was at fault."""

    kind: FaultKind
    step: int
    tool: str | None
    words: str


def unknown_tool(name: str, known: Sequence[str]) -> Fault:
    return Fault("unknown tool", f"There is no tool {name[:_SHOWN]!r}. Tools: {', '.join(known) or 'none'}.")


def malformed(name: str, why: str) -> Fault:
    return Fault(
        "malformed", f"The arguments of {name} are not valid JSON ({why}). Call it again with a JSON object."
    )


def bad_arguments(name: str, why: str) -> Fault:
    return Fault("bad arguments", f"{name} was not run: {why}.")


def timed_out(name: str, seconds: float) -> Fault:
    return Fault("failed tool", f"{name} did not end within {seconds:.3g} s and was given up.")


def no_time(name: str, takes_s: float, left_s: float) -> Fault:
    return Fault(
        "no time", f"{name} was not run: it takes {takes_s:.3g} s at least, and {left_s:.3g} s are left."
    )


def raised(name: str, error: BaseException) -> Fault:
    return Fault("failed tool", f"{name} failed: {type(error).__name__}: {error}"[:2000])
