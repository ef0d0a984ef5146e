"""An endpoint of its own for a benchmark: `tithe serve` in a process beside, on a free port."""

from __future__ import annotations

import contextlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@contextlib.contextmanager
def endpoint(model: str, *flags: str) -> Iterator[str]:
    """Serve `model`; gives the base URL, and stops the server at the end."""
    command = [sys.executable, "-m", "tithe", "serve", model, "--port", "0", "--json", *flags]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        ready = server.stdout.readline()
        if not ready:
            raise SystemExit(f"{' '.join(command)} ended before it was ready, see above")
        yield json.loads(ready)["url"]
    finally:
        server.terminate()
        server.wait()


def machine() -> str:
    """The date and the machine, for `RESULTS.md`."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        cpu = f"{len(names)} cores of {names[0]}" if names else cpu
    return f"{datetime.now(UTC).date().isoformat()}, {cpu}, Python {platform.python_version()}"


def spread(values: NDArray[np.float64] | list[float], scale: float = 1.0) -> str:
    """Median [5th to 95th percentile] of some figures."""
    low, middle, high = np.percentile(np.asarray(values) * scale, [5, 50, 95])
    return f"{middle:.2f} [{low:.2f} to {high:.2f}]"
