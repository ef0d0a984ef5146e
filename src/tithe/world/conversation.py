"""A conversation as it grows: each call goes to the world, and its result becomes the next turn."""

import json

import msgspec

from tithe.core import Message, ToolCall
from tithe.world.task import World


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A message, and whether a model should learn to write it (only assistant turns are learnt)."""

    message: Message
    learn: bool


class Conversation:
    """Begins with the system prompt and the goal of the world's task."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls = 0
        self.turns = [
            Turn(message=Message(role="system", content=world.task.system), learn=False),
            Turn(message=Message(role="user", content=world.task.goal), learn=False),
        ]

    def call(
        self, name: str, arguments: dict[str, str], *, plan: str | None = None, learn: bool = True
    ) -> str:
        """Make one assistant turn with one call, and return the tool's answer."""
        self._calls += 1
        call = ToolCall(id=f"call_{self._calls}", name=name, arguments=json.dumps(arguments))
        asked = Message(role="assistant", content=plan, tool_calls=(call,))
        result = self._world.call_json(name, call.arguments)
        told = Message(role="tool", content=result, tool_call_id=call.id)
        self.turns += [Turn(message=asked, learn=learn), Turn(message=told, learn=False)]
        return result

    def mistake(self, name: str, arguments: dict[str, str]) -> str:
        """A call that should not have been made this way."""
        return self.call(name, arguments, learn=False)

    def idle(self, text: str) -> None:
        """An answer that should have called a tool, and what it is told."""
        self.turns += [
            Turn(message=Message(role="assistant", content=text), learn=False),
            Turn(message=Message(role="user", content=self._world.remind()), learn=False),
        ]
