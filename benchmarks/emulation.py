"""How exact `tithe serve --emulate` is, over HTTP: TTFT and decode time, by our own client, against what was asked for.

    python benchmarks/emulation.py [--model nano] [--calls 24] [--profile ttft=600ms,tps=60 ...]

Every stream is a caller of its own that asks again as soon as it has its answer, with a prompt that no cache knows. The
errors are those of single calls: of the TTFT (request written to first token read) and of the decode time (first token to
last, as the usage's tokens have it). A call that the endpoint was too slow for is late, and is in the figures: `late` is the
share of calls whose own last token, by the server's span, came after the pace's.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from endpoint import endpoint, machine

from tithe.cli.emulation import read_pace
from tithe.core import Message, Pace, Reported, Request, Sampling, Sent
from tithe.core import attributes as at
from tithe.core.words import words
from tithe.net.remote import RemoteBackend
from tithe.trace import read_jsonl

PROFILES = ("ttft=600ms,tps=60", "ttft=200ms,tps=200")
STREAMS = (1, 8)
OUTPUT = 80
PROMPT_WORDS = 60


class Call(NamedTuple):
    """One call as its client saw it, in seconds."""

    ttft: float
    decode: float
    tokens: int


async def ask(backend: RemoteBackend, model: str, key: str) -> Call:
    """One call with a prompt of its own."""
    text = f"{words(PROMPT_WORDS, 'emulation', key)}. Now write a very long story."
    request = Request(
        model=model,
        messages=(Message(role="user", content=text),),
        max_tokens=OUTPUT,
        sampling=Sampling(temperature=0),
    )
    sent, came, tokens = 0.0, list[float](), 0
    async for event in backend.generate(request):
        if isinstance(event, Sent):
            sent = event.at
        elif isinstance(event, Reported):
            tokens = event.usage.completion_tokens if event.usage is not None else 0
        elif event.at > sent and type(event).__name__.endswith("Delta"):
            came.append(event.at)
    return Call(came[0] - sent, came[-1] - came[0], tokens)


async def stream(backend: RemoteBackend, model: str, name: str, calls: int) -> list[Call]:
    """Some calls, one after the other."""
    return [await ask(backend, model, f"{name}/{number}") for number in range(calls)]


async def measure(url: str, streams: int, calls: int) -> list[Call]:
    """So many calls on so many streams; the first of each stream opens its connection and is left out."""
    backend = RemoteBackend(url)
    try:
        model = (await backend.models())[0]
        each = await asyncio.gather(
            *(
                stream(backend, model, f"{streams}.{number}", calls // streams + 1)
                for number in range(streams)
            )
        )
    finally:
        await backend.aclose()
    return [call for one in each for call in one[1:]]


def late(trace: Path, pace: Pace, last: int) -> float:
    """The share of the last calls in a server's spans whose own last token came after the pace's."""
    spans = [span for recording in read_jsonl(trace) for span in recording.spans][-last:]
    told = [span.attributes for span in spans if at.OWN_LAST_TOKEN in span.attributes]
    ended = [one[at.EMULATED_TTFT] + (one[at.OUTPUT_TOKENS] - 1) / pace.tokens_per_s for one in told]
    return sum(one[at.OWN_LAST_TOKEN] > end for one, end in zip(told, ended, strict=True)) / len(told)


def row(pace: Pace, calls: list[Call]) -> str:
    """Errors of the TTFT and of the decode time: median, and the 95th percentile of their size."""
    ttft = np.array([call.ttft - pace.ttft_s for call in calls])
    asked = np.array([(call.tokens - 1) / pace.tokens_per_s for call in calls])
    decode = np.array([call.decode for call in calls]) - asked
    cells: list[str] = []
    for errors, whole in ((ttft, np.full(len(calls), pace.ttft_s)), (decode, asked)):
        size = np.abs(errors)
        cells.append(f"{np.median(errors) * 1e3:+.2f} ms ({np.median(errors / whole):+.2%})")
        cells.append(f"{np.percentile(size, 95) * 1e3:.2f} ms ({np.percentile(size / whole, 95):.2%})")
    exact = np.mean(
        (np.abs(ttft) <= np.maximum(0.002, 0.02 * pace.ttft_s))
        & (np.abs(decode) <= np.maximum(0.002, 0.02 * asked))
    )
    return " | ".join([*cells, f"{exact:.0%}"])


def main(model: str, profiles: list[str], calls: int) -> None:
    """Measure and print."""
    print(f"emulation over HTTP: {model}, {OUTPUT} tokens a call; {machine()}\n")
    print(
        "| profile | streams | calls | TTFT error p50 | TTFT error p95 | decode error p50 | decode error p95 | within 2 ms or 2 % | late |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, profile in enumerate(profiles):
            pace, trace = read_pace(profile), Path(folder) / f"{number}.jsonl"
            with endpoint(model, "--emulate", profile, "--trace", str(trace)) as url:
                for streams in STREAMS:
                    found = asyncio.run(measure(url, streams, calls))
                    share = late(trace, pace, len(found))
                    print(
                        f"| {profile} | {streams} | {len(found)} | {row(pace, found)} | {share:.0%} |",
                        flush=True,
                    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--calls", type=int, default=24)
    parser.add_argument("--profile", action="append", default=[], help="as --emulate has it; two by default")
    options = parser.parse_args()
    main(options.model, options.profile or list(PROFILES), options.calls)
