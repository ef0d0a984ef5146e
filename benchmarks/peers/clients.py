"""The clients that are compared, ours first."""

from __future__ import annotations

from client import PEERS_BIN, Client
from client_aiperf import AIPerf
from client_guidellm import GuideLLM
from client_swarm import SwarmBench
from client_tithe import Tithe

CLIENTS: tuple[Client, ...] = (Tithe(), AIPerf(), GuideLLM(), SwarmBench())


def chosen(names: str) -> list[Client]:
    """The clients with these names, separated by commas; all of them for an empty string. Ends the program otherwise."""
    wanted = [name for name in names.split(",") if name]
    known = {client.name: client for client in CLIENTS}
    strange = [name for name in wanted if name not in known]
    if strange:
        raise SystemExit(f"there is no client {', '.join(strange)}: give some of {', '.join(known)}")
    if not (PEERS_BIN / "python").exists():
        raise SystemExit("the peers are not installed: run `make peers`")
    return [known[name] for name in wanted] or list(CLIENTS)
