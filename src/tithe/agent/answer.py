"""An answer: what it stands for, and what the checks say of it."""

import warnings
from collections.abc import Hashable
from typing import Any

import msgspec

from tithe.agent.caller import CallFailed
from tithe.agent.calling import called
from tithe.agent.deadline import Deadline, OutOfTime
from tithe.agent.environment import AnswerCheck, Environment
from tithe.agent.fault import Fault
from tithe.agent.tool_run import Ready
from tithe.core.errors import UsageError
from tithe.trace import tracing


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A valid answer. `vouched`: a check of the user's passed it. `key` is equal for answers that say the same."""

    value: Any
    vouched: bool
    key: Hashable


class Answers:
    """Looks at the answers of a way, in its environment as it is by then. `checked`: there is something that can vouch for one."""

    def __init__(self, checks: tuple[AnswerCheck, ...], environment: Environment, deadline: Deadline) -> None:
        self._checks = checks + ((environment.check,) if environment.check is not None else ())
        self._same = environment.same
        self._deadline = deadline

    @property
    def checked(self) -> bool:
        return bool(self._checks)

    async def examine(self, value: Any) -> Answer:
        """The answer, if the checks pass it. Raises `Fault` where one does not, and `CallFailed` for a check that raises.

        One that the deadline cuts short vouches for nothing, and turns nothing down: nobody has said that the answer is wrong.
        """
        vouched = self.checked
        for check in self._checks:
            with tracing.validation("answer"):
                try:
                    wrong = await self._deadline.within(called(check, value), self._deadline.left)
                except OutOfTime:
                    vouched = False
                    break
                except Exception as error:
                    raise CallFailed(UsageError(f"The check of the answer raised {error!r}.")) from error
            if wrong is not None and not (isinstance(wrong, str) and wrong.strip()):
                raise CallFailed(
                    UsageError(
                        f"The check of the answer returned {wrong!r}: it has to say in words what is wrong, or return None."
                    )
                )
            if wrong is not None:
                raise Fault("failed check", f"The answer was not accepted: {wrong}")
        return Answer(value=value, vouched=vouched, key=await self.key(value))

    async def key(self, value: Any) -> Hashable:
        """What it stands for; the answer itself where nothing says, or not in time, or raises (which is warned of)."""
        found: Any = " ".join(value.split()) if isinstance(value, str) else canonical(value)
        if self._same is not None:
            try:
                found = await self._deadline.within(called(self._same, value), self._deadline.left)
            except OutOfTime:
                return found
            except Exception as error:  # noqa: BLE001 - the answer is not lost for it
                warnings.warn(f"What compares answers raised {error!r}.", RuntimeWarning, stacklevel=2)
                return found
        try:
            hash(found)
        except TypeError:
            return repr(found)
        return found


def answer_of(ready: Ready, returned: Any) -> Any:
    """The answer that a final tool was called with: what its function returned, else its one argument, else all."""
    if returned is not None:
        return returned
    arguments = ready.arguments
    return next(iter(arguments.values())) if len(arguments) == 1 else arguments


def canonical(value: object) -> str:
    """One text for equal values, whatever the order of their keys."""
    try:
        return msgspec.json.encode(value, order="deterministic").decode()
    except (TypeError, ValueError, RecursionError):
        return repr(value)
