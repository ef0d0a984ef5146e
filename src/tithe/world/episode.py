"""An episode: an agent's conversation about a task, as its model's answers move it on.

It knows nothing of calls and waiting: who runs it sends `messages` with `world.task.tools` to a model,
hands the answer to `take`, and repeats until `over`. So the audit, the evaluation and an agent loop
run the same conversation, each in its own way.
"""

from tithe.core import Message
from tithe.world.task import World


class Episode:
    """Begins with the system prompt and the goal of the world's task; history is append-only.

    `answers` counts the model's answers and `idle` those of them that called no tool.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers = 0
        self.idle = 0
        self.messages: tuple[Message, ...] = (
            Message(role="system", content=world.task.system),
            Message(role="user", content=world.task.goal),
        )

    @property
    def over(self) -> bool:
        """Whether the model has no more to say: it finished, or the task's steps are used up."""
        return self.world.over

    def take(self, answer: Message) -> None:
        """Append the model's answer, run its calls one after the other, and append what came of them.

        Never raises for what the model wrote; an answer without a call is told to make one.
        """
        self.answers += 1
        told = [
            Message(
                role="tool", content=self.world.call_json(call.name, call.arguments), tool_call_id=call.id
            )
            for call in answer.tool_calls
        ]
        if not told:
            self.idle += 1
            told = [Message(role="user", content=self.world.remind())]
        self.messages = (*self.messages, answer, *told)
