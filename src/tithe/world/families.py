"""A task by its family, seed and split, and the world that its run takes place in."""

from tithe.world import lookup, records, repair
from tithe.world.interpreter import RunCode, run_code
from tithe.world.task import Family, Split, Task, World


def make_task(family: Family, seed: int, split: Split) -> Task:
    """The task with this seed, always the same one; seeds are endless."""
    if family == "lookup":
        return lookup.make(seed, split).task
    if family == "repair":
        return repair.make(seed, split).task
    return records.make(seed, split).task


def open_world(task: Task, run: RunCode = run_code) -> World:
    """A fresh world for one run of the task. Close it, or use it in `with`.

    `run` runs a repair's code; leave it as it is for code that anyone but the expert wrote.
    """
    if task.family == "lookup":
        return World(task, lookup.LookupState(lookup.make(task.seed, task.split)))
    if task.family == "repair":
        return World(task, repair.RepairState(repair.make(task.seed, task.split), run))
    return World(task, records.RecordsState(records.make(task.seed, task.split)))
