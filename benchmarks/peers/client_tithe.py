"""Our own client, in a process of its own as the peers are: what `tithe audit` measures with.

Run as a script it is that process; the event loop, the collector and the connections are as in an audit, but no thread watches the loop.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from pathlib import Path

import msgspec
from call import Call, Report
from client import Job

from tithe.audit import Observation, observe
from tithe.cli.loop import run_command
from tithe.cli.self_test import summary_of
from tithe.core import Message, Request, SystemClock
from tithe.net.remote import RemoteBackend

REPORT = "report.json"


class Tithe:
    name = "tithe"
    package = "tithe"
    terms = (
        "TTFT: the request's bytes written to the first generated token (text, reasoning or tool call), stamped where "
        "the socket is read. Total: to the last generated token. Tokens: as the endpoint counts them."
    )

    def command(self, job: Job) -> list[str]:
        amounts = ["--requests", str(job.requests), "--streams", str(job.streams)]
        return [sys.executable, __file__, job.url, job.model, *amounts, "--out", str(job.folder / REPORT)]

    def read(self, job: Job) -> Report:
        return msgspec.json.decode((job.folder / REPORT).read_bytes(), type=Report)


async def ask(url: str, model: str, requests: int, streams: int) -> Report:
    """Make the requests, `streams` of them at any time."""
    backend = RemoteBackend(url)
    clock = SystemClock()
    request = Request(model=model, messages=(Message(role="user", content="Go on."),))
    left = iter(range(requests))
    seen: list[Observation] = []

    async def stream() -> None:
        for _ in left:
            one = await observe(backend, request, clock, model)
            seen.append(one)

    gc.collect()
    gc.freeze()  # as in an audit: what is imported by now is no part of the collector's pauses
    await asyncio.gather(*(stream() for _ in range(streams)))
    await backend.aclose()
    return Report.of([_call(one) for one in seen], summary_of(seen))


def _call(seen: Observation) -> Call:
    gaps = seen.gaps
    return Call(
        began_at=seen.begun,
        outcome="failed" if seen.failure is not None else "answered" if seen.answered else "empty",
        ttft_s=seen.ttft,
        visible_ttft_s=seen.visible_ttft,
        total_s=seen.total,
        gaps_s=gaps,
        mean_gap_s=sum(gaps) / len(gaps) if gaps else None,
        prompt_tokens=seen.prompt_tokens,
        output_tokens=seen.output_tokens,
        reasoning_tokens=seen.usage.reasoning_tokens if seen.usage is not None else None,
        cached_tokens=seen.cached_tokens,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    report = run_command(ask(given.url, given.model, given.requests, given.streams))
    given.out.write_bytes(msgspec.json.encode(report))
