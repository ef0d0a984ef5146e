"""A real interpreter for code that an agent has changed: another process, isolated and limited."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

RunCode = Callable[[Path, dict[str, Any]], dict[str, Any]]
"""What does an order (see harness.py) with the module in a folder: `run_code`, or one that need not be isolated."""

MEMORY_BYTES = 256 << 20
WALL_SECONDS = 10.0
"""For a machine that is busy; the interpreter itself is stopped after one second of computing."""

_HARNESS = Path(__file__).with_name("harness.py")
_OUTCOME_CHARACTERS = 20_000
_ENDLESS = "stopped: the code did not end, look for an endless loop"
# SIGXCPU, or SIGKILL where that came too late. By number: Windows has neither name.
_OUT_OF_TIME = (24, 9)


def run_code(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Do what `order` says (see harness.py) with the module in `folder`.

    Never raises for what the code does: the outcome then has "error", in words for the agent.
    """
    command = [sys.executable, "-I", "-S", "-B", str(_HARNESS), str(folder), str(MEMORY_BYTES)]
    try:
        done = subprocess.run(  # noqa: S603 # our own interpreter and script
            command,
            input=json.dumps(order),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=WALL_SECONDS,
            cwd=folder,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": _ENDLESS}
    if -done.returncode in _OUT_OF_TIME:
        return {"error": _ENDLESS}
    if len(done.stdout) > _OUTCOME_CHARACTERS:
        return {"error": "stopped: the results are far too long"}
    try:
        outcome: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"error": "the interpreter ended without a result"}
    return outcome
