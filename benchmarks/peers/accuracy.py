"""How far our client and the peers are off: TTFT and gaps at 1, 16, 64 and 256 streams, in one run.

    python benchmarks/peers/accuracy.py [--rounds 5] [--streams 1,16,64,256] [--clients tithe,aiperf] [--lockstep]

Each client makes its requests by its own command line, one client at a time, against one server in a process of its
own that stamps what it does (exact_server.py). Every round has all clients at all numbers of streams, in an order drawn anew.
A client's figures are compared with the stamps of the same request, not with the script, so that a late
server is not held against it; errors.py says how.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import urllib.request
from pathlib import Path

import msgspec
from accuracy_table import print_server, print_table
from client import Client, ClientFailed, Job, run
from clients import chosen
from errors import Run, Served, matched
from machine import machine
from server import serving

SERVER = str(Path(__file__).with_name("exact_server.py"))
WAVES, FEWEST = 4, 24
"""Requests for each stream, and for all streams together, at the least."""

MODEL = "exact"


def log_since(url: str, serial: int) -> list[Served]:
    """The server's requests from a number on."""
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/log?since={serial}") as answer:
        return msgspec.json.decode(answer.read(), type=list[Served])


def requests(streams: int) -> int:
    """How many requests a client makes: the same number for each stream."""
    return streams * max(WAVES, -(-FEWEST // streams))


def measure(clients: list[Client], streams: list[int], rounds: int, given: list[str]) -> None:
    """Run all rounds, and print."""
    draw = random.Random(1)
    runs: list[Run] = []
    failures: list[str] = []
    log: list[Served] = []
    with tempfile.TemporaryDirectory() as folder, serving([SERVER, *given]) as listening:
        for number in range(rounds):
            turns = [(client, count) for client in clients for count in streams]
            draw.shuffle(turns)
            for client, count in turns:
                place = Path(folder) / f"{number}-{client.name}-{count}"
                job = Job(listening.url, MODEL, requests(count), count, place)
                try:
                    report = run(client, job)
                except ClientFailed as failed:
                    failures.append(f"round {number + 1}, {count} streams: {failed}")
                    log += log_since(listening.url, len(log) + 1)
                    continue
                served = log_since(listening.url, len(log) + 1)
                log += served
                runs.append(matched(client.name, count, report, served))
                sys.stderr.write(f"round {number + 1} of {rounds}: {client.name} at {count}\n")
    print(
        f"error of TTFT and gaps against the server's stamps, {rounds} rounds: {' '.join(given) or 'jittered'}"
    )
    print(machine())
    for count in streams:
        print_table(clients, count, [one for one in runs if one.streams == count])
    print_server(log)
    for failure in failures:
        print(f"no report: {failure}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", default="1,16,64,256")
    parser.add_argument("--clients", default="", help="names, separated by commas; all by default")
    parser.add_argument("--lockstep", action="store_true", help="all streams' tokens at the same instants")
    options = parser.parse_args()
    measure(
        chosen(options.clients),
        [int(count) for count in options.streams.split(",")],
        options.rounds,
        ["--lockstep"] if options.lockstep else [],
    )
