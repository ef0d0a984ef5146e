"""The one seam: whatever answers a request is a `Backend`."""

from collections.abc import AsyncIterator
from typing import Protocol

from tithe.core.event import Event
from tithe.core.request import Request


class Backend(Protocol):
    """The embedded engine, a remote endpoint, the gateway and the scripted fake are all one of these."""

    def generate(self, request: Request) -> AsyncIterator[Event]:
        """Answer one request as a stream of events.

        Closing the iterator (or cancelling its reader) abandons the call: the backend frees what it
        held within one step. Raises a `TitheError`: `InvalidRequest` and `Overloaded` before the
        first delta, `EndpointError` or `EngineError` at any time.
        """
        ...

    async def aclose(self) -> None:
        """Release what the backend holds. Calls still open end with an error."""
        ...
