"""A server that is not ours, for `tithe audit` to measure: llama.cpp's, from the wheel `xllamacpp`, with the bundled model.

    .venv-peers/bin/python benchmarks/peers/second_server.py [--port 8484]
    tithe audit http://127.0.0.1:8484/v1 --quick

It has a cache of prefixes, slots that share a batch, constrained output and a parser of tool calls, all of its own.
Ends at Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
from pathlib import Path

import xllamacpp
from gguf_model import write

MODEL = Path(__file__).parents[2] / "src" / "tithe" / "engine" / "nano"


def serve(port: int, slots: int, context: int, threads: int) -> None:
    """Serve until told to stop. Prints one JSON line when it listens."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nano.gguf"
        write(MODEL, path)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.model_alias = {"nano"}
        params.hostnames = ["127.0.0.1"]
        params.port = port
        params.n_parallel = slots
        params.n_ctx = slots * context
        params.use_jinja = True
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        server = xllamacpp.Server(params)
        print(json.dumps({"url": f"{server.listening_address}/v1", "model": "nano"}), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
        del server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8484)
    parser.add_argument("--slots", type=int, default=4, help="calls in one batch; more wait")
    parser.add_argument("--context", type=int, default=8192, help="tokens of a slot")
    parser.add_argument("--threads", type=int, default=1, help="they spin while they wait for each other")
    given = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    serve(given.port, given.slots, given.context, given.threads)
