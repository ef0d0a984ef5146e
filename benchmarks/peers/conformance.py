"""Who reports what: our client and the peers in scenarios with known answers, against the same scripted server.

    python benchmarks/peers/conformance.py [--clients tithe,aiperf] [--scenarios role-first,cut-off] [--repeats 5]

Each scenario of `tithe serve --scripted` is asked for by each client's own command line, one request at a time,
as often as the scenario has requests, `--repeats` times over; what it reports is read from its own files. Left out are
the scenarios that ask for more than requests in turn (schedules, agents' steps, salted copies, streams at once: for
those see accuracy.py), and those of whether an answer is valid and of how long it queued, which no peer tells.
"""

from __future__ import annotations

import argparse
import tempfile
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from client import Client, ClientFailed, Job, run, version
from clients import chosen
from facts import Fact, Value, Verdict, facts, printed, told
from machine import machine
from msgspec import UNSET
from rich.console import Console
from rich.table import Table
from server import serving

from tithe.net.conformance import SCENARIOS, Lateness, Scenario

SERVER = ("-m", "tithe", "serve", "--scripted", "all", "--port", "0", "--json", "--until-eof")
LEFT_OUT = {8, 9, 10, 11, 14}
"""Pitfalls whose scenarios are left out, for the reasons above."""


@dataclass
class Score:
    """How many facts a client told right, wrong, and not at all."""

    verdicts: Counter[Verdict] = field(default_factory=Counter[Verdict])
    failures: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        told = [f"{self.verdicts[verdict]} {verdict}" for verdict in ("right", "wrong", "not reported")]
        busy = self.verdicts["busy"]
        return ", ".join(told) + (f", {busy} not told by a machine too busy (?)" if busy else "")


@dataclass
class Said:
    """What a client said of a scenario's facts, and how late the server was meanwhile."""

    values: dict[str, Value]
    server_late_s: float


def scenarios(names: str) -> list[Scenario]:
    """Those with these names, separated by commas; all that can be compared for an empty string."""
    wanted = [name for name in names.split(",") if name]
    comparable = {one.name: one for one in SCENARIOS if one.pitfall not in LEFT_OUT}
    strange = [name for name in wanted if name not in comparable]
    if strange:
        raise SystemExit(f"cannot compare {', '.join(strange)}: give some of {', '.join(comparable)}")
    return [comparable[name] for name in wanted] or list(comparable.values())


def compare(clients: list[Client], asked: list[Scenario], repeats: int, console: Console) -> None:
    """Run every client in every scenario, and print the table."""
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("pitfall", "scenario", "fact", "true", *(client.name for client in clients)):
        table.add_column(name, no_wrap=True)
    scores = {client.name: Score() for client in clients}
    with tempfile.TemporaryDirectory() as folder, serving(SERVER) as listening:
        for scenario in asked:
            said: dict[str, Said] = {}
            for client in clients:
                job = Job(
                    url=listening.url,
                    model=scenario.name,
                    requests=repeats * len(scenario.truth.attempts),
                    streams=1,
                    folder=Path(folder) / scenario.name / client.name,
                )
                _lateness(listening.url)
                try:
                    values = told(scenario, run(client, job), repeats)
                    said[client.name] = Said(values, _lateness(listening.url))
                except ClientFailed as failed:
                    scores[client.name].failures.append(f"{scenario.name}: {failed}")
                console.print(f"{scenario.name}: {client.name} done", style="dim")
            _add(table, scenario, clients, said, scores)
    _print(table, clients, scores, repeats)


def _lateness(url: str) -> float:
    """The most seconds by which the server was late since this was asked last."""
    with urllib.request.urlopen(f"{url}/lateness") as answer:
        return msgspec.json.decode(answer.read(), type=Lateness).late_s


def _add(
    table: Table,
    scenario: Scenario,
    clients: list[Client],
    said: dict[str, Said],
    scores: dict[str, Score],
) -> None:
    """The rows of one scenario."""
    known = facts(scenario)
    for place, fact in enumerate(known):
        start = [str(scenario.pitfall), scenario.name] if place == 0 else ["", ""]
        cells = [_cell(fact, client, said, scores) for client in clients]
        table.add_row(*start, fact.name, printed(fact.true), *cells, end_section=place + 1 == len(known))


def _cell(fact: Fact, client: Client, said: dict[str, Said], scores: dict[str, Score]) -> str:
    if client.name not in said:
        return "✗ no report"
    one = said[client.name]
    value = one.values.get(fact.name, UNSET)
    verdict = fact.verdict(value, one.server_late_s)
    scores[client.name].verdicts[verdict] += 1
    mark = {"wrong": "✗ ", "busy": "? "}.get(verdict, "")
    return mark + printed(value)


def _print(table: Table, clients: list[Client], scores: dict[str, Score], repeats: int) -> None:
    wide = Console(width=200, no_color=True, highlight=False)
    wide.print(f"who reports what, medians of {repeats} repeats; ✗ is wrong")
    wide.print(machine())
    wide.print(table)
    for client in clients:
        wide.print()
        wide.print(f"{client.name} {version(client)}: {scores[client.name]}.", soft_wrap=True)
        wide.print(f"  {client.terms}", soft_wrap=True)
        for failure in scores[client.name].failures:
            wide.print(f"  no report in {failure}", soft_wrap=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", default="", help="names, separated by commas; all by default")
    parser.add_argument("--scenarios", default="", help="names, separated by commas; all by default")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    compare(chosen(given.clients), scenarios(given.scenarios), given.repeats, Console(stderr=True))
