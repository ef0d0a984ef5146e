"""A task, and the world in which one run of it takes place.

Theory. A task is what an agent is told; everything else about it (the files, the rows, the bug, the
answer) is drawn again from its family, seed and split, so a task is a few words that can be kept and
repeated. A world is one run: tools act on a state of its own, mistakes are answered in words as a real
tool would answer them, and whether the run succeeded is judged from the final state and the answer, by
a check that knows nothing of the way there.
"""

import json
from collections.abc import Hashable
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast, get_args

import msgspec

from tithe.core import Tool

Family = Literal["lookup", "repair", "records"]
Split = Literal["train", "held_out"]

FAMILIES: tuple[Family, ...] = get_args(Family)
SPLITS: tuple[Split, ...] = get_args(Split)

SYSTEM = "You are an agent. Solve the task with the tools, one call a turn, then call finish."
"""The same for every task, so that all of them share a prefix."""

OVER = "The task is over."
NO_CALL = "No tool was called. Call one tool."


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is told. `step_limit` is how many tool calls its world answers."""

    family: Family
    seed: int
    split: Split
    system: str
    goal: str
    tools: tuple[Tool, ...]
    step_limit: int


class State(Protocol):
    """What a family's tools act on."""

    def act(self, name: str, arguments: dict[str, str]) -> str:
        """Run a tool other than finish; the arguments fit its schema. Mistakes are answered in words."""
        ...

    def right(self, answer: str) -> bool:
        """Whether the state, and the answer given with finish, are what the goal asked for."""
        ...

    def stands(self) -> Hashable:
        """How it stands now: equal where two runs have come to the same."""
        ...

    def close(self) -> None:
        """Remove what the state holds outside this process's memory."""
        ...


class World:
    """One run of a task: a context manager, since a state may hold a directory or a database.

    `steps` counts the calls that were answered and the answers without a call; `faults` those of the
    calls that named no tool or had arguments that are no JSON or do not fit the tool's schema.
    """

    def __init__(self, task: Task, state: State) -> None:
        self.task = task
        self.steps = 0
        self.faults = 0
        self.answer: str | None = None
        self._state = state
        self._succeeded: bool | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Judge the run if it was finished, then remove its directory or database. May be called twice."""
        if not self._closed:
            _ = self.succeeded
            self._closed = True
            self._state.close()

    @property
    def over(self) -> bool:
        """Whether no further call will be answered."""
        return self._closed or self.answer is not None or self.steps >= self.task.step_limit

    @property
    def succeeded(self) -> bool:
        """Whether the agent called finish and the final state and its answer are right."""
        if self.answer is None:
            return False
        if self._succeeded is None:
            self._succeeded = self._state.right(self.answer)
        return self._succeeded

    def stands(self) -> Hashable:
        """How the state stands now, before `close`: equal where two runs have come to the same."""
        return self._state.stands()

    def call_json(self, name: str, arguments: str) -> str:
        """`call` with the arguments as a model wrote them: a JSON text, perhaps a malformed one."""
        try:
            parsed: object = json.loads(arguments or "{}")
        except (ValueError, RecursionError) as error:
            parsed = None
            said = f"The arguments of {name} are not valid JSON: {error}."
        else:
            said = f"The arguments of {name} must be a JSON object."
        if isinstance(parsed, dict):
            return self.call(name, cast("dict[str, Any]", parsed))
        ended = self._count()
        self.faults += ended is None
        return ended or said

    def call(self, name: str, arguments: dict[str, Any]) -> str:
        """Run a tool for the agent and return its result, or what is wrong with the call. Never raises
        for a mistake of the agent's."""
        ended = self._count()
        if ended:
            return ended
        fault = _fault(self.task.tools, name, arguments)
        if fault:
            self.faults += 1
            return fault
        if name == "finish":
            self.answer = cast("str", arguments["answer"])
            return "Finished."
        return self._state.act(name, arguments)

    def remind(self) -> str:
        """What an answer without a call is told. It is a step too, so that a run ends."""
        return self._count() or NO_CALL

    def _count(self) -> str | None:
        """Count a step; or say why there is none left."""
        if self.over:
            return OVER
        self.steps += 1
        return None


def tool(name: str, description: str, **arguments: str) -> Tool:
    """A tool whose arguments are all required strings; their values here describe them."""
    return Tool(
        name=name,
        description=description,
        parameters={
            "type": "object",
            "properties": {key: {"type": "string", "description": text} for key, text in arguments.items()},
            "required": list(arguments),
            "additionalProperties": False,
        },
    )


def same_number(answer: str, expected: int) -> bool:
    """Whether an answer is the number expected; white space and a full stop at its end are let pass."""
    try:
        return float(answer.strip().removesuffix(".")) == expected
    except ValueError:
        return False


def _fault(tools: tuple[Tool, ...], name: str, arguments: dict[str, Any]) -> str | None:
    """What is wrong with a call, in words that help to make it right; None when nothing is."""
    known = {tool.name: tool for tool in tools}
    if name not in known:
        return f"There is no tool '{name[:40]}'. Tools: {', '.join(known)}."
    wanted: list[str] = (known[name].parameters or {})["required"]
    for key in wanted:
        if key not in arguments:
            return f"{name} needs '{key}'."
        value: object = arguments[key]
        if not isinstance(value, str):
            return f"'{key}' of {name} must be a string, not {_kind(value)}."
        if len(value) > 500:
            return f"'{key}' of {name} is too long: at most 500 characters."
    for key in arguments:
        if key not in wanted:
            return f"{name} takes no '{key[:40]}'. It takes: {', '.join(wanted) or 'nothing'}."
    return None


def _kind(value: object) -> str:
    """What JSON calls a value that is no string."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"
