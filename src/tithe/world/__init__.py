"""The task world: endless seeded tasks with tools that act, a check of the outcome, and an expert."""

from tithe.world.conversation import Turn
from tithe.world.episode import Episode
from tithe.world.families import make_task, open_world
from tithe.world.solver import Transcript, solve
from tithe.world.task import FAMILIES, SPLITS, Family, Split, Task, World

__all__ = [
    "FAMILIES",
    "SPLITS",
    "Episode",
    "Family",
    "Split",
    "Task",
    "Transcript",
    "Turn",
    "World",
    "make_task",
    "open_world",
    "solve",
]
