"""Eight agents that share a 2k system prompt: how many prompt tokens are computed, against the ideal.

    python benchmarks/shared_prefix.py [--model nano] [--agents 8]

The ideal computes the shared tokens once and each agent's own tokens once. What is shared is found by
counting: a call's tokens are those of a call with an empty user message and its own.
"""

from __future__ import annotations

import argparse
import asyncio

import aiohttp
import numpy as np
from cached_ttft import PREFIX, Text, request
from endpoint import endpoint, machine

from tithe.core import Reported, Request, Usage
from tithe.net.remote import RemoteBackend


async def usage(backend: RemoteBackend, asked: Request) -> Usage:
    """What a call reports of its tokens."""
    async for event in backend.generate(asked):
        if isinstance(event, Reported) and event.usage is not None:
            return event.usage
    raise SystemExit("the endpoint reported no usage")


async def computed(url: str) -> float:
    """Tokens the engine has computed so far, from its metrics."""
    async with aiohttp.ClientSession() as session, session.get(url.removesuffix("/v1") + "/metrics") as got:
        text = await got.text()
    found = [line.split()[1] for line in text.splitlines() if line.startswith("tithe_computed_tokens_total ")]
    return float(found[0])


async def measure(model: str, agents: int) -> None:
    """Send the agents' first calls at once, and count."""
    rng = np.random.default_rng(2)
    with endpoint(model, "--kv-bytes", str(2 << 30)) as url:
        backend = RemoteBackend(url)
        name = (await backend.models())[0]
        text = Text(model, rng)
        system = text.of(PREFIX)
        tails = [f"{i} {text.of(40)}" for i in range(agents)]
        before = await computed(url)
        reports = await asyncio.gather(*(usage(backend, request(name, system, tail)) for tail in tails))
        n = await computed(url) - before
        empty = await usage(backend, request(name, system, ""))
        await backend.aclose()
    # The end of the turn comes after the user's text and is each agent's own.
    own = [report.prompt_tokens - empty.prompt_tokens for report in reports]
    ending = empty.prompt_tokens - (empty.cached_tokens or 0)
    ideal = empty.prompt_tokens - ending + sum(own) + agents * ending
    whole = sum(report.prompt_tokens for report in reports)
    print(f"{agents} agents sharing a system prompt, all at once: {model}")
    print(machine())
    print(f"  prompt tokens sent      {whole}")
    print(f"  computed                {n:.0f}")
    print(f"  ideal                   {ideal}")
    print(f"  computed / ideal        {n / ideal:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--agents", type=int, default=8)
    options = parser.parse_args()
    asyncio.run(measure(options.model, options.agents))
