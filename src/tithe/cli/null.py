"""The null backend on a socket of its own: `python -m tithe.cli.null MODEL`.

It answers every request at once, from a process of its own: in the client's process it would share
the event loop and the interpreter's lock, and the floor would be of both. It ends with its parent
(when stdin is at its end) or at SIGTERM.
"""

import asyncio
import signal
import sys

from tithe.audit.known import KnownEndpoint, KnownOptions
from tithe.cli.child import announce
from tithe.core import ScriptedBackend
from tithe.net.options import ServerOptions
from tithe.net.server import Server

AT_ONCE = KnownOptions(base_s=0.0, uncached_token_s=0.0, decode_s=0.0)


async def serve_null(model: str) -> None:
    """Serve until stdin is closed or SIGTERM comes."""
    server = Server(ScriptedBackend(KnownEndpoint(AT_ONCE)), model, ServerOptions(port=0))
    await server.start()
    announce(server.url, model)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.add_reader(sys.stdin.fileno(), over.set)
    await over.wait()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(serve_null(sys.argv[1]))
