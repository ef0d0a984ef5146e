"""The ablations of `agent_crafts.py`: each craft's two sides, and where they are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from agent_runs import JITTER, SPEEDS, Change, unchanged
from agent_switches import Clocked, Loose, Reserialized, WithoutN, always, never_now, without_check

from tithe.agent import PLAIN, Crafts, Policy, budgeted, minimal
from tithe.core import Backend, Mishap, Pace
from tithe.world import FAMILIES, Family

BUDGET_S = 30.0
CANDIDATES = 3
# A temperature at which the bundled model errs by chance.
HOT = 1.5
# Runs at once: as many as an endpoint on two cores serves in time.
AT_ONCE = {"1x": 12, "3x": 4, "10x": 2}


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A craft there, or not there. `wrap` stands between the loop and the endpoint, `change` makes of environments those that the agent
    has, `more` is for `Agent`; the last two are switches of `agent_switches.py`.
    """

    crafts: Crafts = PLAIN
    policy: Policy = minimal
    wrap: Callable[[Backend], Backend] = lambda backend: backend
    change: Change = unchanged
    more: Mapping[str, Any] = {}
    wait_for_all: bool = False
    unchecked: bool = False


class Craft(msgspec.Struct, frozen=True, kw_only=True):
    """An ablation.

    pace: None: the endpoint is as fast as it is. budget: seconds. calls: how many a scripted model asks for in a step; None: the task world.
    known: the pace is, from the start. goes_on: one agent a side does all tasks, and each task's calls count for its share of hedges.
    temperature: the model's. seeded: both sides draw from one seed a task, so that they are told the same, as far as they ask the same;
    candidates are drawn even where the temperature is 0. families: whose tasks; often: so many
    times as many of them as of others. workers: runs at once.
    """

    name: str
    there: Side
    away: Side
    pace: Pace | None
    where: str
    budget: float = BUDGET_S
    calls: int | None = None
    rates: Mapping[Mishap, float] = {}
    known: bool = False
    goes_on: bool = False
    temperature: float = 0.0
    seeded: bool = True
    families: tuple[Family, ...] = FAMILIES
    often: int = 1
    workers: int = AT_ONCE["10x"]


def plain(**crafts: Any) -> Crafts:
    return msgspec.structs.replace(PLAIN, **crafts)


def crafts() -> list[Craft]:
    """All of them."""
    return [*of_tools(), *of_calls(), *of_candidates(), *of_checks(), *of_doubt(), *of_prefixes()]


def of_tools() -> list[Craft]:
    """What is run when."""
    found: list[Craft] = []
    for name in ("1x", "10x"):
        pace = SPEEDS[name]
        found.append(
            Craft(
                name=f"parallel tools, {name}",
                there=Side(crafts=plain(parallel=True)),
                away=Side(),
                pace=pace,
                where="scripted, 3 calls a step",
                calls=3,
            )
        )
        found += [
            Craft(
                name=f"early start, {calls} call{'s' * (calls > 1)} a step, {name}",
                there=Side(crafts=plain(parallel=True, early=True)),
                away=Side(crafts=plain(parallel=True)),
                pace=pace,
                where=f"scripted, {calls} call{'s' * (calls > 1)} a step, parallel",
                calls=calls,
            )
            for calls in (1, 3)
        ]
    return found


def of_calls() -> list[Craft]:
    """What becomes of a call that is late, or fails, or was not held to a schema."""
    return [
        *(
            Craft(
                name=f"hedging of {100 * share:g} %, {what}",
                there=Side(crafts=plain(hedge=share)),
                away=Side(),
                pace=msgspec.structs.replace(SPEEDS["3x"], jitter=jitter),
                where=f"task world, 3x, one agent for all tasks; {where}",
                rates=rates,
                known=True,
                goes_on=True,
                workers=AT_ONCE["3x"],
            )
            for what, where, jitter, rates in (
                ("some late", "5 % of first tokens 2 s late", JITTER, {"late": 0.05}),
                ("TTFT scatters", "relative spread of the TTFT 1", 1.0, {}),
            )
            for share in (0.1, 0.5)
        ),
        Craft(
            name="retries",
            there=Side(crafts=plain(retries=4)),
            away=Side(crafts=plain(retries=0)),
            pace=SPEEDS["10x"],
            where="task world, 10x; 5 % unreachable, 5 % broken",
            rates={"unreachable": 0.05, "broken": 0.05},
        ),
        *(
            Craft(
                name=f"constrained decoding, temperature {heat:g}",
                there=Side(),
                away=Side(wrap=Loose),
                pace=SPEEDS["10x"],
                where=f"task world, 10x, temperature {heat:g}",
                temperature=heat,
            )
            for heat in (HOT, 2.0)
        ),
    ]


def of_candidates() -> list[Craft]:
    """Several answers, and which is taken."""
    both = plain(candidates=CANDIDATES)
    there = Side(crafts=both, policy=always)
    beside = Side(crafts=both, policy=always, wrap=WithoutN)
    several = Side(crafts=plain(ways=5, retries=4), policy=budgeted)
    found = [
        Craft(
            name="n, not calls beside each other",
            there=there,
            away=beside,
            pace=SPEEDS["10x"],
            where="task world, 10x; 3 candidates at every step",
        ),
        Craft(
            name="early majority and no stragglers, n",
            there=there,
            away=msgspec.structs.replace(there, wait_for_all=True),
            pace=SPEEDS["10x"],
            where="task world, 10x, temperature 1; 3 candidates at every step, choices of one call",
            temperature=1.0,
            known=True,
        ),
        Craft(
            name="early majority, calls",
            there=beside,
            away=msgspec.structs.replace(beside, wait_for_all=True),
            pace=msgspec.structs.replace(SPEEDS["10x"], jitter=1.0),
            where="task world, 60 ms, relative spread 1, 600 tokens/s; 3 candidates beside each other",
        ),
    ]
    for heat in (1.0, HOT):
        found += [
            Craft(
                name=f"candidates, temperature {heat:g}",
                there=there,
                away=Side(),
                pace=SPEEDS["10x"],
                where="task world, 10x; 3 candidates at every step",
                temperature=heat,
                seeded=False,
            ),
            Craft(
                name=f"further ways, temperature {heat:g}",
                there=several,
                away=Side(crafts=plain(retries=4), policy=budgeted),
                pace=SPEEDS["10x"],
                where="task world, 10x; up to 5 ways, until 2 agree",
                temperature=heat,
                seeded=False,
            ),
        ]
    found.append(
        Craft(
            name="judge, not vote",
            there=msgspec.structs.replace(there, more={"choose": "judge"}),
            away=there,
            pace=SPEEDS["10x"],
            where=f"task world, 10x, temperature {HOT:g}; 3 candidates at every step; a judge without opinions",
            temperature=HOT,
        )
    )
    return found


def of_checks() -> list[Craft]:
    """What a user's check is good for. Repairs alone have one: their tests."""
    there = Side(crafts=plain(candidates=CANDIDATES), policy=always)
    return [
        Craft(
            name="the answer's check",
            there=Side(),
            away=Side(change=without_check),
            pace=SPEEDS["10x"],
            where=f"repairs, 10x, temperature {HOT:g}; the tests are run on an answer",
            temperature=HOT,
            families=("repair",),
        ),
        Craft(
            name="the check among candidates",
            there=there,
            away=msgspec.structs.replace(there, unchecked=True),
            pace=SPEEDS["10x"],
            where=f"repairs, 10x, temperature {HOT:g}; 3 candidates at every step; without: the vote chooses, what it takes is checked",
            temperature=HOT,
            families=("repair",),
        ),
    ]


def of_doubt() -> list[Craft]:
    """What the model thinks of its own work, and what it says when time is short."""
    budgeted_plain = Side(crafts=plain(), policy=budgeted)
    return [
        Craft(
            name="review",
            there=Side(crafts=plain(review=True), policy=budgeted),
            away=budgeted_plain,
            pace=SPEEDS["10x"],
            where="task world, 10x; a reviewer without opinions; repairs are vouched for, and not reviewed",
        ),
        Craft(
            name="verification",
            there=Side(crafts=plain(verify=True), policy=budgeted),
            away=budgeted_plain,
            pace=SPEEDS["10x"],
            where="task world, 10x; a verifier without opinions",
            known=True,
        ),
        *(
            Craft(
                name=f"answer now, {budget:g} s",
                there=budgeted_plain,
                away=Side(crafts=plain(), policy=never_now),
                pace=SPEEDS["1x"],
                where="task world, 1x",
                budget=budget,
                often=2,
                workers=AT_ONCE["1x"],
            )
            for budget in (5.0, 6.0)
        ),
    ]


def of_prefixes() -> list[Craft]:
    """What the endpoint's cache finds again."""
    return [
        Craft(
            name=name,
            there=Side(),
            away=Side(wrap=wrap),
            pace=None,
            where="task world, no pace",
            workers=1,
        )
        for name, wrap in (
            ("history as written, not anew", Reserialized),
            ("no clock in the system prompt", Clocked),
        )
    ]
