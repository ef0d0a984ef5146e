"""Runs a repair's code in this very process: fifty times quicker than a process for each, and for the
expert's transcripts alone, whose code is all our own."""

import importlib
import linecache
import sys
from pathlib import Path
from typing import Any

from tithe.world import harness

sys.dont_write_bytecode = True


def run_here(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Do what `order` says as `tithe.world.interpreter.run_code` does, without its isolation."""
    place = str(folder)
    names = [order["module"], *([order["test"]] if "test" in order else [])]
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, place)
    try:
        return harness.run(order, place)
    except Exception as error:  # noqa: BLE001 # an import of the module may raise anything
        return {"error": harness.told(error, place)}
    finally:
        sys.path.remove(place)
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
        sys.path_importer_cache.pop(place, None)
        importlib.invalidate_caches()
        linecache.clearcache()
