"""The tables of accuracy.py: one for each number of streams, and what the server says of itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from client import Client, version
from errors import Floats, Run, Served, quantile, spread
from rich.console import Console
from rich.table import Table

OURS = "tithe"


def print_table(clients: Sequence[Client], streams: int, runs: Sequence[Run]) -> None:
    """All clients at one number of streams. Milliseconds: the quantile [least and greatest of the rounds]."""
    console = Console(width=200, no_color=True, highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("client", no_wrap=True)
    columns = ("requests", "at once", "TTFT error p50", "p99", "gap error p50", "p99", "mean gap error p99")
    for name in (*columns, "TTFT p99 told, true"):
        table.add_column(name, justify="right", no_wrap=True)
    for client in clients:
        own = [run for run in runs if run.client == client.name]
        if own:
            table.add_row(f"{client.name} {version(client)}", *_cells(own))
    console.print()
    console.print(f"{streams} streams; errors in ms, [least, greatest] of the rounds")
    console.print(table)
    _print_ratio(console, runs)
    for name in _names(runs):
        own = [run for run in runs if run.client == name]
        opened, unmatched = sum(run.opened for run in own), sum(run.unmatched for run in own)
        kept = "left out" if own[0].left_out else "all it made, and taken"
        console.print(
            f"{name}: {opened} requests opened a connection ({kept}), {unmatched} were not reported"
        )


def print_server(log: Sequence[Served]) -> None:
    """How well the server kept to its script, and how certain its stamps are."""
    late = [(b - d) / 1e6 for one in log for b, d in zip(one.before, one.due, strict=False)]
    unread = [(one.read - one.arrived) / 1e6 for one in log]
    writing = [(a - b) / 1e6 for one in log for a, b in zip(one.after, one.before, strict=False)]
    print()
    print("the server itself, p50 and p99 in ms; none of it is held against a client but the last")
    for name, values in (
        ("token sent after it was due", late),
        ("request read after it arrived", unread),
        ("a token's write, by which the truth is uncertain", writing),
    ):
        print(f"  {name:50}{np.quantile(values, 0.5):8.3f} {np.quantile(values, 0.99):8.3f}")


def _cells(runs: Sequence[Run]) -> list[str]:
    """One client's row."""
    ttft = [run.ttft_errors for run in runs]
    gaps = [np.array(run.gap_errors) for run in runs if run.gap_errors is not None]
    means = [np.array(run.mean_gap_errors) for run in runs if run.mean_gap_errors is not None]
    told = np.concatenate([np.array(run.ttft) for run in runs])
    true = np.concatenate([np.array(run.true_ttft) for run in runs])
    p99 = f"{np.quantile(told, 0.99) * 1e3:.1f}, {np.quantile(true, 0.99) * 1e3:.1f}" if told.size else "none"
    return [
        str(sum(one.size for one in ttft)),
        str(max(run.beside for run in runs)),
        _figure(ttft, 0.5),
        _figure(ttft, 0.99),
        _figure(gaps, 0.5),
        _figure(gaps, 0.99),
        _figure(means, 0.99),
        p99,
    ]


def _figure(errors: Sequence[Floats], q: float) -> str:
    value, rounds = quantile(errors, q), spread(errors, q)
    if value is None or rounds is None:
        return "not reported"
    return f"{value * 1e3:.2f} [{rounds[0] * 1e3:.2f} {rounds[1] * 1e3:.2f}]"


def _print_ratio(console: Console, runs: Sequence[Run]) -> None:
    """The best peer's error over ours, at p50 and p99."""
    ours = [run.ttft_errors for run in runs if run.client == OURS]
    peers = [name for name in _names(runs) if name != OURS]
    if not ours or not peers:
        return
    told: list[str] = []
    for q in (0.5, 0.99):
        own = quantile(ours, q)
        found = {name: quantile([r.ttft_errors for r in runs if r.client == name], q) for name in peers}
        known = {name: value for name, value in found.items() if value is not None}
        if own and known:
            best = min(known, key=lambda name: known[name])
            told.append(f"p{q * 100:.0f} {known[best] / own:.1f} ({best})")
    if told:
        console.print(f"TTFT error of the best peer over ours: {', '.join(told)}")


def _names(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.client for run in runs))
