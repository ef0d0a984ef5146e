"""`tithe agent world`: a model does a task of the task world within a budget, and the world judges what came of it."""

import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console

from tithe.agent import Outcome
from tithe.agent.task_world import Playground
from tithe.audit import Endpoint
from tithe.cli.agent_flags import NO_ANSWER, SWITCH, TIMEOUT_S, Asking, recorded, say, say_where
from tithe.cli.agent_report import RunReport
from tithe.cli.embedded import EMBEDDED
from tithe.cli.loop import run_command
from tithe.cli.paper import show
from tithe.cli.store import Db
from tithe.cli.target import Wanted, open_target
from tithe.cli.units import Whole
from tithe.report.agent import print_event, print_outcome
from tithe.world import Family, make_task


class WorldReport(RunReport, frozen=True, kw_only=True):
    """What `--json` prints.

    family, seed: which task. ways: how many were gone from the goal to an answer. vouched: the tests passed, or two ways agreed.
    solved: the world, which knows what is right, says that the answer is.
    """

    family: Family
    seed: int
    ways: int
    vouched: bool
    solved: bool


def world(
    family: Family = "lookup",
    *,
    seed: Whole = 1,
    asking: Annotated[Asking, Parameter(name="*")] = Asking(),  # noqa: B008 - frozen
    db: Db = None,
    json: Annotated[bool, SWITCH] = False,
) -> None:
    """Let a model do a task of the task world, and judge what comes of it.

    The tasks are made up, endlessly and by a seed: lookup finds something in files, repair mends a program until its tests
    pass, records answers a question about a database. The bundled model can do most of them, so nothing else is needed to see
    what a budget buys. The exit status is 0 where the task was solved.

    Parameters
    ----------
    family
        What kind of task.
    seed
        Which one of them.
    db
        The record's file, into which the run is recorded. Also from TITHE_DB.
    json
        Print one JSON object in place of text.
    """
    budget_s, wanted = asking.budget_s(), asking.endpoint(EMBEDDED)
    notes = Console(stderr=True)
    task = make_task(family, seed, "held_out")
    playground = Playground(task, lambda event: print_event(event, notes))
    with recorded(db):
        outcome, endpoint = run_command(_run(playground, wanted, budget_s, notes, plain=asking.plain))
    solved = playground.judge(outcome)
    if json:
        report = WorldReport.of(
            task.goal,
            endpoint,
            outcome,
            family=family,
            seed=seed,
            ways=outcome.ways,
            vouched=outcome.vouched,
            solved=solved,
        )
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        verdict = "right" if solved else "wrong" if outcome.answer is not None else "not solved"
        show(lambda console: print_outcome(outcome, console, [f"The world's own verdict: {verdict}."]))
    say_where(db, notes)
    if solved:
        return
    if outcome.error is not None:
        raise outcome.error
    sys.exit(NO_ANSWER)


async def _run(
    playground: Playground, wanted: Wanted, budget_s: float, notes: Console, *, plain: bool
) -> tuple[Outcome, Endpoint]:
    async with open_target(wanted, timeout_s=min(TIMEOUT_S, budget_s)) as target:
        say(notes, f"Asking {target.endpoint.model} at {target.endpoint.url}. The goal:")
        say(notes, playground.task.goal)
        agent = playground.agent(target.backend, target.endpoint.model, plain=plain)
        return await agent.run(playground.task.goal, budget_s), target.endpoint
