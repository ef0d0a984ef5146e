"""Cached TTFT seen by an HTTP client against the bare kernel step for the same tokens, interleaved.

    python benchmarks/cached_ttft.py [--model nano] [--samples 60]

Each sample asks the endpoint for one token after a 2k prefix that is in its cache and about 50 new
tokens, then runs one bare kernel step here with just as many cached and new tokens. The server's
share is told by part, from the facts that it reports of itself; what they leave is HTTP and JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import numpy as np
from endpoint import endpoint, machine, spread
from tokenizers import Tokenizer

from tithe.core import Facts, Message, Reported, Request, Sampling, Sent
from tithe.engine import files
from tithe.engine.kernels import BLOCK_SIZE, Kernels
from tithe.engine.runner import gather
from tithe.engine.scheduler import Chunk
from tithe.engine.sequence import Sequence
from tithe.net.remote import RemoteBackend

WORDS = "the file reads as follows and the test fails when the parser meets an empty line in it ".split()
PREFIX = 2048
NEW = 50
"""Tokens of the prefix and of what is new, about: words are drawn until a tokenizer would make so many of them."""


class Text:
    """Common words, as many as make so many tokens of a model's tokenizer."""

    def __init__(self, model: str, rng: np.random.Generator) -> None:
        self._rng = rng
        tokenizer = Tokenizer.from_file(str(files.find(model).ir.parent / "tokenizer.json"))
        self.vocabulary = tokenizer.get_vocab_size()
        sample = " ".join(rng.choice(WORDS, 1000))
        self._a_word = len(tokenizer.encode(sample, add_special_tokens=False).ids) / 1000

    def of(self, tokens: int) -> str:
        return " ".join(self._rng.choice(WORDS, max(1, round(tokens / self._a_word))))


def request(model: str, system: str, tail: str) -> Request:
    """A call for one token."""
    messages = (Message(role="system", content=system), Message(role="user", content=tail))
    facts = {"tithe": {"facts": True}}
    return Request(
        model=model, messages=messages, max_tokens=1, sampling=Sampling(temperature=0), extra=facts
    )


async def sample(backend: RemoteBackend, asked: Request) -> tuple[float, Facts]:
    """TTFT in seconds, and the server's facts."""
    sent, first, facts = 0.0, None, None
    async for event in backend.generate(asked):
        if isinstance(event, Sent):
            sent = event.at
        elif isinstance(event, Reported):
            facts = event.facts
        elif first is None:
            first = event.at
    assert first is not None
    assert facts is not None
    return first - sent, facts


class Bare:
    """The kernels alone, with a prefix really computed: untouched cache memory would be read for free."""

    def __init__(self, model: str, n_prefix: int, vocabulary: int, rng: np.random.Generator) -> None:
        found = files.find(model)
        self._kernels = Kernels(
            found.ir, context=found.context, precision="auto", threads=0, kv_bytes=1 << 30
        )
        self._tokens = [int(token) for token in rng.integers(0, vocabulary, n_prefix)]
        self._sequence = Sequence(self._tokens, root=b"", arrived=0.0, priority=0, ageing=1.0)
        self._sequence.table = list(range(-(-n_prefix // BLOCK_SIZE)))
        while self._sequence.remaining:
            n = min(512, self._sequence.remaining)
            self._kernels.step(gather([Chunk(self._sequence, n, whole=True)]))
            self._sequence.computed += n

    def step(self, cached: int, new: int) -> float:
        """Seconds of one kernel step that computes `new` tokens after `cached` ones."""
        sequence = Sequence(self._tokens[: cached + new], root=b"", arrived=0.0, priority=0, ageing=1.0)
        sequence.computed = cached
        sequence.table = self._sequence.table[: -(-(cached + new) // BLOCK_SIZE)]
        inputs = gather([Chunk(sequence, new, whole=True)])
        start = time.perf_counter()
        self._kernels.step(inputs)
        return time.perf_counter() - start


async def measure(model: str, samples: int) -> None:
    """Take the samples and print them."""
    rng = np.random.default_rng(1)
    text = Text(model, rng)
    bare_kernels = Bare(model, PREFIX + 8 * NEW, text.vocabulary, rng)
    with endpoint(model, "--kv-bytes", str(1 << 30)) as url:
        backend = RemoteBackend(url)
        name = (await backend.models())[0]
        system = text.of(PREFIX)
        rows: list[tuple[float, float, Facts]] = []
        for i in range(samples + 3):
            ttft, facts = await sample(backend, request(name, system, text.of(NEW)))
            bare = bare_kernels.step(facts.cached_tokens, facts.uncached_tokens)
            if i >= 3:
                rows.append((ttft, bare, facts))
        await backend.aclose()
    ttft = np.array([row[0] for row in rows])
    bare = np.array([row[1] for row in rows])
    facts = [row[2] for row in rows]
    prepare = np.array([f.prepare_s for f in facts])
    queue = np.array([f.queue_s for f in facts])
    prefill = np.array([f.prefill_s for f in facts])
    print(f"cached TTFT over HTTP against the bare kernel step: {model}, {samples} pairs, interleaved")
    print(machine())
    print(f"tokens: {facts[-1].cached_tokens} cached, {facts[-1].uncached_tokens} new (the last pair)")
    print("p50 [p5 to p95], ms")
    print(f"  cached TTFT, HTTP client         {spread(ttft, 1e3)}")
    print(f"  bare kernel step                 {spread(bare, 1e3)}")
    print(f"  difference, pair by pair         {spread(ttft - bare, 1e3)}")
    print(f"  ratio, pair by pair              {spread(ttft / bare)}")
    print("of the TTFT, by the server's own account")
    print(f"  template, tokenizer, grammar     {spread(prepare, 1e3)}")
    print(f"  queue                            {spread(queue, 1e3)}")
    print(f"  step, schedule and sampling      {spread(prefill, 1e3)}")
    print(f"  HTTP, JSON and hand-over (rest)  {spread(ttft - prepare - queue - prefill, 1e3)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--samples", type=int, default=60)
    options = parser.parse_args()
    asyncio.run(measure(options.model, options.samples))
