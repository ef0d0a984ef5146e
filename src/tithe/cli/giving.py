"""Giving what was found: written where it is to go, then printed."""

import sys

import msgspec

from tithe.audit import AuditReport, Comparison
from tithe.cli.outputs import Outputs
from tithe.cli.paper import show
from tithe.report import print_audit, print_comparison


def give(found: AuditReport | Comparison, outputs: Outputs, *, json: bool) -> None:
    """Write what was found where it is to go, and print it even where that failed."""
    written = msgspec.json.encode(found)
    unwritten = outputs.write(found, written)
    if json:
        sys.stdout.write(written.decode() + "\n")
    elif isinstance(found, AuditReport):
        show(lambda console: print_audit(found, console))
    else:
        show(lambda console: print_comparison(found, console))
    if unwritten is not None:
        raise unwritten
