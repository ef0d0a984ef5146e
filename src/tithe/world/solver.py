"""The expert: solves a task in its real world, and keeps the conversation that doing so makes.

Theory. The expert understood the goal (it is handed what the goal asks, in structured form) and knows
its tools; what stands in files, rows and test results it reads from the tools' answers like anyone
else. Some runs make a mistake on the way, drawn from the seed: a name that does not exist, an argument
forgotten, a wrong column, a first fix that fails, an answer without a call. It is told so and the expert mends it.
A mistaken turn is marked `learn=False`, so that training shows it and does not teach it; the turn
that mends it is taught.
"""

import random

import msgspec

from tithe.core import Message
from tithe.world import lookup, lookup_expert, records, records_expert, repair, repair_expert
from tithe.world.conversation import Conversation, Turn
from tithe.world.families import open_world
from tithe.world.interpreter import RunCode, run_code
from tithe.world.task import Task

MISTAKEN = 0.4
"""The share of runs with a detour."""


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the expert: system, goal, then calls and their results in turns."""

    task: Task
    turns: tuple[Turn, ...]
    succeeded: bool

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation alone."""
        return tuple(turn.message for turn in self.turns)

    @property
    def steps(self) -> int:
        """How many model calls the run took."""
        return sum(turn.message.role == "assistant" for turn in self.turns)


def solve(task: Task, run: RunCode = run_code) -> Transcript:
    """Run the expert on the task. The same task gives the same transcript. `run`: see `open_world`."""
    draw = random.Random(f"expert/{task.family}/{task.split}/{task.seed}")
    with open_world(task, run) as world:
        talk = Conversation(world)
        mistaken = draw.random() < MISTAKEN
        if task.family == "lookup":
            lookup_expert.solve(talk, draw, lookup.make(task.seed, task.split).question, mistaken=mistaken)
        elif task.family == "repair":
            module = repair.make(task.seed, task.split).module_name
            repair_expert.solve(talk, draw, module, mistaken=mistaken)
        else:
            records_expert.solve(talk, draw, records.make(task.seed, task.split).question, mistaken=mistaken)
        return Transcript(task=task, turns=tuple(talk.turns), succeeded=world.succeeded)
