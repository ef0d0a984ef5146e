"""The embedded endpoint, started for one command and ended with it."""

import contextlib
from collections.abc import AsyncGenerator

from tithe.cli.child import Ready, child_server
from tithe.cli.extras import require_engine

EMBEDDED = "embedded"
"""What stands for its URL on a command line, and for its address in a record: it has another port each time."""


@contextlib.asynccontextmanager
async def embedded_endpoint(*serve: str) -> AsyncGenerator[Ready, None]:
    """`tithe serve` on a free port, in a process of its own, for as long as the block lasts.

    `serve` are further arguments of `tithe serve`.

    Raises:
        UsageError: the engine's extra is not installed, or the endpoint did not start.
    """
    require_engine()
    arguments = ("-m", "tithe", "serve", "--port", "0", "--json", "--until-eof", *serve)
    async with child_server(arguments, what="The embedded endpoint") as ready:
        yield ready
