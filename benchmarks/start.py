"""How long `tithe serve` takes from its start to its first token, Python's imports told apart.

    python benchmarks/start.py [--model nano] [--samples 7]

Interleaved: a process that only imports what `tithe serve` imports, then a whole start.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time

from cached_ttft import request
from endpoint import endpoint, machine, spread

from tithe.core import Sent
from tithe.net.remote import RemoteBackend

IMPORTS = "import tithe.cli.main, tithe.cli.serve, tithe.engine, tithe.net"


async def first_token(url: str) -> float:
    """The monotonic instant at which the first token came."""
    backend = RemoteBackend(url)
    name = (await backend.models())[0]
    at = 0.0
    async for event in backend.generate(request(name, "Be brief.", "hello")):
        if not isinstance(event, Sent):
            at = event.at
            break
    await backend.aclose()
    return at


def measure(model: str, samples: int) -> None:
    """Take the samples and print them."""
    imports: list[float] = []
    starts: list[float] = []
    for _ in range(samples):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", IMPORTS], check=True)
        imports.append(time.perf_counter() - began)
        began = time.perf_counter()
        with endpoint(model) as url:
            starts.append(asyncio.run(first_token(url)) - began)
    after = [start - imported for start, imported in zip(starts, imports, strict=True)]
    print(f"start of tithe serve to the first token: {model}, {samples} pairs, interleaved")
    print(machine())
    print("p50 [p5 to p95], s")
    print(f"  Python and the imports alone     {spread(imports)}")
    print(f"  start to first token             {spread(starts)}")
    print(f"  so, after the imports            {spread(after)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--samples", type=int, default=7)
    options = parser.parse_args()
    measure(options.model, options.samples)
